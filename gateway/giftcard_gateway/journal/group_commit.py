"""Group commit: requests that wait are served together, on a thread of their own.

All that waits is given to one function at once, so that one fsync serves many callers. What a request is,
that function knows.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.journal.measured import monotonic_s, nobody

Request = TypeVar("Request")
Ack = object
"""The answer to one request: a value, or the exception its caller gets."""
Serve = Callable[[Sequence[Request]], Sequence[Ack]]
_Queued = tuple[Request, asyncio.Future[Ack], float, object]
"""A request, its caller's future, when it came, and what names the caller."""

RIDE_S = 0.005
"""How long a request that rides waits for one to go with: a call that has an effect soon writes its row."""
_FEW = 2
"""What one caller brings by itself, a row and a record of the audit; it is never made to wait."""
# One batch holds the write lock for as long as it takes; 512 rows are about 20 ms.
LARGEST_BATCH = 512


class GroupCommit(ABC, Generic[Request]):
    """A place where requests are served one batch after the other, in the order they came."""

    @abstractmethod
    async def submit(self, request: Request, *, rides: bool = False) -> Ack:
        """Return what came of a request; raise the exception it met.

        One that rides is served no later than the next that does not, and no later than RIDE_S from now.
        """

    @abstractmethod
    async def close(self) -> None:
        """Serve what waits, then stop."""


class ThreadCommit(GroupCommit[Request]):
    """Serves requests on one thread; all that came while it was busy make the next batch."""

    def __init__(
        self,
        serve: Serve[Request],
        name: str,
        served: Callable[[], None],
        *,
        linger_s: float = 0.0,
        timed: Callable[[float, float, Sequence[object]], None] | None = None,
        caller: Callable[[], object] = nobody,
    ) -> None:
        """Call `served` in the event loop after each batch; wait `linger_s` for more while many come.

        `timed` hears on the thread how long each batch's first request waited, how long the batch took, and
        for whom each request was: what `caller` told when it came, None of one that rides.
        """
        self._serve = serve
        self._linger_s = linger_s
        self._closing = threading.Event()
        self._served = served
        self._timed = timed
        self._caller = caller
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Queued[Request] | None] = SimpleQueue()
        self._riding: list[tuple[Request, asyncio.Future[Ack]]] = []
        self._leaving: asyncio.TimerHandle | None = None
        # A daemon: a program that ends without closing must not hang on a thread that waits for work.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def submit(self, request: Request, *, rides: bool = False) -> Ack:
        """Wait for the batch that holds this request; a cancelled caller's request is served all the same."""
        future: asyncio.Future[Ack] = self._loop.create_future()
        if rides:
            self._riding.append((request, future))
            if self._leaving is None:
                self._leaving = self._loop.call_later(RIDE_S, self._leave)
        else:
            self._leave()
            self._queue.put((request, future, monotonic_s(), self._caller()))
        return _value(await future)

    def _leave(self) -> None:
        """Put what rides into the queue."""
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        for request, future in self._riding:
            self._queue.put((request, future, monotonic_s(), None))
        self._riding.clear()

    async def close(self) -> None:
        """Serve what waits, then end the thread."""
        self._leave()
        self._closing.set()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        is_open, last = True, 0
        while is_open:
            batch = self._next_batch(self._linger_s if last > _FEW else 0.0)
            last = len(batch)
            is_open = batch[-1] is not None
            queued = [each for each in batch if each is not None]
            if queued:
                began_s = monotonic_s()
                acks = self._acks([request for request, *_ in queued])
                self._resolve([future for _, future, *_ in queued], acks)
                if self._timed is not None:
                    took_s = monotonic_s() - began_s
                    self._timed(began_s - queued[0][2], took_s, [caller for *_, caller in queued])

    def _acks(self, requests: Sequence[Request]) -> Sequence[Ack]:
        try:
            return self._serve(requests)
        except Exception as fault:  # noqa: BLE001 - a thread that ended would leave its callers waiting for ever
            return [JournalClosed(f"the journal failed: {type(fault).__name__}")] * len(requests)

    def _next_batch(self, linger_s: float) -> list[_Queued[Request] | None]:
        batch = [self._queue.get()]
        if linger_s and batch[0] is not None:
            self._closing.wait(linger_s)
        try:
            while batch[-1] is not None and len(batch) < LARGEST_BATCH:
                batch.append(self._queue.get_nowait())
        except Empty:
            pass
        return batch

    def _resolve(self, futures: list[asyncio.Future[Ack]], acks: Sequence[Ack]) -> None:
        def resolve() -> None:
            for future, ack in zip(futures, acks, strict=True):
                if not future.done():
                    future.set_result(ack)
            self._served()

        # One wake-up of the loop for the whole batch. RuntimeError: the loop is closed, so nothing waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(resolve)


def _value(ack: Ack) -> Ack:
    if isinstance(ack, BaseException):
        raise ack
    return ack
