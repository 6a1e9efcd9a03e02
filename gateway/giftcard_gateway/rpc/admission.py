"""Limits how many calls and how many streams run at once, and refuses new ones while the process drains."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from giftcard_gateway.errors import Overloaded, ShuttingDown

if TYPE_CHECKING:
    from collections.abc import Iterator


class Admission:
    """Counts what runs; closed for good when the process drains."""

    def __init__(self, limit: int, streams: int = 512) -> None:
        """Admit at most `limit` calls and beside them `streams` streams at a time."""
        self._limit = limit
        self._most_streams = streams
        self._streams = 0
        self._closed = asyncio.Event()
        self._empty = asyncio.Event()
        self.inside = 0

    @contextmanager
    def entered(self, *, is_stream: bool = False) -> Iterator[None]:
        """Surround one call; raise as `enter` does."""
        self.enter(is_stream=is_stream)
        try:
            yield
        finally:
            self.leave(is_stream=is_stream)

    def enter(self, *, is_stream: bool = False) -> None:
        """Admit one call; raise ShuttingDown or Overloaded. Every admitted call must `leave`.

        A stream may last for hours, so streams have places of their own and never take a call's.
        """
        if self._closed.is_set():
            raise ShuttingDown
        taken, most = (
            (self._streams, self._most_streams) if is_stream else (self.inside - self._streams, self._limit)
        )
        if taken >= most:
            raise Overloaded
        self.inside += 1
        self._streams += is_stream

    def leave(self, *, is_stream: bool = False) -> None:
        """Count one call as ended."""
        self.inside -= 1
        self._streams -= is_stream
        self._tell_empty()

    def close(self) -> None:
        """Admit no more calls, and tell streams to end."""
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
        """Return when the process drains and the last call has ended."""
        await self._empty.wait()

    def _tell_empty(self) -> None:
        if self._closed.is_set() and not self.inside:
            self._empty.set()
