"""Remembers what came of checking a credential, without keeping the credential."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from giftcard_gateway.clock import Clock

_Found = TypeVar("_Found")

_MOST = 10_000
"""Credentials remembered by a process; the one not shown for longest is forgotten first."""


class Remembered(Generic[_Found]):
    """What was found of each credential, under a keyed hash of it whose key dies with the process."""

    def __init__(self, clock: Clock) -> None:
        self._key = clock.random_bytes(32)
        self._found: OrderedDict[bytes, _Found] = OrderedDict()

    def get(self, credential: str) -> _Found | None:
        """Return what was found of a credential, None if it was not seen or is forgotten."""
        key = self._hash(credential)
        found = self._found.get(key)
        if found is not None:
            self._found.move_to_end(key)
        return found

    def put(self, credential: str, found: _Found) -> None:
        """Remember what was found."""
        self._found[self._hash(credential)] = found
        if len(self._found) > _MOST:
            self._found.popitem(last=False)

    def _hash(self, credential: str) -> bytes:
        return hashlib.blake2b(credential.encode(), key=self._key, digest_size=32).digest()
