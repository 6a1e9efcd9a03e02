"""Card data at rest: authenticated encryption under named keys, and keyed hashes to find it by.

AES-256-GCM-SIV, because its nonces are drawn at random and a repeated one must not be a
catastrophe. A sealed text is `version | key id | nonce | ciphertext`, bound to the row it belongs
to, so that documents cannot be swapped between rows. Old keys still open; only the active seals.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_VERSION = b"\x01"
_NONCE_BYTES = 12
KEY_BYTES = 32
"""The length of every sealing key and of the hash key."""


class SealBroken(Exception):
    """A sealed text cannot be opened: it was altered, moved, or its key is not configured."""


class Seal:
    """Seals and opens documents, and makes the blind indexes that cards are found by."""

    def __init__(
        self,
        *,
        keys: Mapping[str, bytes],
        active: str,
        hash_key: bytes,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        """Keep the ciphers ready; `keys` maps short ASCII ids to 32 bytes and holds `active`."""
        if active not in keys:
            raise ValueError("the active sealing key is not among the keys")
        if any(len(key) != KEY_BYTES for key in (*keys.values(), hash_key)):
            raise ValueError(f"sealing keys and the hash key have {KEY_BYTES} bytes")
        self._ciphers = {key_id.encode(): AESGCMSIV(key) for key_id, key in keys.items()}
        self._active = active.encode()
        self._hash_key = hash_key
        self.audit_key = hmac.digest(hash_key, b"giftcard audit chain", hashlib.sha256)
        """What the audit's hashes are made with: of the hash key, but of no use to make a blind index."""
        self.audit_key_id = hashlib.sha256(self.audit_key).hexdigest()[:8]
        self._random_bytes = random_bytes

    def close(self, text: bytes, *, row: str) -> bytes:
        """Seal `text` for the row of this id under the active key."""
        nonce = self._random_bytes(_NONCE_BYTES)
        head = _VERSION + bytes([len(self._active)]) + self._active
        return head + nonce + self._ciphers[self._active].encrypt(nonce, text, head + row.encode())

    def open(self, sealed: bytes, *, row: str) -> bytes:
        """Open what `close` made for the same row; raise SealBroken when that cannot be."""
        head_bytes = 2 + sealed[1] if len(sealed) > 1 else 0
        head, rest = sealed[:head_bytes], sealed[head_bytes:]
        cipher = self._ciphers.get(head[2:])
        if head[:1] != _VERSION or cipher is None:
            raise SealBroken("sealed under a key that is not configured")
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], head + row.encode())
        except (InvalidTag, ValueError):
            raise SealBroken("altered, or moved from another row") from None

    def blind_index(self, kind: str, text: str) -> bytes:
        """Return the blind index (a keyed hash) that finds rows by a card or a provider's reference."""
        return hmac.digest(self._hash_key, f"{kind}\0{text}".encode(), hashlib.sha256)[:16]
