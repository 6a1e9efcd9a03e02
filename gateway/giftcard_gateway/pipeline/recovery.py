"""The recovery sweep: claims overdue transactions and hands them to the driver.

It knows nothing of what an entry owes. It claims for one provider at a time and only what that provider has
a free slot for, so that what one is owed keeps no other waiting (rule 20). It sleeps until the next due
time or until this process writes an earlier one, so that work is picked up at once and an idle gateway
asks little.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from giftcard_gateway.errors import ProviderNotFound
from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.ledger.entry import State
from giftcard_gateway.providers.circuit import CircuitState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.contract import Due
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.ledger.entry import Entry
    from giftcard_gateway.ledger.observer import Observer
    from giftcard_gateway.pipeline.driver import Driver
    from giftcard_gateway.pipeline.heartbeat import Heartbeat
    from giftcard_gateway.providers.connections import Connections

_BATCH = 64
"""How many entries of a provider that is configured no more are claimed at a time."""
_IDLE = timedelta(seconds=1)
"""The longest sleep: how late this process may find what another replica left behind."""
_PAUSE_S = 0.5
"""How long to wait when the journal is away, or another process is just taking what is due."""
_LOOK = timedelta(seconds=1)
"""How often one entry of a provider that does not answer is looked at: it may need no answer but a person,
and once the circuit lets one through it finds out whether somebody is there."""
_DECISION = State.APPROVED.value
"""What an entry in this state is due for needs no answer of its provider."""


class Recovery:
    """Finishes transactions that this process or another left open."""

    def __init__(
        self,
        *,
        records: Records,
        connections: Connections,
        driver: Driver,
        heartbeat: Heartbeat,
        clock: Clock,
        observer: Observer,
    ) -> None:
        """Keep what each round needs; nothing is swept yet."""
        self._records = records
        self._connections = connections
        self._driver = driver
        self._heartbeat = heartbeat
        self._clock = clock
        self._observer = observer
        self.idle = _IDLE
        self._in_hand = Counter[str]()
        """How many entries of each provider the sweep has handed out; callers' own work is not in it."""
        self._look_at: dict[str, datetime] = {}
        self._woken = asyncio.Event()
        self._wakes_at = clock.now()
        records.on_due = self._wake
        records.on_unreadable = observer.unreadable

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self._sleep(await self.sweep())
            except JournalClosed:
                await self._clock.sleep(_PAUSE_S)
            except Exception as fault:  # noqa: BLE001 - whatever fails, what is owed must go on being done
                self._observer.faulted("recovery", fault)
                await self._clock.sleep(_PAUSE_S)

    async def sweep(self) -> datetime:
        """Claim what is due and has room, provider by provider, and start it; return when to look again."""
        self._woken.clear()
        # An outage is known before anything is claimed that came due meanwhile.
        await self._heartbeat.beat()
        owed = defaultdict[str, list["Due"]](list)
        for due in await self._records.journal.next_due():
            owed[due.provider].append(due)
        looks = [await self._sweep_provider(provider, dues) for provider, dues in owed.items()]
        return min(looks, default=self._clock.now() + self.idle)

    async def _sweep_provider(self, provider: str, dues: Sequence[Due]) -> datetime:
        """Claim what there is room for; return when this provider may next have something to claim."""
        now = self._clock.now()
        due = [one.state for one in dues if one.due_at <= now]
        later = min((one.due_at for one in dues if one.due_at > now), default=now + self.idle)
        room = self._room(provider)
        if not due or not room:
            return later
        if provider not in self._connections or self._circuit_is_closed(provider):
            return now if await self._claim(provider, due, room) else now + timedelta(seconds=_PAUSE_S)
        if _DECISION in due and await self._claim(provider, [_DECISION], room):
            return now
        look_at = self._look_at.get(provider, now)
        if look_at <= now:
            look_at = self._look_at[provider] = now + _LOOK
            await self._claim(provider, due, 1)
        return min(later, look_at)

    def _room(self, provider: str) -> int:
        if provider not in self._connections:
            return _BATCH
        connection = self._connections.get(provider)
        # Rows whose column is damaged are claimed under another provider's name, and count as their own.
        return max(0, connection.sweep_slots - self._in_hand[provider])

    def _circuit_is_closed(self, provider: str) -> bool:
        return self._connections.get(provider).circuit.state is CircuitState.CLOSED

    async def _claim(self, provider: str, states: Sequence[str], limit: int) -> int:
        """Claim and start entries of one provider; return how many."""
        now = self._clock.now()
        claimed = await self._records.claim(
            now=now,
            lease_until=now + self._lease(provider),
            driver=self._driver.name,
            limit=limit,
            provider=provider,
            states=states,
        )
        self._start(claimed)
        return len(claimed)

    def _start(self, claimed: Iterable[Entry]) -> None:
        for entry in claimed:
            if entry.provider not in self._connections:
                # Its provider was taken out of the configuration: the lease keeps it from being
                # claimed over and over, and the operator is told each time it comes round.
                self._observer.faulted("recovery", ProviderNotFound(provider=entry.provider))
                continue
            at_work = self._driver.driving(entry.transaction_id)
            if at_work is not None and not at_work.done():
                # Its lease ended while the journal was away. Who is at work on it goes on, and knows more.
                continue
            self._hand_out(entry)

    def _hand_out(self, entry: Entry) -> None:
        provider = entry.provider
        self._in_hand[provider] += 1

        def came_back(_: asyncio.Task[Entry]) -> None:
            self._in_hand[provider] -= 1
            self._woken.set()

        self._driver.drive(entry, within=self._observer.resuming(entry)).add_done_callback(came_back)

    def _lease(self, provider: str) -> timedelta:
        """Return how long the provider's exchange may take; of one that is not known the slowest one's."""
        leases = {one.provider_id: one.lease for one in self._connections}
        return leases.get(provider) or max(leases.values(), default=timedelta(seconds=60))

    async def _sleep(self, until: datetime) -> None:
        """Sleep no later than `until`, or until a write of ours makes something due sooner."""
        now = self._clock.now()
        self._wakes_at = min(until, now + self.idle)
        wait_s = (self._wakes_at - now).total_seconds()
        if wait_s > 0:
            # Not asyncio.wait_for: before Python 3.12 it can swallow a cancellation.
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()

    def _wake(self, due_at: datetime) -> None:
        if due_at < self._wakes_at:
            self._woken.set()
