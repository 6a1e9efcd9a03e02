"""Puts together the ways to sign in that the settings allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_adapters.extras import what_it_needs
from giftcard_gateway.access.api_keys import ApiKeys
from giftcard_gateway.access.identities import ANONYMOUS, LOCAL
from giftcard_gateway.access.signing_in import SigningIn, WrongCredentials
from giftcard_gateway.config.exposure import is_loopback
from giftcard_gateway.errors import OperatorError

if TYPE_CHECKING:
    from giftcard_gateway.access.tokens import Tokens
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.config.access import Access
    from giftcard_gateway.config.settings import Settings
    from giftcard_gateway.journal.contract import Journal


class SignInUnusable(OperatorError):
    """A way to sign in needs what is not installed; the text says what."""


def open_signing_in(settings: Settings, journal: Journal, clock: Clock) -> SigningIn:
    """Return what decides who calls; raise SignInUnusable."""
    access = settings.access
    return SigningIn(
        tokens=_tokens(access, clock) if access.issuers else None,
        keys=ApiKeys(journal, clock) if access.api_keys else None,
        certificates=access.certificates,
        anonymous=LOCAL if is_loopback(settings.server.listen) else ANONYMOUS,
        wrong=WrongCredentials(settings.limits, clock),
    )


def _tokens(access: Access, clock: Clock) -> Tokens:
    try:
        from giftcard_gateway.access.jwks import Jwks  # noqa: PLC0415 - it needs an extra
        from giftcard_gateway.access.tokens import Tokens  # noqa: PLC0415 - it needs an extra
    except ModuleNotFoundError as fault:
        if needs := what_it_needs(fault):
            raise SignInUnusable(f"access.issuers {needs}") from None
        raise
    return Tokens([(issuer, Jwks(issuer, clock)) for issuer in access.issuers.values()], clock)
