"""Where calls to a blocking database run: on a thread of their own.

Everything that waits is handed to one function at once, so that one fsync serves many callers.
What the function does with it is not known here.
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

Request = TypeVar("Request")
Outcome = object
"""What came of one request: a value, or the exception its caller gets."""
Serve = Callable[[Sequence[Request]], Sequence[Outcome]]

# One batch holds the write lock for as long as it takes; 512 rows are about 20 ms.
LARGEST_BATCH = 512


class GroupCommit(ABC, Generic[Request]):
    """A place where requests are served one batch after the other, in the order they came."""

    @abstractmethod
    async def submit(self, request: Request) -> Outcome:
        """Return what came of a request; raise the exception it met."""

    @abstractmethod
    async def close(self) -> None:
        """Serve what waits, then stop."""


class ThreadCommit(GroupCommit[Request]):
    """Serves requests on one thread; all that came while it was busy make the next batch."""

    def __init__(self, serve: Serve[Request], name: str, served: Callable[[], None]) -> None:
        """Call `served` in the event loop after each batch."""
        self._serve = serve
        self._served = served
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[tuple[Request, asyncio.Future[Outcome]] | None] = SimpleQueue()
        # A daemon: a program that ends without closing must not hang on a thread that waits for work.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def submit(self, request: Request) -> Outcome:
        """Wait for the batch that holds this request; a cancelled caller's request is served all the same."""
        future: asyncio.Future[Outcome] = self._loop.create_future()
        self._queue.put((request, future))
        return _value(await future)

    async def close(self) -> None:
        """Serve what waits, then end the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        is_open = True
        while is_open:
            batch = self._next_batch()
            is_open = batch[-1] is not None
            calls = [call for call in batch if call is not None]
            if calls:
                outcomes = self._outcomes([request for request, _ in calls])
                self._resolve([future for _, future in calls], outcomes)

    def _outcomes(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        try:
            return self._serve(requests)
        except Exception as fault:  # noqa: BLE001 - a thread that ended would leave its callers waiting for ever
            return [JournalClosed(f"the journal failed: {type(fault).__name__}")] * len(requests)

    def _next_batch(self) -> list[tuple[Request, asyncio.Future[Outcome]] | None]:
        batch = [self._queue.get()]
        try:
            while batch[-1] is not None and len(batch) < LARGEST_BATCH:
                batch.append(self._queue.get_nowait())
        except Empty:
            pass
        return batch

    def _resolve(self, futures: list[asyncio.Future[Outcome]], outcomes: Sequence[Outcome]) -> None:
        def resolve() -> None:
            for future, outcome in zip(futures, outcomes, strict=True):
                if not future.done():
                    future.set_result(outcome)
            self._served()

        # One wake-up of the loop for the whole batch. A loop that is closed has nobody left who waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(resolve)


def _value(outcome: Outcome) -> Outcome:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
