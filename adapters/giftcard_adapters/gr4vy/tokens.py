"""Gr4vy's bearer tokens: a JWT signed with ES512, reused until shortly before it ends.

The time and the nonce are passed in with each call. Which scopes a
token carries is a setting of the adapter.

Sources: Gr4vy's API guide and how its Python SDK signs.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from giftcard_adapters.calls import Call, Moment
from giftcard_adapters.errors import SettingsError
from giftcard_adapters.values.secret import Secret

_ALGORITHM = "ES512"
_CURVE = "P-521"
_ISSUER = "giftcard-gateway"
"""Gr4vy ignores `iss`; its own SDK writes its user agent there."""
_MARGIN_S = 60.0
"""A token this close to its end is not used again: it must still be good when the request arrives."""


class _Token(msgspec.Struct, frozen=True):
    issued_s: float
    reusable_until_s: float
    header: Mapping[str, str]

    def __repr__(self) -> str:
        return f"_Token(until {self.reusable_until_s})"


class TokenSigner:
    """Gives each call its `authorization` header; a token is made once and used for most of its life."""

    def __init__(self, *, private_key: Secret, scopes: Sequence[str], lifetime_s: float) -> None:
        """Read the PEM of an EC P-521 private key; raise SettingsError when it is not one."""
        self._key = _read_key(private_key)
        # RFC 7638, which is what Gr4vy's own SDK computes by hand.
        self._kid = self._key.thumbprint()
        self._scopes = list(scopes)
        self._lifetime_s = lifetime_s
        self._token: _Token | None = None

    def __call__(self, call: Call, moment: Moment) -> Mapping[str, str]:
        """Return the header for a call at `moment`; the call itself is not part of what is signed."""
        del call
        token = self._token
        if token is None or not token.issued_s <= moment.now_s < token.reusable_until_s:
            token = self._token = self._make(moment)
        return token.header

    def _make(self, moment: Moment) -> _Token:
        issued = int(moment.now_s)
        claims = {
            "iss": _ISSUER,
            "iat": issued,
            "nbf": issued,
            "exp": issued + int(self._lifetime_s),
            "jti": str(uuid.UUID(hex=moment.nonce)),
            "scopes": self._scopes,
        }
        text = jwt.encode({"alg": _ALGORITHM, "kid": self._kid}, claims, self._key, algorithms=[_ALGORITHM])
        return _Token(
            issued_s=issued,
            reusable_until_s=issued + self._lifetime_s - _MARGIN_S,
            header={"authorization": f"Bearer {text}"},
        )


def _read_key(pem: Secret) -> ECKey:
    try:
        key = ECKey.import_key(pem.reveal())
    except (ValueError, TypeError, JoseError):
        key = None
    if key is None or key.curve_name != _CURVE or not key.is_private:
        raise SettingsError([f"key 'private_key': expected the PEM of an EC {_CURVE} private key"])
    return key
