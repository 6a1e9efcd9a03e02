"""Bodies that are being read, counted by their bytes: not yet verified, so anybody's.

A slow sender holds the few bytes it has sent, and takes nobody's place.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from giftcard_gateway.access.machines import counted_as

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_BYTES = 64 * 1024 * 1024
_MOST_BYTES_EACH = _MOST_BYTES // 4
"""What one address may hold of them; a proxy in front is one address."""
MOST_SENDERS = 4096
"""How many may send at once."""


class UnreadBody:
    """One body, as far as it has come; nobody has verified it."""

    def __init__(self, bodies: Bodies, address: str) -> None:
        self._bodies = bodies
        self._address = address
        self._parts: list[bytes] = []
        self.size = 0

    def add(self, part: bytes, *, most: int) -> None:
        """Take a part; raises HTTPRequestEntityTooLarge or HTTPServiceUnavailable."""
        self.size += len(part)
        self._bodies.hold(self._address, len(part))
        if self.size > most:
            raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=self.size)
        self._parts.append(part)

    def whole(self) -> bytes:
        """Return what has come."""
        return b"".join(self._parts)


class Bodies:
    """The bodies that one process is reading."""

    def __init__(self, ipv6_prefix: int) -> None:
        self._ipv6_prefix = ipv6_prefix
        self._held = Counter[str]()
        self._total = 0
        self._senders = 0

    @contextmanager
    def reading(self, address: str) -> Iterator[UnreadBody]:
        """Surround the reading and use of one body; raises HTTPServiceUnavailable when too many are read."""
        if self._senders >= MOST_SENDERS:
            raise web.HTTPServiceUnavailable
        address = counted_as(address, self._ipv6_prefix)
        body = UnreadBody(self, address)
        self._senders += 1
        try:
            yield body
        finally:
            self._senders -= 1
            self._total -= body.size
            self._held[address] -= body.size
            if not self._held[address]:
                del self._held[address]

    def hold(self, address: str, size: int) -> None:
        """Count bytes; raises HTTPServiceUnavailable when there are too many."""
        self._total += size
        self._held[address] += size
        if self._total > _MOST_BYTES or self._held[address] > _MOST_BYTES_EACH:
            raise web.HTTPServiceUnavailable
