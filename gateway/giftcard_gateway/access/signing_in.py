"""Decides who calls: the one place where credentials become an Identity.

A call shows a bearer token, an API key (both in `authorization: Bearer`), or its connection's certificate.
What stands in the header counts before the certificate, and a wrong one is never made good by it.

Checking a credential costs us, so each machine has a budget of wrong ones. One that was found good is not
checked again, and goes on whatever others do from the same machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from giftcard_gateway.access import api_keys
from giftcard_gateway.access.buckets import Bucket, ByName
from giftcard_gateway.access.identities import Identity, SignIn, identity_of
from giftcard_gateway.access.machines import counted_as
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.config.settings import Limits
from giftcard_gateway.errors import CredentialsInvalid, RateLimited

if TYPE_CHECKING:
    from giftcard_gateway.access.api_keys import ApiKeys
    from giftcard_gateway.access.tokens import Tokens
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.config.access import Grant

_HEADER = "authorization"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a call shows: metadata, the names in its connection's certificate, and where it comes from."""

    metadata: Iterable[tuple[str, str | bytes]] = ()
    names: tuple[str, ...] = ()
    machine: str = ""


class WrongCredentials:
    """The budgets of all machines for credentials that turn out wrong."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        """Begin with full budgets."""
        self._limits = limits
        self._budgets: ByName[str, Bucket] = ByName(
            lambda: Bucket(
                clock, size=self._limits.wrong_credentials, every_s=self._limits.wrong_credential_every_s
            ),
            is_held=lambda budget: not budget.is_idle,
        )

    def renew(self, limits: Limits) -> None:
        """Go by other limits from now on; nothing wrong is forgiven for it."""
        self._limits = limits
        for budget in self._budgets:
            budget.resize(size=limits.wrong_credentials, every_s=limits.wrong_credential_every_s)

    @contextmanager
    def checking(self, machine: str) -> Iterator[None]:
        """Surround the check of a credential; raises RateLimited, and then nothing is to be checked."""
        budget = self._budgets.get(counted_as(machine, self._limits.ipv6_prefix))
        if not budget.tokens:
            refusal = RateLimited("Too many wrong credentials came from this address; none was looked at.")
            refusal.retry_after_s = max(budget.wait_s, 0.1)
            raise refusal
        budget.lend(1)
        is_wrong = False
        try:
            yield
        except CredentialsInvalid:
            is_wrong = True
            raise
        finally:
            budget.end(is_back=not is_wrong)


class SigningIn:
    """Decides who calls, by the ways the settings allow; with none of them everybody is `anonymous`."""

    def __init__(
        self,
        *,
        anonymous: Identity,
        tokens: Tokens | None = None,
        keys: ApiKeys | None = None,
        certificates: Mapping[str, Grant] | None = None,
        wrong: WrongCredentials | None = None,
    ) -> None:
        self._tokens = tokens
        self.keys = keys
        self._certificates = _by_name(certificates or {})
        self._anonymous = anonymous
        self._wrong = wrong or WrongCredentials(Limits(), SystemClock())
        self.is_on = bool(tokens or keys or certificates)
        self.reads_certificates = bool(certificates)

    def renew(self, certificates: Mapping[str, Grant], limits: Limits) -> None:
        """Know these certificates from now on, as many as none or some as before, and go by these limits."""
        self._certificates = _by_name(certificates)
        self._wrong.renew(limits)

    async def identify(self, shown: Shown) -> Identity:
        """Return who calls; raise CredentialsInvalid, or what says that it cannot be told now.

        That is IssuerUnreachable, Overloaded, or RateLimited after too many wrong ones.
        """
        if not self.is_on:
            return self._anonymous
        given = [value for key, value in shown.metadata if key == _HEADER]
        if not given:
            return self._by_certificate(shown.names)
        if len(given) > 1:
            raise CredentialsInvalid("Send one authorization header, not several.", cause="malformed")
        scheme, _, credential = str(given[0]).partition(" ")
        if scheme.lower() != "bearer" or not credential or not credential.isascii():
            raise CredentialsInvalid("Send `authorization: Bearer` and a token or key.", cause="malformed")
        if credential.startswith(api_keys.PREFIX):
            if self.keys is None:
                raise CredentialsInvalid("API keys are not taken here.", cause="not_taken")
            return await self._known(self.keys, credential, shown.machine)
        if self._tokens is None:
            raise CredentialsInvalid("Tokens are not taken here.", cause="not_taken")
        return await self._known(self._tokens, credential, shown.machine)

    async def _known(self, way: ApiKeys | Tokens, credential: str, machine: str) -> Identity:
        """Return whose credential it is: as it was found before, or after a check that the budget allows."""
        if (identity := way.recall(credential)) is not None:
            return identity
        with self._wrong.checking(machine):
            return await way.identify(credential)

    def _by_certificate(self, names: tuple[str, ...]) -> Identity:
        known = {
            self._certificates[name].name: self._certificates[name]
            for name in names
            if name in self._certificates
        }
        if len(known) == 1:
            return next(iter(known.values()))
        if known:
            raise CredentialsInvalid("The certificate names more than one caller.", cause="ambiguous")
        if names:
            raise CredentialsInvalid("The certificate names no caller known here.", cause="unknown")
        raise CredentialsInvalid("Sign in: no credentials came with the call.", cause="missing")

    async def close(self) -> None:
        """Let go of connections to issuers."""
        if self._tokens is not None:
            await self._tokens.close()


def _by_name(certificates: Mapping[str, Grant]) -> dict[str, Identity]:
    return {name: identity_of(grant, SignIn.CERTIFICATE) for name, grant in certificates.items()}
