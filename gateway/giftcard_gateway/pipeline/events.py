"""Webhook events: stored once each, then applied to the transaction they name.

An event proves an outcome only for a transaction whose outcome is still open. Of any other it is
news for StreamEvents, and at most a reason to try at once what is owed.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.codec import pack, unpacker
from giftcard_adapters.errors import WebhookUnreadable
from giftcard_adapters.values.outcomes import Verdict
from giftcard_adapters.values.reads import ProviderEvent
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.errors import RecordAltered, SealKeyMissing
from giftcard_gateway.journal.contract import EventRow, JournalClosed, Resealed
from giftcard_gateway.journal.damage import decoded, must_be_whole
from giftcard_gateway.journal.event_names import UNREADABLE, harmless, other_ids
from giftcard_gateway.journal.places import place_of_event
from giftcard_gateway.ledger import lifecycle
from giftcard_gateway.ledger.entry import UNSETTLED, State
from giftcard_gateway.ledger.erasing import event_without_card_data, has_issued
from giftcard_gateway.pipeline.driver import PROOF
from giftcard_gateway.seal import KeyMissing, SealBroken

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from giftcard_adapters.values.outcomes import Outcome
    from giftcard_adapters.values.reads import Webhook
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.ledger.entry import Entry
    from giftcard_gateway.ledger.observer import Observer
    from giftcard_gateway.pipeline.driver import Driver
    from giftcard_gateway.providers.connections import Connection
    from giftcard_gateway.seal import Seal

_EVENT = unpacker(ProviderEvent)
_PATIENCE = timedelta(minutes=15)
"""How long an event may come before we know the transaction it speaks of: its answer is on the way."""
_RETRY = timedelta(seconds=5)
_RETRY_SHARE = 0.25
"""The older an event is that waits, the seldomer it is tried: after this share of its age."""
_BATCH = 100
_IDS = {"provider", "event_id"}
_LONGEST_ID = 512
"""More characters than this no database keeps in a unique index."""


class Events:
    """Stores events and applies them to transactions."""

    def __init__(
        self, *, records: Records, seal: Seal, driver: Driver, clock: Clock, observer: Observer
    ) -> None:
        """Keep the parts that storing and applying need."""
        self._records = records
        self._journal = records.journal
        self._seal = seal
        self._driver = driver
        self._clock = clock
        self._observer = observer
        self._woken = asyncio.Event()
        self._next_try: dict[str, datetime] = {}
        """By the event's place in the feed."""

    async def receive(self, connection: Connection, webhook: Webhook) -> int:
        """Store the events of a webhook; return how many were new. `run` applies them.

        Raises WebhookRejected unless it is authentic, and JournalClosed when not all could be kept.
        """
        fresh = 0
        for event in self._read(connection, webhook):
            row = await self._row(connection, event, webhook.received_at)
            others = other_ids(event, connection.provider_id, self._seal.hash_keys)
            is_new = await self._journal.add_event(row, others)
            if is_new and event.name == UNREADABLE:
                self._observer.faulted("webhook", WebhookUnreadable())
            fresh += is_new
        if fresh:
            self._woken.set()
        return fresh

    def _read(self, connection: Connection, webhook: Webhook) -> Sequence[ProviderEvent]:
        """Return the events of a webhook; one that is authentic and cannot be read or kept is kept raw."""
        try:
            events = connection.provider.read_webhook(webhook)
        except WebhookUnreadable:
            return [_raw(webhook)]
        return events if all(map(_is_kept, events)) else [_raw(webhook)]

    @property
    def waiting(self) -> int:
        """Return how many events could not be applied when they were last looked at."""
        return len(self._next_try)

    async def run(self) -> None:
        """Apply stored events as they come, and retry those that could not be applied, until cancelled."""
        while True:
            self._woken.clear()
            try:
                if await self.carry_over():
                    continue
            except JournalClosed:
                pass
            except Exception as fault:  # noqa: BLE001 - whatever fails, events must go on being carried over
                self._observer.faulted("events", fault)
            # Not asyncio.wait_for: before Python 3.12 it can swallow a cancellation.
            with suppress(TimeoutError):
                async with asyncio.timeout(_RETRY.total_seconds()):
                    await self._woken.wait()

    async def carry_over(self) -> bool:
        """Apply each event that is due; tell whether more may be waiting."""
        limit = _BATCH + len(self._next_try)
        rows = await self._journal.unapplied_events(limit, self._seal.heads)
        waiting = {}
        for row in rows:
            key, now = row.cursor, self._clock.now()
            next_try = self._next_try.get(key, now)
            if next_try > now:
                waiting[key] = next_try
            elif (tenant := await self._try(row)) is not None:
                await self._journal.mark_event_applied(row.provider, row.event_id, tenant=tenant)
            else:
                waiting[key] = now + max(_RETRY, self._age(row) * _RETRY_SHARE)
        self._next_try = waiting
        return len(rows) == limit

    def open(self, row: EventRow) -> ProviderEvent:
        """Return the event in a row of the journal.

        Raises SealKeyMissing, or RecordAltered and tells the observer.
        """
        try:
            must_be_whole("events", row.damaged)
            text = self._seal.open(row.document, place_of_event(row))
            event: ProviderEvent = decoded(_EVENT.decode, text, "event")
        except KeyMissing as fault:
            raise SealKeyMissing(key_id=fault.key_id) from None
        except SealBroken as fault:
            self._observer.unreadable_event(row.cursor, fault)
            raise RecordAltered from None
        return event

    async def without_card_data(self, row: EventRow) -> Resealed | None:
        """Return an event without what it has of cards, None where it has nothing; raises as `open` does.

        It goes on naming its transaction, where that is known.
        """
        event = self.open(row)
        if not event.secrets and not has_issued(event.outcome):
            return None
        entry = None
        # An event whose transaction is damaged, or for others to open, is erased all the same.
        with suppress(RecordAltered, SealKeyMissing):
            entry = await self.spoken_of(row.provider, event)
        left = event_without_card_data(
            event, self._records.indexes.remains, entry.transaction_id if entry else ""
        )
        return Resealed(row=row, document=self._seal.close(pack(left), place_of_event(row)))

    async def _try(self, row: EventRow) -> str | None:
        """Apply one event and return whose it is, or None to retry it later.

        A failure must not delay the other events.
        """
        given_up = row.tenant if self._is_stale(row) else None
        try:
            event = self.open(row)
            entry = await self.spoken_of(row.provider, event)
            if entry is None:
                return given_up
            return entry.tenant if await self._carry_over(entry, event) else None
        except JournalClosed:
            raise
        except SealKeyMissing:
            # The transaction it speaks of is for a process that has its key, however long that takes.
            return None
        except RecordAltered:
            # The observer was told, of the event or its transaction. Without its ids it cannot be marked.
            return None if row.damaged in _IDS else given_up
        except Exception as fault:  # noqa: BLE001 - one event that fails must not end the carrying over
            self._observer.faulted("events", fault)
            return given_up

    async def _carry_over(self, entry: Entry, event: ProviderEvent) -> bool:
        """Apply an event to its transaction; return False while a process drives the transaction."""
        if entry.state not in UNSETTLED:
            return True
        if entry.driver:
            return False
        at, outcome = self._clock.now(), event.outcome
        if entry.state is State.PENDING and outcome is not None and _agrees(entry, outcome):
            if outcome.verdict in PROOF:
                return await self._driver.learn(entry, outcome)
            if outcome.verdict is Verdict.UNKNOWN:
                entry = lifecycle.learnt(entry, outcome, at)
        return await self._records.write(lifecycle.hurry(entry, at)) is not None

    async def spoken_of(self, provider_id: str, event: ProviderEvent) -> Entry | None:
        """Return the transaction an event names: by our id, the provider's ids, or a card that was issued.

        None when it names none, or more than one.
        """
        if event.transaction_id:
            entry = await self._records.get(event.transaction_id)
            if entry is not None and entry.provider == provider_id:
                return entry
        found = await self._records.by_reference(provider_id, event.references.items())
        if not found and event.outcome is not None:
            found = await self._records.by_issued(provider_id, event.outcome.issued_cards)
        return found[0] if len(found) == 1 else None

    def _age(self, row: EventRow) -> timedelta:
        return self._clock.now() - row.received_at

    def _is_stale(self, row: EventRow) -> bool:
        """Tell whether to give an event up; never where others may find what it names, and we cannot."""
        return self._age(row) >= _PATIENCE and not self._records.is_half_blind

    async def _row(self, connection: Connection, told: ProviderEvent, received_at: datetime) -> EventRow:
        event = harmless(told, connection.provider_id, self._seal.hash_key)
        row = EventRow(
            provider=connection.provider_id,
            event_id=event.event_id,
            name=event.name,
            received_at=received_at,
            document=b"",
            tenant=await self._tenant(connection, event),
        )
        document = self._seal.close(pack(event), place_of_event(row))
        return msgspec.structs.replace(row, document=document)

    async def _tenant(self, connection: Connection, event: ProviderEvent) -> str:
        """Return whose event it is: its transaction's tenant's, of no known transaction the account's.

        Empty where the transaction cannot be opened here, and so its tenant cannot be known.
        """
        try:
            entry = await self.spoken_of(connection.provider_id, event)
        except (SealKeyMissing, RecordAltered):
            return ""
        return connection.tenant if entry is None else entry.tenant


def _is_kept(event: ProviderEvent) -> bool:
    """Tell whether a database keeps an event's id and name as they are."""
    texts = event.event_id, event.name
    return all(len(text) <= _LONGEST_ID and "\0" not in text and _is_text(text) for text in texts)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _raw(webhook: Webhook) -> ProviderEvent:
    """Return an event of which nothing is known but its body; the same body is the same event."""
    return ProviderEvent(
        event_id=f"unreadable-{hashlib.sha256(webhook.body).hexdigest()}",
        name=UNREADABLE,
        attributes={"body_bytes": str(len(webhook.body))},
        secrets={"body": Secret(base64.b64encode(webhook.body).decode())},
    )


def _agrees(entry: Entry, outcome: Outcome) -> bool:
    """Tell whether an event's amount is the one that was asked for (rule 4)."""
    asked = entry.ask.amount if entry.ask else None
    is_silent = outcome.approved is None and outcome.verdict is not Verdict.APPROVED
    return is_silent or outcome.approved == asked
