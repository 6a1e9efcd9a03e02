"""An issuer in the test's own process: its keys, its tokens good and bad, and a clock to put forward."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from giftcard_gateway.access.identities import Identity
from giftcard_gateway.access.jwks import Jwks
from giftcard_gateway.access.tokens import Tokens
from giftcard_gateway.config.access import Issuer
from tests.world.clock import ShiftedClock

ISSUER, AUDIENCE = "https://id.example", "https://giftcards.example"
FIRST, SECOND, STRANGER = (RSAKey.generate_key(2048, {"kid": kid}) for kid in ("one", "two", "one"))


class TurnedClock(ShiftedClock):
    """A clock that stands still until it is put forward: no token ends while a test is slow."""

    def __init__(self) -> None:
        """Begin with the true time, and stay there."""
        super().__init__()
        self._began, self._began_s = super().now(), super().monotonic_s()

    def now(self) -> datetime:
        """Return the time it was put to."""
        return self._began + self._ahead

    def monotonic_s(self) -> float:
        """Return the seconds it was put to."""
        return self._began_s + self._ahead.total_seconds()


class Issuing:
    """One issuer whose keys lie in a file, and a gateway's reading of its tokens."""

    def __init__(self, folder: Path, **changes: Any) -> None:  # noqa: ANN401 - settings of an issuer
        """Publish the first key; `changes` are settings besides the usual ones."""
        self.clock = TurnedClock()
        self.file = folder / "jwks.json"
        self.publish(FIRST)
        self.settings = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=str(self.file), **changes)
        self.tokens = Tokens([(self.settings, Jwks(self.settings, self.clock))], self.clock)

    def publish(self, *keys: RSAKey) -> None:
        """Replace the issuer's keys."""
        self.file.write_text(json.dumps(KeySet(list(keys)).as_dict(private=False)), encoding="utf-8")

    def claims(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - claims of any kind
        """Return the claims of a good token, changed; None takes one out."""
        now_s = int(self.clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "till-7",
            "iat": now_s,
            "exp": now_s + 600,
            "scope": "giftcard.money openid giftcard.read",
        }
        return {name: value for name, value in {**claims, **changes}.items() if value is not None}

    def token(self, key: Any = FIRST, header: dict[str, Any] | None = None, **changes: Any) -> str:  # noqa: ANN401 - keys, claims
        """Return a token signed with a key."""
        wanted = {"alg": "RS256", "kid": "one"} | (header or {})
        return jwt.encode(wanted, self.claims(**changes), key, algorithms=["RS256", "HS256", "PS256"])

    def forged(self, header: dict[str, Any], signature: bytes = b"", payload: bytes | None = None) -> str:
        """Return a token put together by hand."""
        body = json.dumps(self.claims()).encode() if payload is None else payload
        return ".".join(map(_part, (json.dumps(header).encode(), body, signature)))

    async def identify(self, token: str) -> Identity:
        """Return whose token it is."""
        return await self.tokens.identify(token)


def with_public_key(issuing: Issuing) -> str:
    """Return a token signed by the first key's public half, as if that were a shared secret."""
    head, payload, _ = issuing.forged({"alg": "HS256", "kid": "one"}).split(".")
    signed = hmac.digest(FIRST.as_pem(private=False), f"{head}.{payload}".encode(), "sha256")
    return f"{head}.{payload}.{_part(signed)}"


def _part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
