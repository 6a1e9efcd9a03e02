"""Checks bearer tokens: ES512 JWTs signed by the sandbox's key, not expired, with the needed scope."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from giftcard_simulators.gr4vy.problems import Problem

_CLAIMS = ("iss", "iat", "nbf", "exp", "jti", "scopes")


class TokenGate:
    """Checks the token of each request; remembers the signatures it has checked."""

    def __init__(self, pem: str, now: Callable[[], datetime]) -> None:
        """Keep the key; only its public half is used."""
        self._key = ECKey.import_key(pem)
        self._now = now
        self._checked: dict[str, dict[str, object]] = {}

    def admit(self, authorization: str, scopes: Iterable[str]) -> None:
        """Raise a Problem unless the token is good and carries one of `scopes`."""
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer" or not token:
            raise Problem(401)
        claims = self._checked.get(token) or self._check(token)
        self._check_time(claims)
        granted = claims["scopes"]
        if not isinstance(granted, list) or not any(_grants(granted, scope) for scope in scopes):
            raise Problem(403)

    def _check(self, token: str) -> dict[str, object]:
        try:
            read = jwt.decode(token, self._key, algorithms=["ES512"])
        except (JoseError, ValueError):
            raise Problem(401) from None
        if read.header.get("kid") != self._key.thumbprint() or any(
            name not in read.claims for name in _CLAIMS
        ):
            raise Problem(401)
        self._checked[token] = read.claims
        return read.claims

    def _check_time(self, claims: dict[str, object]) -> None:
        now_s = self._now().timestamp()
        begins, ends = claims["nbf"], claims["exp"]
        if not (isinstance(begins, int) and isinstance(ends, int) and begins <= now_s < ends):
            raise Problem(401)


def _grants(granted: list[str], scope: str) -> bool:
    return scope in granted or f"*.{scope.rpartition('.')[2]}" in granted
