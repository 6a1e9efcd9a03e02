"""Waits with callers until something is known of their transaction. The work itself never waits for them."""

from __future__ import annotations

import asyncio
from collections import Counter
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
        self._released: asyncio.Future[None] | None = None
        self._callers = Counter[str]()
        """How many wait until what they were promised is delivered, by provider."""

    def release(self) -> None:
        """Answer every waiting caller with the present state, because this process is about to stop."""
        self._released = self._released or asyncio.get_running_loop().create_future()
        if not self._released.done():
            self._released.set_result(None)

    async def settled(self, entry: Entry, wait_s: float, *, is_promise_enough: bool = True) -> Entry:
        """Return `entry` once nothing is being found out about it, or as it stands after `wait_s`.

        Where a promise is enough, one whose first delivery failed is returned as it is: it is kept in
        the background. So is one whose provider keeps as many callers waiting as it may have in flight: they
        would hold the places of other providers' calls (rule 20).
        """
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
        self._released = released = self._released or loop.create_future()
        until = loop.time() + wait_s
        while entry.state in UNSETTLED and not released.done() and (left_s := until - loop.time()) > 0:
            task = self._driver.driving(entry.transaction_id)
            if task is None:
                is_promise = is_promise_enough and entry.state is not State.PENDING
                if is_promise and entry.driver == self._driver.name:
                    # Its first delivery was through before we looked for it.
                    return await self._present(entry)
                await self._records.journal.wait_changed(min(left_s, _TICK_S))
                entry = await self._present(entry)
            else:
                await asyncio.wait({task, released}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
                entry = await self._after(task, entry) if task.done() else await self._present(entry)
                if is_promise_enough and entry.state is not State.PENDING:
                    break
        return entry

    async def _after(self, task: asyncio.Task[Entry], entry: Entry) -> Entry:
        is_ended = not task.cancelled() and task.exception() is None
        return task.result() if is_ended else await self._present(entry)

    async def _present(self, entry: Entry) -> Entry:
        """Return the entry as the journal has it now, or `entry` when the journal is away."""
        try:
            return await self._records.get(entry.transaction_id) or entry
        except JournalClosed:
            return entry
