"""Waits with callers until something is known of their transaction. The work itself never waits for them."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.ledger.entry import UNSETTLED, Entry, State

if TYPE_CHECKING:
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.pipeline.driver import Driver
    from giftcard_gateway.providers.connections import Connections

_TICK_S = 0.5
"""How often whoever waits for another process looks whether this one ends."""


class Waiting:
    """The callers of one process who wait."""

    def __init__(self, records: Records, connections: Connections, driver: Driver) -> None:
        """Begin with nobody."""
        self._records = records
        self._connections = connections
        self._driver = driver
        self._is_released = False
        self._waiters = set[asyncio.Future[None]]()
        self._callers = Counter[str]()
        """How many wait until what they were promised is delivered, by provider."""

    def release(self) -> None:
        """Answer every waiting caller with the present state, because this process is about to stop."""
        self._is_released = True
        for waiter in self._waiters:
            _wake(waiter)

    async def through(self, task: asyncio.Task[Entry], wait_s: float) -> None:
        """Return once `task` is done or `wait_s` are over, or at once when this process is about to stop.

        Nothing else is woken, and the task goes on whoever leaves.
        """
        if self._is_released or wait_s <= 0:
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        wake = partial(_wake, waiter)
        timer = loop.call_later(wait_s, wake)
        task.add_done_callback(wake)
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            task.remove_done_callback(wake)
            timer.cancel()

    async def settled(self, entry: Entry, wait_s: float, *, is_promise_enough: bool = True) -> Entry:
        """Return `entry` once nothing is being found out about it, or as it stands after `wait_s`.

        Where a promise is enough, one whose first delivery failed is returned as it is: it is kept in
        the background. So is one whose provider keeps as many callers waiting as it may have in flight: they
        would hold the places of other providers' calls (rule 20).
        """
        if entry.state not in UNSETTLED:
            return entry
        provider = entry.provider
        if entry.state not in {State.CONFIRMING, State.REVERSING}:
            return await self._waited_for(entry, wait_s, is_promise_enough=is_promise_enough)
        if self._callers[provider] >= self._most(provider):
            return entry
        self._callers[provider] += 1
        try:
            return await self._waited_for(entry, wait_s, is_promise_enough=is_promise_enough)
        finally:
            self._callers[provider] -= 1

    def _most(self, provider: str) -> int:
        limits = {one.provider_id: one.terms.max_in_flight for one in self._connections}
        return limits.get(provider, 1)

    async def _waited_for(self, entry: Entry, wait_s: float, *, is_promise_enough: bool) -> Entry:
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while entry.state in UNSETTLED and not self._is_released and (left_s := until - loop.time()) > 0:
            task = self._driver.driving(entry.transaction_id)
            if task is None:
                is_promise = is_promise_enough and entry.state is not State.PENDING
                if is_promise and entry.driver == self._driver.name:
                    # Its first delivery was through before we looked for it.
                    return await self._present(entry)
                await self._records.journal.wait_changed(min(left_s, _TICK_S))
                entry = await self._present(entry)
            else:
                await self.through(task, left_s)
                entry = await self.after(task, entry)
                if is_promise_enough and entry.state is not State.PENDING:
                    break
        return entry

    async def after(self, task: asyncio.Task[Entry], entry: Entry) -> Entry:
        """Return what `task` made of `entry`; while it is not through, what the journal has."""
        is_ended = task.done() and not task.cancelled() and task.exception() is None
        return task.result() if is_ended else await self._present(entry)

    async def _present(self, entry: Entry) -> Entry:
        """Return the entry as the journal has it now, or `entry` when the journal is away."""
        try:
            return await self._records.get(entry.transaction_id) or entry
        except JournalClosed:
            return entry


def _wake(waiter: asyncio.Future[None], _done: object = None) -> None:
    if not waiter.done():
        waiter.set_result(None)
