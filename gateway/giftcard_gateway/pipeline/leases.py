"""Renews a transaction's lease while one step lasts.

A lease is as long as one exchange may take. What lasts longer renews it, so that no other hand
steps in while the first is still speaking to the provider (rule 14). A process that stands still
renews nothing, and loses the transaction as it should.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.ledger import lifecycle

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.ledger.entry import Entry
    from giftcard_gateway.ledger.observer import Observer

_RENEW_AT = 0.5
"""The share of a lease that may be left when it is renewed."""
_JOURNAL_RETRY_S = 0.2


class LeaseLost(Exception):
    """Another hand took the transaction; this one must not write."""


class Lease(msgspec.Struct, eq=False, kw_only=True):
    """What one step holds, and the task that renews it once that is due."""

    entry: Entry
    length: timedelta
    renew_at: datetime
    renewing: asyncio.Task[None] | None = None


class Leases:
    """The leases of one process."""

    def __init__(self, name: str, *, records: Records, clock: Clock, observer: Observer) -> None:
        """Renew what the process called `name` drives."""
        self._name = name
        self._records = records
        self._clock = clock
        self._observer = observer
        self._held: dict[Lease, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        """One for all: nearly every step is done long before its lease must be renewed."""
        self._next_at: datetime | None = None

    def keep(self, entry: Entry, lease: timedelta) -> Lease:
        """Renew the lease of `entry` until `drop`; what is dropped soon costs no timer of its own."""
        until = self._clock.now() + lease if entry.due_at is None else entry.due_at
        held = Lease(entry=entry, length=lease, renew_at=until - lease * _RENEW_AT)
        self._held[held] = None
        if self._next_at is None or held.renew_at < self._next_at:
            self._wake_at(held.renew_at)
        return held

    def drop(self, held: Lease) -> None:
        """Renew a lease no more: its step is done."""
        del self._held[held]
        if held.renewing is not None:
            held.renewing.cancel()

    def _wake_at(self, at: datetime) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next_at = at
        wait_s = (at - self._clock.now()).total_seconds()
        self._timer = asyncio.get_running_loop().call_later(max(0.0, wait_s), self._renew_due, at)

    def _renew_due(self, at: datetime) -> None:
        """Begin to renew what is due at `at`, and wake again for the next."""
        self._timer = self._next_at = None
        waiting = [held for held in self._held if held.renewing is None]
        for held in waiting:
            if held.renew_at <= at:
                held.renewing = asyncio.create_task(self._renew(held.entry, held.length))
        later = [held.renew_at for held in waiting if held.renewing is None]
        if later:
            self._wake_at(min(later))

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
