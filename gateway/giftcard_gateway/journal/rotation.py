"""Seals and indexes everything in a journal under the active keys, beside the processes that serve from it.

Where an older release left a provider's words in the columns of an event, they are hidden too.

A document is replaced only as it was read, and nothing else of its row changes, so whoever works on the row
does not notice. A row in work, or just written, is passed over and looked at again in the next round: its
driver may be about to repeat a write whose answer was lost, and knows it by its bytes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.codec import pack, unpacker
from giftcard_adapters.scrub import mask
from giftcard_adapters.values.reads import ProviderEvent
from giftcard_gateway.journal.contract import EventRow, Resealed, Row
from giftcard_gateway.journal.damage import decoded, must_be_whole
from giftcard_gateway.journal.event_names import harmless, is_hidden
from giftcard_gateway.journal.indexes import BlindIndexes
from giftcard_gateway.journal.places import place_of, place_of_event
from giftcard_gateway.journal.rows import is_uuid
from giftcard_gateway.ledger.entry import Entry
from giftcard_gateway.seal import KeyMissing, SealBroken, head_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from giftcard_gateway.journal.contract import Journal
    from giftcard_gateway.seal import Seal

_ENTRY = unpacker(Entry)
_EVENT = unpacker(ProviderEvent)
_BATCH = 200
_NUMBER = 8
"""Digits in a row that may be a card's."""
_AT_REST = timedelta(seconds=10)
"""How long a row must have been left alone: longer than a lost write is repeated."""


class Round(msgspec.Struct, kw_only=True):
    """What one pass over a journal came to, in documents."""

    resealed: int = 0
    in_work: int = 0
    """To be looked at again: somebody works on them, or wrote them while we did."""
    missing: int = 0
    """Sealed under keys that are not configured here."""
    altered: list[str] = []
    """The names of those that are not what was last written there, under any key; left as they are."""


class Rotation:
    """Passes over one journal."""

    def __init__(
        self, journal: Journal, seal: Seal, now: Callable[[], datetime], *, marks_numbers: bool = False
    ) -> None:
        """Keep the journal, which need not be started; `marks_numbers` is as in BlindIndexes."""
        self._journal = journal
        self._seal = seal
        self._indexes = BlindIndexes(seal.hash_key, marks_numbers=marks_numbers)
        self._now = now

    async def round(self, advance: Callable[[int], None]) -> Round:
        """Pass over every transaction and event once; `advance` hears how many were looked at.

        What is under the active keys already is opened, to find what is damaged, and left alone: a round that
        was broken off goes on when begun again. Raises JournalClosed when the journal is away.
        """
        done = Round()
        last = ""
        while rows := await self._journal.rows_after(last, _BATCH):
            await self._reseal(rows, done)
            advance(len(rows))
            last = rows[-1].transaction_id
        place = ("", "")
        while events := await self._journal.events_after(place, _BATCH):
            await self._reseal(events, done)
            advance(len(events))
            place = (events[-1].provider, events[-1].event_id)
        return done

    async def _reseal(self, rows: Iterable[Row | EventRow], done: Round) -> None:
        anew = [one for row in rows if (one := self._anew(row, done)) is not None]
        replaced = await self._journal.reseal(anew) if anew else 0
        done.resealed += replaced
        done.in_work += len(anew) - replaced

    def _anew(self, row: Row | EventRow, done: Round) -> Resealed | None:
        """Return a row sealed and indexed anew, None for one that is left alone; count why."""
        is_found = not isinstance(row, Row) or row.hash_key == self._indexes.key_id
        is_done = is_found and head_of(row.document) == self._seal.active_head
        if not is_done and isinstance(row, Row) and self._is_in_work(row):
            done.in_work += 1
            return None
        place = place_of(row) if isinstance(row, Row) else place_of_event(row)
        try:
            must_be_whole("transactions" if isinstance(row, Row) else "events", row.damaged)
            text = self._seal.open(row.document, place)
            indexes = () if is_found else self._indexes_of(text)
            renamed = None if isinstance(row, Row) else self._harmless(row, text)
        except KeyMissing:
            done.missing += 1
            return None
        except SealBroken:
            done.altered.append(_name(row))
            return None
        if renamed is not None or is_done:
            return renamed
        document = self._seal.close(text, place)
        if is_found:
            return Resealed(row=row, document=document)
        return Resealed(row=row, document=document, hash_key=self._indexes.key_id, blind_indexes=indexes)

    def _indexes_of(self, text: bytes) -> tuple[bytes, ...]:
        entry: Entry = decoded(_ENTRY.decode, text, "transaction")
        return tuple(self._indexes.all_of(entry))

    def _harmless(self, row: EventRow, text: bytes) -> Resealed | None:
        """Return an event of a release that kept its name and id as they came, without a number in either."""
        event: ProviderEvent = decoded(_EVENT.decode, text, "event")
        if is_hidden(event.event_id):
            return None
        kept = harmless(event, row.provider, self._seal.hash_key)
        if kept is event:
            return None
        renamed = msgspec.structs.replace(row, event_id=kept.event_id, name=kept.name)
        return Resealed(
            row=row, document=self._seal.close(pack(kept), place_of_event(renamed)), renamed=renamed
        )

    def _is_in_work(self, row: Row) -> bool:
        now = self._now()
        is_driven = bool(row.driver) and row.due_at is not None and row.due_at > now
        return is_driven or row.updated_at > now - _AT_REST


def _name(row: Row | EventRow) -> str:
    """Return what a person finds a row by; an id that no gateway wrote may be anything, and is masked."""
    if isinstance(row, Row):
        return f"transaction {row.transaction_id if is_uuid(row.transaction_id) else 'with a damaged id'}"
    return ascii(mask(f"event {row.provider}/{row.event_id}", _NUMBER)).strip("'")
