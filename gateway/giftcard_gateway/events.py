"""What providers tell us unasked: kept durably, once each, and carried over to the transaction it speaks of.

An event proves an outcome only for a transaction whose outcome is still open. Of any other it is
news for StreamEvents, and at most a reason to try at once what is owed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from giftcard_adapters.codec import pack, unpacker
from giftcard_adapters.reads import ProviderEvent
from giftcard_gateway import lifecycle
from giftcard_gateway.entry import UNSETTLED, State
from giftcard_gateway.journal.journal import EventRow
from giftcard_gateway.records import from_us, to_us

if TYPE_CHECKING:
    from giftcard_adapters.model import Outcome
    from giftcard_adapters.reads import Webhook
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.connections import Connection
    from giftcard_gateway.driver import Driver
    from giftcard_gateway.entry import Entry
    from giftcard_gateway.observer import Observer
    from giftcard_gateway.records import Records
    from giftcard_gateway.seal import Seal

_EVENT = unpacker(ProviderEvent)
_PATIENCE = timedelta(minutes=15)
"""How long an event may come before we know the transaction it speaks of: its answer is on the way."""
_RETRY_S = 5.0
_BATCH = 100


class Events:
    """Takes events in and carries them over."""

    def __init__(
        self, *, records: Records, seal: Seal, driver: Driver, clock: Clock, observer: Observer
    ) -> None:
        """Keep what receiving and applying need."""
        self._records = records
        self._journal = records.journal
        self._seal = seal
        self._driver = driver
        self._clock = clock
        self._observer = observer

    async def receive(self, connection: Connection, webhook: Webhook) -> int:
        """Make what a webhook tells durable and carry it over; return how many events were new.

        Raises WebhookRejected unless it is authentic, and JournalClosed when nothing can be kept.
        """
        fresh = 0
        for event in connection.provider.read_webhook(webhook):
            row = self._row(connection.provider_id, event, to_us(webhook.received_at))
            if await self._journal.add_event(row):
                fresh += 1
                await self._apply(row, event)
        return fresh

    async def run(self) -> None:
        """Carry over what could not be carried over when it came, until cancelled."""
        while True:
            try:
                for row in await self._journal.unapplied_events(_BATCH):
                    await self._apply(row, self.open(row))
            except Exception as fault:  # noqa: BLE001 - one event that fails must not end the carrying over
                self._observer.faulted("events", fault)
            await self._clock.sleep(_RETRY_S)

    def open(self, row: EventRow) -> ProviderEvent:
        """Return the event in a row of the journal."""
        event: ProviderEvent = _EVENT.decode(
            self._seal.open(row.document, row=_place(row.provider, row.event_id))
        )
        return event

    async def _apply(self, row: EventRow, event: ProviderEvent) -> None:
        entry = await self.spoken_of(row.provider, event)
        is_early = entry is None and self._clock.now() - from_us(row.received_us) < _PATIENCE
        if is_early or (entry is not None and not await self._carry_over(entry, event)):
            return
        await self._journal.mark_event_applied(row.provider, row.event_id)

    async def _carry_over(self, entry: Entry, event: ProviderEvent) -> bool:
        """Do what an event gives reason for; False while another hand is on the transaction."""
        if entry.state not in UNSETTLED:
            return True
        if entry.driver:
            return False
        if entry.state is State.PENDING and event.outcome is not None and _agrees(entry, event.outcome):
            return await self._driver.learn(entry, event.outcome)
        return await self._records.write(lifecycle.hurry(entry, self._clock.now())) is not None

    async def spoken_of(self, provider_id: str, event: ProviderEvent) -> Entry | None:
        """Return the transaction an event names, by our id or by the provider's; None when it names none."""
        if event.transaction_id:
            entry = await self._records.get(event.transaction_id)
            return entry if entry is not None and entry.provider == provider_id else None
        found = await self._records.by_reference(provider_id, event.references.items())
        return found[0] if len(found) == 1 else None

    def _row(self, provider_id: str, event: ProviderEvent, received_us: int) -> EventRow:
        return EventRow(
            provider=provider_id,
            event_id=event.event_id,
            name=event.name,
            received_us=received_us,
            document=self._seal.close(pack(event), row=_place(provider_id, event.event_id)),
        )


def _agrees(entry: Entry, outcome: Outcome) -> bool:
    """Tell whether an outcome is about the amount that was asked; if not, the provider is asked (rule 4)."""
    asked = entry.ask.amount if entry.ask else None
    return outcome.approved is None or outcome.approved == asked


def _place(provider_id: str, event_id: str) -> str:
    return f"event/{provider_id}/{event_id}"
