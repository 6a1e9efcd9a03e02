"""The recovery sweep: claims overdue transactions and hands them to the driver.

It knows nothing of what an entry owes. It sleeps until the next due time or until
this process writes an earlier one, so that work is picked up at once and an idle gateway asks little.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from giftcard_gateway.errors import ProviderNotFound
from giftcard_gateway.journal.contract import JournalClosed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.ledger.entry import Entry
    from giftcard_gateway.ledger.observer import Observer
    from giftcard_gateway.pipeline.driver import Driver
    from giftcard_gateway.providers.connections import Connections

_BATCH = 64
_MAX_DRIVEN = 256
"""How many entries the driver is handed at a time."""
_IDLE = timedelta(seconds=1)
"""The longest sleep: how late this process may find what another replica left behind."""
_PAUSE_S = 0.5
"""How long to wait when the journal is away or everything due is already in hand."""


class Recovery:
    """Finishes transactions that this process or another left open."""

    def __init__(
        self,
        *,
        records: Records,
        connections: Connections,
        driver: Driver,
        clock: Clock,
        observer: Observer,
    ) -> None:
        """Keep what each round needs; nothing is swept yet."""
        self._records = records
        self._connections = connections
        self._driver = driver
        self._clock = clock
        self._observer = observer
        self.max_driven = _MAX_DRIVEN
        self.idle = _IDLE
        self._woken = asyncio.Event()
        self._wakes_at = clock.now()
        records.on_due = self._wake
        records.on_unreadable = lambda fault: observer.faulted("recovery", fault)

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                is_busy = await self.sweep()
                if not is_busy:
                    await self._sleep()
            except JournalClosed:
                await self._clock.sleep(_PAUSE_S)
            except Exception as fault:  # noqa: BLE001 - whatever fails, what is owed must go on being done
                self._observer.faulted("recovery", fault)
                await self._clock.sleep(_PAUSE_S)

    async def sweep(self) -> bool:
        """Claim one batch of due entries and start driving them; tell whether more may be due."""
        room = min(_BATCH, self.max_driven - self._driver.load)
        if room <= 0:
            await self._clock.sleep(_PAUSE_S)
            return True
        now = self._clock.now()
        claimed = await self._records.claim(
            now=now, lease_until=now + self._lease(), driver=self._driver.name, limit=room
        )
        self._start(claimed)
        return len(claimed) == room

    def _start(self, claimed: Sequence[Entry]) -> None:
        for entry in claimed:
            if not self._is_served(entry):
                # Its provider was taken out of the configuration: the lease keeps it from being
                # claimed over and over, and the operator is told each time it comes round.
                self._observer.faulted("recovery", ProviderNotFound(provider=entry.provider))
                continue
            at_work = self._driver.driving(entry.transaction_id)
            if at_work is not None and not at_work.done():
                # Its lease ended while the journal was away. Who is at work on it goes on, and knows more.
                continue
            with self._observer.resuming(entry):
                self._driver.drive(entry)

    def _is_served(self, entry: Entry) -> bool:
        return any(connection.provider_id == entry.provider for connection in self._connections)

    def _lease(self) -> timedelta:
        """Return a lease long enough for the slowest provider."""
        return max((connection.lease for connection in self._connections), default=timedelta(seconds=60))

    async def _sleep(self) -> None:
        """Sleep until the journal's next due time, or until a write of ours makes something due sooner."""
        self._woken.clear()
        due_at = await self._records.journal.next_due_at()
        self._wakes_at = self._clock.now() + self.idle
        if due_at is not None:
            self._wakes_at = min(self._wakes_at, due_at)
        wait_s = (self._wakes_at - self._clock.now()).total_seconds()
        if wait_s > 0:
            # Not asyncio.wait_for: before Python 3.12 it can swallow a cancellation.
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()

    def _wake(self, due_at: datetime) -> None:
        if due_at < self._wakes_at:
            self._woken.set()
