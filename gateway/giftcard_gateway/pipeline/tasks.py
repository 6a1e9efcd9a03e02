"""Runs what drives a transaction in tasks of this process, which no caller's deadline can cut (rule 6).

What is to be done next is the driver's.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from giftcard_gateway.pipeline.leases import LeaseLost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from giftcard_gateway.ledger.entry import Entry
    from giftcard_gateway.ledger.observer import Observer

    Opening = Callable[[Entry], Awaitable[Entry | None]]


class Tasks:
    """The tasks in which one process advances entries."""

    def __init__(self, observer: Observer) -> None:
        """Begin with none; `observer` hears what fails that should not."""
        self._observer = observer
        self._tasks: dict[str, asyncio.Task[Entry]] = {}

    async def advance(self, entry: Entry) -> Entry:
        """Do what an entry owes; whoever drives says how."""
        raise NotImplementedError

    def drive(
        self, entry: Entry, *, within: AbstractContextManager[None] | None = None
    ) -> asyncio.Task[Entry]:
        """Advance `entry`, which is in this driver's hand; return the task that does, all of it `within`."""
        task = asyncio.create_task(self.advance(entry) if within is None else self._within(within, entry))
        self._tasks[entry.transaction_id] = task
        task.add_done_callback(partial(self._finished, entry.transaction_id))
        return task

    async def _within(self, within: AbstractContextManager[None], entry: Entry) -> Entry:
        with within:
            return await self.advance(entry)

    def begin(
        self, entry: Entry, opening: Opening
    ) -> tuple[asyncio.Future[Entry | None], asyncio.Task[Entry]]:
        """Advance `entry` as soon as `opening` has written it down, all in one task (rules 2 and 6).

        The future is done when that is, with the entry that has its id already: then nothing is driven.
        """
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[Entry | None] = loop.create_future()
        task = loop.create_task(self._begin(entry, opening, opened))
        task.add_done_callback(partial(self._finished, entry.transaction_id))
        return opened, task

    async def _begin(self, entry: Entry, opening: Opening, opened: asyncio.Future[Entry | None]) -> Entry:
        try:
            recorded = await opening(entry)
        except Exception as fault:  # noqa: BLE001 - the caller hears it
            opened.set_exception(fault)
            # Whoever left does not hear it, and asyncio would log it as a fault of ours.
            opened.exception()
            return entry
        except BaseException:
            opened.cancel()
            raise
        opened.set_result(recorded)
        task = asyncio.current_task()
        if recorded is not None or task is None:
            return entry
        self._tasks[entry.transaction_id] = task
        return await self.advance(entry)

    def driving(self, transaction_id: str) -> asyncio.Task[Entry] | None:
        """Return the task that drives a transaction in this process, if one does."""
        return self._tasks.get(transaction_id)

    @property
    def load(self) -> int:
        """Return how many transactions are driven now."""
        return len(self._tasks)

    async def drain(self, timeout_s: float) -> int:
        """Wait for the work in flight; return how much had to be left to recovery."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=timeout_s)
        left = list(self._tasks.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return len(left)

    def _finished(self, transaction_id: str, task: asyncio.Task[Entry]) -> None:
        if self._tasks.get(transaction_id) is task:
            del self._tasks[transaction_id]
        fault = None if task.cancelled() else task.exception()
        if fault is not None and not isinstance(fault, LeaseLost):
            self._observer.faulted("advance", fault)
