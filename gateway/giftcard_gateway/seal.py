"""Card data at rest: authenticated encryption under named keys, and keyed hashes to find it by.

AES-256-GCM-SIV, because its nonces are drawn at random and a repeated one must not be a
catastrophe. A sealed text is `format | key id | version | fence | nonce | ciphertext`, bound to the `Place`
it was sealed for: it opens in no other row, and not in its own once something newer was written there.
Format 1, of releases before this, is bound to the row's id alone; it opens, and is not made any more.
Old keys still open; only the active seals. Hash keys are a ring of their own: what is new is hashed under the
active one, and what is looked for under each.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import TYPE_CHECKING

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_UNBOUND = b"\x01"
_BOUND = b"\x02"
_COUNTS = struct.Struct(">QQ")
_NONCE_BYTES = 12
KEY_BYTES = 32
"""The length of every sealing key and of every hash key."""
FIRST_HASH_KEY = "first"
"""The id of the hash key that was the only one, before hash keys had ids."""
TENANT = "default"
"""Whose every row is, until rows say it themselves."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a sealed text is bound to: its row, and what the row's plain columns said when it was sealed.

    `version` and `fence` count a row's writes and claims. A claim writes no document and adds one to both, so
    that a text belongs where both have grown alike since.
    """

    table: str
    row: str
    tenant: str = TENANT
    columns: tuple[str | int, ...] = ()
    version: int = 0
    fence: int = 0


class SealBroken(Exception):
    """A sealed text is not what was last written there: it was altered, moved, or put back."""


class KeyMissing(SealBroken):
    """A sealed text cannot be opened here, because its key is not configured; `key_id` names it."""

    def __init__(self, key_id: str) -> None:
        """Keep which key it is."""
        super().__init__(f"sealed under the key {key_id!r}, which is not configured here")
        self.key_id = key_id


class HashKey:
    """One hash key: makes the blind indexes that cards are found by, and the hashes of the audit."""

    def __init__(self, key_id: str, key: bytes) -> None:
        self.key_id = key_id
        audit_key = hmac.digest(key, b"giftcard audit chain", hashlib.sha256)
        # Each is keyed once and copied for every text: keying costs more than hashing one.
        self._index_mac, self._audit_mac = HMAC(key, SHA256()), HMAC(audit_key, SHA256())
        self.fingerprint = _fingerprint(audit_key)
        """Tells this key from another under the same id; what is hashed with it cannot be guessed by it."""

    def blind_index(self, kind: str, text: str) -> bytes:
        """Return the blind index (a keyed hash) that finds rows by a card or a provider's reference."""
        mac = self._index_mac.copy()
        mac.update(f"{kind}\0{text}".encode())
        return mac.finalize()[:16]

    def audit_mac(self, text: bytes) -> bytes:
        """Return a hash for the audit; its key is made of this one, but of no use to make a blind index."""
        mac = self._audit_mac.copy()
        mac.update(text)
        return mac.finalize()


def _fingerprint(made_of_key: bytes) -> str:
    return hashlib.sha256(made_of_key).hexdigest()[:8]


class Seal:
    """Seals and opens documents, and holds the ring of hash keys."""

    def __init__(
        self,
        *,
        keys: Mapping[str, bytes],
        active: str,
        hash_keys: Mapping[str, bytes],
        hash_active: str = FIRST_HASH_KEY,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        """Keep the ciphers ready; each ring maps short ASCII ids to 32 bytes and holds its active one."""
        if active not in keys or hash_active not in hash_keys:
            raise ValueError("an active key is not among the keys")
        if any(len(key) != KEY_BYTES for key in (*keys.values(), *hash_keys.values())):
            raise ValueError(f"sealing keys and hash keys have {KEY_BYTES} bytes")
        self._ciphers = {key_id.encode(): AESGCMSIV(key) for key_id, key in keys.items()}
        self.fingerprints = {
            key_id: _fingerprint(hmac.digest(key, b"giftcard seal key", hashlib.sha256))
            for key_id, key in keys.items()
        }
        """What tells each sealing key from another under its id."""
        self.active = active
        self.active_head = _head(_BOUND, active.encode())
        """What the texts begin with that are sealed now."""
        self._cipher = self._ciphers[active.encode()]
        ring = {key_id: HashKey(key_id, key) for key_id, key in hash_keys.items()}
        self.hash_key = ring.pop(hash_active)
        """The active one."""
        self.hash_keys = (self.hash_key, *ring.values())
        """All that are known, the active one first."""
        self._random_bytes = random_bytes

    @property
    def heads(self) -> frozenset[bytes]:
        """What the texts begin with that this process can open; see `head_of`."""
        return frozenset(_head(form, key_id) for form in (_UNBOUND, _BOUND) for key_id in self._ciphers)

    def close(self, text: bytes, place: Place) -> bytes:
        """Seal `text` for its place under the active key."""
        nonce = self._random_bytes(_NONCE_BYTES)
        head = self.active_head + _COUNTS.pack(place.version, place.fence)
        return head + nonce + self._cipher.encrypt(nonce, text, head + _binding(place))

    def open(self, sealed: bytes, place: Place) -> bytes:
        """Open what `close` made for the same place.

        Raises KeyMissing where the key is not configured, and SealBroken for what does not belong there.
        """
        head = head_of(sealed)
        cipher = self._ciphers.get(head[2:])
        if not is_head(head):
            raise SealBroken("not a sealed text")
        if cipher is None:
            raise KeyMissing(head[2:].decode("ascii", "replace"))
        bound = place.row.encode()
        if head[:1] == _BOUND:
            head = sealed[: len(head) + _COUNTS.size]
            _must_be_newest(head[-_COUNTS.size :], place)
            bound = _binding(place)
        rest = sealed[len(head) :]
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], head + bound)
        except (InvalidTag, ValueError):
            raise SealBroken("altered, moved from another row, or older than what was written here") from None


def head_of(sealed: bytes) -> bytes:
    """Return the beginning of a sealed text, which says its format and the id of its key."""
    return sealed[: 2 + sealed[1]] if len(sealed) > 1 else sealed


def is_head(head: bytes) -> bool:
    """Tell whether a text begins as sealed ones do."""
    return head[:1] in {_UNBOUND, _BOUND} and head[1:] != b"" and 0 < head[1] == len(head[2:])


def told(head: bytes) -> tuple[str, bool]:
    """Return the id of the key that a head names, and whether texts under it are bound to their place."""
    return head[2:].decode("ascii", "replace"), head[:1] == _BOUND


def _head(form: bytes, key_id: bytes) -> bytes:
    return form + bytes([len(key_id)]) + key_id


def _binding(place: Place) -> bytes:
    return msgspec.msgpack.encode((place.table, place.tenant, place.row, place.columns))


def _must_be_newest(counts: bytes, place: Place) -> None:
    """Refuse what was sealed before the last write: since then only claims may have counted."""
    if len(counts) < _COUNTS.size:
        raise SealBroken("cut off")
    version, fence = _COUNTS.unpack(counts)
    if not 0 <= place.version - version == place.fence - fence:
        raise SealBroken("older than what was written here")
