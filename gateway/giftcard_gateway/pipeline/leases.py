"""Renews a transaction's lease while one step lasts.

A lease is as long as one exchange may take. What lasts longer renews it, so that no other hand
steps in while the first is still speaking to the provider (rule 14). A process that stands still
renews nothing, and loses the transaction as it should.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.ledger import lifecycle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.ledger.entry import Entry
    from giftcard_gateway.ledger.observer import Observer

_RENEW_AT = 0.5
"""The share of a lease that may be left when it is renewed."""
_JOURNAL_RETRY_S = 0.2


class Leases:
    """The leases of one process."""

    def __init__(self, name: str, *, records: Records, clock: Clock, observer: Observer) -> None:
        """Renew what the process called `name` drives."""
        self._name = name
        self._records = records
        self._clock = clock
        self._observer = observer

    @contextmanager
    def kept(self, entry: Entry, lease: timedelta) -> Iterator[None]:
        """Renew the lease of `entry` while the block runs; a short block costs one timer."""
        tasks: list[asyncio.Task[None]] = []

        def renew() -> None:
            tasks.append(asyncio.create_task(self._renew(entry, lease)))

        left = lease if entry.due_at is None else entry.due_at - self._clock.now()
        wait_s = max(0.0, (left - lease * _RENEW_AT).total_seconds())
        timer = asyncio.get_running_loop().call_later(wait_s, renew)
        try:
            yield
        finally:
            timer.cancel()
            for task in tasks:
                task.cancel()

    async def _renew(self, entry: Entry, lease: timedelta) -> None:
        try:
            while await self._renewed(entry, lease):
                await self._clock.sleep(lease.total_seconds() * _RENEW_AT)
        except Exception as fault:  # noqa: BLE001 - the step goes on, and finds out itself whether it may write
            self._observer.faulted("lease", fault)

    async def _renewed(self, entry: Entry, lease: timedelta) -> bool:
        """Renew the lease once; return False when it was lost or given up."""
        while True:
            try:
                fresh = await self._records.get(entry.transaction_id)
                if fresh is None or (fresh.fence, fresh.driver) != (entry.fence, self._name):
                    return False
                lease_until = self._clock.now() + lease
                if await self._records.write(lifecycle.hold(fresh, lease_until=lease_until)) is not None:
                    return True
            except JournalClosed:
                await self._clock.sleep(_JOURNAL_RETRY_S)
