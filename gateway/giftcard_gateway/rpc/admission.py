"""Limits how many calls and how many streams run at once, and refuses new ones while the process drains."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.errors import Overloaded, ShuttingDown
from giftcard_gateway.rpc.room import LOOK_EVERY_S, Room

if TYPE_CHECKING:
    from collections.abc import Iterator

    from giftcard_gateway.clock import Clock


class Admission:
    """Counts what runs; closed for good when the process drains."""

    def __init__(
        self, limit: int, streams: int = 512, *, at_once: int | None = None, clock: Clock | None = None
    ) -> None:
        """Admit at most `limit` calls and beside them `streams` streams at a time.

        Of the calls `at_once` are always worked on; how many more depends, see `room`. Without it all are.
        """
        self._clock = clock or SystemClock()
        self.most_calls = limit
        self.most_streams = streams
        self.streams = 0
        self._ended = 0
        self._room = Room(limit if at_once is None else at_once, limit)
        self._closed = asyncio.Event()
        self.is_closed = False
        """Whether the process drains."""
        self.is_behind = False
        """Whether calls wait for us, so that a caller's deadline is to be looked at."""
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
        """Admit one call; raise as `demand` does. Every admitted call must `leave`.

        A stream may last for hours, so streams have places of their own and never take a call's.
        """
        if is_stream or self.is_closed or self.inside - self.streams >= self.most_calls:
            self.demand(is_stream=is_stream)
        self.inside += 1
        self.streams += is_stream

    def demand(self, *, is_stream: bool = False, left_s: float | None = None) -> None:
        """Raise ShuttingDown or Overloaded for a call that cannot go on now, and count nothing.

        `left_s` is how long its caller still waits.
        """
        if self.is_closed:
            raise ShuttingDown
        if is_stream:
            if self.streams >= self.most_streams:
                raise Overloaded("Every stream there may be is open; nothing was sent.", cause="streams")
        elif self.inside - self.streams >= self.most_calls:
            raise Overloaded(cause="calls")
        elif left_s is not None and left_s < self._room.expected_s:
            raise Overloaded("It would take longer than you wait; nothing was sent.", cause="deadline")

    def leave(self, *, is_stream: bool = False, was_refused: bool = False) -> None:
        """Count one call as ended; one that was refused says nothing of how fast we work."""
        self.inside -= 1
        if is_stream:
            self.streams -= 1
        elif not was_refused:
            self._ended += 1
        self._tell_empty()

    def is_full(self, *, is_stream: bool = False) -> bool:
        """Tell whether the next call should be looked at before its request is read: it may be refused."""
        if is_stream:
            return self.streams >= self.most_streams or self.is_closed
        return self.inside - self.streams >= self._room.limit or self.is_closed

    @property
    def to_share(self) -> int | None:
        """Return how many places callers have to share, where the next one finds none free; else None."""
        return self._room.limit if self.inside - self.streams >= self._room.limit else None

    def come_back_s(self) -> float:
        """Return in how many seconds one more who is refused should come back."""
        return self._room.come_back_s(self._clock.fraction())

    def hold_s(self, left_s: float | None) -> float:
        """Return how long one more refusal waits for its turn, and at most half of what its caller waits."""
        hold_s = self._room.hold_s()
        return hold_s if left_s is None else min(hold_s, left_s / 2)

    async def run(self) -> None:
        """Look again and again how late we are, until cancelled."""
        clock = self._clock
        began_s = clock.monotonic_s()
        while True:
            await clock.sleep(LOOK_EVERY_S)
            now_s = clock.monotonic_s()
            took_s, began_s = now_s - began_s, now_s
            ended, self._ended = self._ended, 0
            inside = self.inside - self.streams
            self._room.look(late_s=took_s - LOOK_EVERY_S, took_s=took_s, inside=inside, ended=ended)
            self.is_behind = self._room.expected_s > 0

    def close(self) -> None:
        """Admit no more calls, and tell streams to end."""
        self.is_closed = True
        self._closed.set()
        self._tell_empty()

    @property
    def calls(self) -> int:
        """Return how many calls run that are no streams."""
        return self.inside - self.streams

    async def closed(self) -> None:
        """Return when the process begins to drain."""
        await self._closed.wait()

    async def empty(self) -> None:
        """Return when the process drains and the last call has ended."""
        await self._empty.wait()

    def _tell_empty(self) -> None:
        if self.is_closed and not self.inside:
            self._empty.set()
