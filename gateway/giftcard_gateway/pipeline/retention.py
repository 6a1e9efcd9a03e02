"""Erases the card numbers of transactions that ended, and of events, a time after that.

A document is replaced as rotation does it: only as it was read, and without a write of its row, so nobody's
cursor, watch or lease notices. Every process of a gateway does it; what one has done the others do not find.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

import msgspec

from giftcard_gateway.errors import RecordAltered, SealKeyMissing
from giftcard_gateway.journal.contract import Resealed, RowQuery
from giftcard_gateway.journal.rows import FINAL_STATES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from datetime import datetime, timedelta

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.contract import EventRow, Row
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.pipeline.events import Events

_BATCH = 200
_BREATH_S = 0.2
"""Between batches: calls come first."""


class Erasure(msgspec.Struct, kw_only=True):
    """What one pass came to, in documents."""

    erased: int = 0
    unreadable: int = 0
    """Damaged, or under keys that are not configured here: left as they are, and the observer was told."""


class Retention:
    """Erases in one journal what is older than it may be kept."""

    def __init__(self, *, records: Records, events: Events, clock: Clock, keeps: timedelta) -> None:
        """Keep the parts; `keeps` is how long numbers stay after the last write, or after an event came."""
        self._records = records
        self._journal = records.journal
        self._events = events
        self._clock = clock
        self._keeps = keeps
        self._cursor = ""
        """Events up to this one were looked at by this process, and all of them were carried over."""

    def before(self) -> datetime:
        """Return the time that everything is erased from before."""
        return self._clock.now() - self._keeps

    async def round(self, done: Erasure | None = None) -> Erasure:
        """Erase what is due of what was written since numbers are erased at all: O(due), not O(history).

        What it came to so far is in `done` also when it is cut short.
        """
        done = Erasure() if done is None else done
        async for rows in self._marked():
            await self._erase(rows, done)
        place, is_behind = self._cursor, False
        while events := await self._due_events(place):
            await self._erase_events(events, done)
            place = events[-1].cursor
            if not is_behind:
                through = list(takewhile(lambda one: one.applied, events))
                self._cursor = through[-1].cursor if through else self._cursor
                is_behind = len(through) < len(events)
            await self._breathe(events)
        return done

    async def everything(self, advance: Callable[[int], None]) -> Erasure:
        """Erase what is due whenever it was written; reads everything.

        `advance` hears how many were looked at.
        """
        done, last, place = Erasure(), "", ("", "")
        while rows := await self._journal.rows_after(last, _BATCH):
            await self._erase(rows, done)
            advance(len(rows))
            last = rows[-1].transaction_id
        while events := await self._journal.events_after(place, _BATCH):
            await self._erase_events(events, done)
            advance(len(events))
            place = (events[-1].provider, events[-1].event_id)
        return done

    async def _breathe(self, batch: Sequence[object]) -> None:
        if len(batch) == _BATCH:
            await self._clock.sleep(_BREATH_S)

    async def _marked(self) -> AsyncIterator[Sequence[Row]]:
        query = RowQuery(
            blind_indexes=tuple(indexes.numbered for indexes in self._records.lookups),
            states=FINAL_STATES,
            created_before=self.before(),
            limit=_BATCH,
        )
        while rows := await self._journal.list(query):
            yield rows
            await self._breathe(rows)
            query = msgspec.structs.replace(query, after=(rows[-1].created_at, rows[-1].transaction_id))

    async def _due_events(self, place: str) -> Sequence[EventRow]:
        before = self.before()
        events = await self._journal.events(after=place, limit=_BATCH)
        return list(takewhile(lambda one: one.received_at < before, events))

    async def _erase(self, rows: Iterable[Row], done: Erasure) -> None:
        at, before = self._clock.now(), self.before()
        anew = []
        for row in rows:
            try:
                one = self._records.without_numbers(row, before=before, at=at)
            except (RecordAltered, SealKeyMissing):
                done.unreadable += 1
            else:
                anew += [] if one is None else [one]
        done.erased += await self._journal.reseal(anew) if anew else 0

    async def _erase_events(self, events: Iterable[EventRow], done: Erasure) -> None:
        before = self.before()
        anew: list[Resealed] = []
        for row in events:
            if row.received_at >= before or not row.applied:
                continue
            try:
                one = await self._events.without_card_data(row)
            except (RecordAltered, SealKeyMissing):
                done.unreadable += 1
            else:
                anew += [] if one is None else [one]
        done.erased += await self._journal.reseal(anew) if anew else 0
