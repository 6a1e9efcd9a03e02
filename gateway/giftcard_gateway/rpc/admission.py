"""How many calls may be inside at once, and the end of taking new ones."""

from __future__ import annotations

import asyncio

from giftcard_gateway.errors import Overloaded, ShuttingDown


class Admission:
    """Counts calls in and out; closed for good when the process drains."""

    def __init__(self, limit: int) -> None:
        """Admit at most `limit` calls at a time."""
        self._limit = limit
        self._closed = asyncio.Event()
        self._empty = asyncio.Event()
        self.inside = 0

    def enter(self) -> None:
        """Let one call in; raise ShuttingDown or Overloaded. Every call let in must `leave`."""
        if self._closed.is_set():
            raise ShuttingDown
        if self.inside >= self._limit:
            raise Overloaded
        self.inside += 1

    def leave(self) -> None:
        """Let one call out."""
        self.inside -= 1
        self._tell_empty()

    def close(self) -> None:
        """Let no more calls in, and tell the endless ones inside to end."""
        self._closed.set()
        self._tell_empty()

    @property
    def is_closed(self) -> bool:
        """Tell whether the process drains."""
        return self._closed.is_set()

    async def closed(self) -> None:
        """Return when the process begins to drain."""
        await self._closed.wait()

    async def empty(self) -> None:
        """Return when the process drains and the last call has left."""
        await self._empty.wait()

    def _tell_empty(self) -> None:
        if self._closed.is_set() and not self.inside:
            self._empty.set()
