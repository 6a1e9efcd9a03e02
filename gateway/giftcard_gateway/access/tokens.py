"""Bearer tokens (JWT): whose they are, whether they hold, and what they say of their caller.

joserfc checks signatures and claims; what is decided here is which key and which rules a token meets. The
`kid` of a token is compared with those of the issuer's keys and used for nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError

from giftcard_adapters.values.operations import Operation
from giftcard_gateway.access.identities import Identity, SignIn
from giftcard_gateway.access.remembered import Remembered
from giftcard_gateway.config.access import CallerName, Scope
from giftcard_gateway.errors import CredentialsInvalid

if TYPE_CHECKING:
    from giftcard_gateway.access.jwks import Jwks
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.config.access import Issuer

_LONGEST = 8192
"""Characters of a token; gRPC's metadata is limited to 16 KiB in all."""
_Claims = dict[str, Any]
_OPERATIONS = {operation.value: operation for operation in Operation}
_SCOPES = {scope.value: scope for scope in Scope}


class Tokens:
    """Checks the tokens of every issuer; one that was found good is remembered for a while."""

    def __init__(self, issuers: Sequence[tuple[Issuer, Jwks]], clock: Clock) -> None:
        self._issuers = {issuer.issuer: (issuer, keys) for issuer, keys in issuers}
        self._clock = clock
        self._good: Remembered[tuple[Identity, float]] = Remembered(clock)

    def recall(self, token: str) -> Identity | None:
        """Return whose token this is if that was found out before and still holds, at no cost."""
        identity, until_s = self._good.get(token) or (None, 0.0)
        return identity if self._clock.now().timestamp() < until_s else None

    async def identify(self, token: str) -> Identity:
        """Return whose token this is; raise CredentialsInvalid, or IssuerUnreachable."""
        if (known := self.recall(token)) is not None:
            return known
        now_s = self._clock.now().timestamp()
        if len(token) > _LONGEST:
            raise CredentialsInvalid("The token is too long.", cause="malformed")
        issuer, keys = self._issuer_of(token)
        header = _header_of(token)
        if header.get("alg") not in issuer.algorithms:
            raise CredentialsInvalid("The token's algorithm is not taken here.", cause="algorithm")
        key = await keys.find(header.get("kid"), str(header["alg"]))
        if key is None:
            raise CredentialsInvalid("The token is signed by no key of its issuer.", cause="unknown")
        claims = _checked(token, key, issuer, int(now_s))
        identity = _identity_of(claims, issuer)
        until_s = min(claims["exp"] + issuer.leeway_s, now_s + issuer.cache_s)
        self._good.put(token, (identity, until_s))
        return identity

    async def close(self) -> None:
        """Let go of connections to issuers."""
        for _, keys in self._issuers.values():
            await keys.close()

    def _issuer_of(self, token: str) -> tuple[Issuer, Jwks]:
        """Return the issuer a token names; it is believed only to choose the keys that it is checked by."""
        try:
            claims = msgspec.json.decode(jws.extract_compact(token.encode()).payload, type=_Claims)
        except (JoseError, msgspec.DecodeError, ValueError, RecursionError):
            raise _malformed() from None
        known = self._issuers.get(str(claims.get("iss")))
        if known is None:
            raise CredentialsInvalid("The token's issuer is not known here.", cause="issuer")
        return known


def _header_of(token: str) -> Mapping[str, Any]:
    try:
        header: Mapping[str, Any] = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, RecursionError):
        raise _malformed() from None
    return header


def _checked(token: str, key: Any, issuer: Issuer, now_s: int) -> _Claims:  # noqa: ANN401 - a key of any kind
    rules = jwt.JWTClaimsRegistry(
        now=now_s,
        leeway=int(issuer.leeway_s),
        iss={"essential": True, "value": issuer.issuer},
        aud={"essential": True, "value": issuer.audience},
        exp={"essential": True},
    )
    try:
        claims = jwt.decode(token, key, algorithms=list(issuer.algorithms)).claims
        if not _is_finite(claims):
            raise _malformed()
        rules.validate(claims)
    except ExpiredTokenError:
        raise CredentialsInvalid("The token has expired.", cause="expired") from None
    except (InvalidClaimError, MissingClaimError) as fault:
        raise CredentialsInvalid(f"The token's {fault.claim} is not one taken here.", cause="claim") from None
    except (JoseError, ValueError, TypeError, RecursionError):
        raise CredentialsInvalid("The token's signature does not hold.", cause="signature") from None
    return claims


def _is_finite(claims: _Claims) -> bool:
    """Tell whether the times are numbers: Python's JSON reads NaN, which no comparison finds expired."""
    times = [claims[name] for name in ("exp", "nbf", "iat") if name in claims]
    return all(isinstance(time, int | float) and math.isfinite(time) for time in times)


def _identity_of(claims: _Claims, issuer: Issuer) -> Identity:
    operations = _limit(claims, issuer.operations_claim)
    return Identity(
        name=_word(claims, issuer.name_claim),
        sign_in=SignIn.TOKEN,
        tenant=_word(claims, issuer.tenant_claim) if issuer.tenant_claim else issuer.tenant,
        scopes=frozenset(_SCOPES[one] for one in _words(claims, issuer.scope_claim) if one in _SCOPES),
        merchants=_limit(claims, issuer.merchants_claim),
        providers=_limit(claims, issuer.providers_claim),
        operations=None
        if operations is None
        else frozenset(_OPERATIONS[one.upper()] for one in operations if one.upper() in _OPERATIONS),
    )


def _word(claims: _Claims, claim: str) -> str:
    try:
        return msgspec.convert(claims.get(claim), CallerName)
    except msgspec.ValidationError:
        raise CredentialsInvalid(f"The token's {claim} is no name.", cause="claim") from None


def _words(claims: _Claims, claim: str) -> list[str]:
    """Return a claim's words: a list, or one text with blanks between, as OAuth has scopes."""
    value = claims.get(claim, "")
    return value.split() if isinstance(value, str) else [one for one in value if isinstance(one, str)]


def _limit(claims: _Claims, claim: str) -> frozenset[str] | None:
    """Return what a claim limits its caller to; None where the issuer's tokens have no such claim."""
    if not claim:
        return None
    if not isinstance(claims.get(claim), str | list):
        raise CredentialsInvalid(f"The token's {claim} is missing.", cause="claim")
    return frozenset(_words(claims, claim))


def _malformed() -> CredentialsInvalid:
    return CredentialsInvalid("The token cannot be read.", cause="malformed")
