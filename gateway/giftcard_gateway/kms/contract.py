"""What a key service (KMS) does for the gateway, and the text in which a wrapped key stands in the settings.

A service keeps a key of its own, which nobody sees. It wraps keys of the gateway's, and opens what it
wrapped. Both may block: they are asked before the event loop runs, and never again.
"""

from __future__ import annotations

import base64
import binascii
from typing import Protocol

import msgspec

WRAPPED = "wrapped:"
"""What the text of a wrapped key begins with; no key in base64 does."""


class KmsFault(Exception):
    """A key service cannot be used, or does not open a key; the text says why and holds no secret."""


class KeyService(Protocol):
    """A key service that we are signed in to."""

    def wrap(self, key: bytes, name: str) -> bytes:
        """Return `key` so that only this service opens it, and only under the same `name`; raise KmsFault."""
        ...

    def unwrap(self, wrapped: bytes, name: str) -> bytes:
        """Return the key that `wrap` was given under `name`; raise KmsFault, for altered bytes too."""
        ...


class WrappedKey(msgspec.Struct, frozen=True):
    """A key as it stands in the settings: `wrapped:`, the id of the service that opens it, `:`, base64."""

    kms: str
    wrapped: bytes

    def text(self) -> str:
        """Return it as it stands in the settings."""
        return f"{WRAPPED}{self.kms}:{base64.b64encode(self.wrapped).decode()}"

    @classmethod
    def read(cls, text: str) -> WrappedKey | None:
        """Read a setting: None for a key in the clear; raise ValueError for what only begins as wrapped."""
        if not text.startswith(WRAPPED):
            return None
        kms, _, encoded = text.removeprefix(WRAPPED).partition(":")
        try:
            wrapped = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            wrapped = b""
        if not (kms and wrapped):
            raise ValueError("not a wrapped key")
        return cls(kms, wrapped)
