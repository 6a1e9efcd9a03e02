"""Decides who calls: the one place where credentials become an Identity.

A call shows a bearer token, an API key (both in `authorization: Bearer`), or its connection's certificate.
What stands in the header counts before the certificate, and a wrong one is never made good by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from giftcard_gateway.access import api_keys
from giftcard_gateway.access.identities import Identity, SignIn, identity_of
from giftcard_gateway.errors import CredentialsInvalid

if TYPE_CHECKING:
    from giftcard_gateway.access.api_keys import ApiKeys
    from giftcard_gateway.access.tokens import Tokens
    from giftcard_gateway.config.access import Grant

_HEADER = "authorization"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a call shows: its metadata, and the subject alternative names of its connection's certificate."""

    metadata: Iterable[tuple[str, str | bytes]] = ()
    names: tuple[str, ...] = ()


class SigningIn:
    """Decides who calls, by the ways the settings allow; with none of them everybody is `anonymous`."""

    def __init__(
        self,
        *,
        anonymous: Identity,
        tokens: Tokens | None = None,
        keys: ApiKeys | None = None,
        certificates: Mapping[str, Grant] | None = None,
    ) -> None:
        self._tokens = tokens
        self.keys = keys
        self._certificates = {
            name: identity_of(grant, SignIn.CERTIFICATE) for name, grant in (certificates or {}).items()
        }
        self._anonymous = anonymous
        self.is_on = bool(tokens or keys or certificates)
        self.reads_certificates = bool(certificates)

    async def identify(self, shown: Shown) -> Identity:
        """Return who calls; raise CredentialsInvalid, or IssuerUnreachable when that cannot be told now."""
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
            return await self.keys.identify(credential)
        if self._tokens is None:
            raise CredentialsInvalid("Tokens are not taken here.", cause="not_taken")
        return await self._tokens.identify(credential)

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
