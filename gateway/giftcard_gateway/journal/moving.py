"""Moves all of one tenant from one journal into another, so that another cell can serve it (decision 0070).

Nothing of it may be open, and nobody may be served for it meanwhile: who moves sees to that. Everything is in
both journals before anything is deleted from the first, so a move that was cut short is begun again. Until
then either may change: card numbers are erased, documents sealed anew, and a provider has a late word. So a
copy is brought up to what it was made of, which counts until it is deleted.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.codec import unpacker
from giftcard_gateway.errors import OperatorError
from giftcard_gateway.journal.contract import JournalClosed, Resealed, RowQuery
from giftcard_gateway.journal.damage import decoded, must_be_whole
from giftcard_gateway.journal.indexes import BlindIndexes
from giftcard_gateway.journal.places import place_of
from giftcard_gateway.journal.rows import OPEN_STATES, is_same
from giftcard_gateway.ledger.entry import Entry
from giftcard_gateway.seal import KeyMissing, SealBroken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from giftcard_gateway.journal.contract import EventRow, Journal, Row
    from giftcard_gateway.seal import Seal

_ENTRY = unpacker(Entry)
_BATCH = 200
_MOST_MONTHS = 120
"""Of a history that room is made for; what clocks that were wrong wrote has no end of months."""
_NAMED = 5
"""Transactions that a refusal names."""


class MoveStopped(OperatorError):
    """A tenant cannot be moved as it stands; the text says why, and nothing was deleted."""


class TenantMove:
    """Moves one tenant between two journals that are started."""

    def __init__(
        self, tenant: str, source: Journal, target: Journal, seal: Seal, *, marks_numbers: bool = False
    ) -> None:
        """Keep the parts; `marks_numbers` is as in BlindIndexes, of the journal it goes to."""
        self._tenant = tenant
        self._source = source
        self._target = target
        self._seal = seal
        self._copied: set[tuple[str, str]] = set()
        """Events, which are few, by what they are known by."""
        self._indexes = BlindIndexes(seal.hash_key, marks_numbers=marks_numbers)

    async def must_be_at_rest(self) -> None:
        """Raise MoveStopped where a transaction is open, or an event still to be carried over."""
        query = RowQuery(tenant=self._tenant, states=OPEN_STATES, limit=_NAMED)
        if rows := await self._source.list(query):
            told = ", ".join(map(_name, rows))
            raise MoveStopped(f"transactions of {self._tenant} are open, such as {told}: let them end first")
        async for events in self._events():
            if left := [one.event_id for one in events if not one.applied]:
                raise MoveStopped(
                    f"events of {self._tenant} are still to be carried over: {', '.join(left[:_NAMED])}"
                )

    async def copy(self, advance: Callable[[int], None]) -> int:
        """Put everything into the other journal that is not there; return how many transactions there are.

        `advance` hears how many transactions and events were copied. The feed there tells each transaction by
        its last state. Raises MoveStopped for one that cannot be read, or that is another one there.
        """
        # First, because a process that starts there has to know them.
        await self._target.use_keys(await self._source.keys_in_use())
        count, months = 0, set[tuple[int, int]]()
        async for rows in self._rows(self._source):
            await self._tend(rows, months)
            await asyncio.gather(*(self._put(self._indexed(row)) for row in rows))
            count += len(rows)
            advance(len(rows))
        async for events in self._events():
            for one in events:
                await self._target.add_event(msgspec.structs.replace(one, cursor=""))
                self._copied.add(_key(one))
            advance(len(events))
        return count

    async def compare(self) -> None:
        """Raise MoveStopped unless all that there is in the first journal is the same in the other."""
        async for rows in self._rows(self._source):
            found = await asyncio.gather(*(self._target.get(row.transaction_id) for row in rows))
            for row, there in zip(rows, found, strict=True):
                if there is None or not _is_copy(there, row):
                    raise MoveStopped(
                        f"the transaction {_name(row)} is not the same in both journals:"
                        " it changed meanwhile; run this again"
                    )

    async def leave(self, advance: Callable[[int], None]) -> None:
        """Delete from the first journal what there is in the other, as it is there.

        Raises MoveStopped for what came or was written since: it is to be copied, and this done again.
        """
        async for rows in self._rows(self._source):
            there = await asyncio.gather(*(self._target.get(row.transaction_id) for row in rows))
            copied = [row for row, copy in zip(rows, there, strict=True) if copy and _is_copy(copy, row)]
            advance(await self._source.forget(copied))
        async for events in self._events():
            advance(await self._source.forget([one for one in events if _key(one) in self._copied]))
        left = [_name(one) for one in await self._source.list(RowQuery(tenant=self._tenant, limit=1))]
        async for events in self._events():
            left += [one.event_id for one in events]
        if left:
            raise MoveStopped(
                f"{left[0]} came or changed meanwhile: where a gateway still serves {self._tenant}, stop it;"
                " and run this again"
            )

    async def _tend(self, rows: Sequence[Row], months: set[tuple[int, int]]) -> None:
        """Make room where the rows go, as their gateways did where they come from; `months` have it."""
        for at in sorted(row.created_at for row in rows):
            if (at.year, at.month) in months or len(months) == _MOST_MONTHS:
                continue
            months.add((at.year, at.month))
            # Who reads there for long may be in the way: then they lie beside, and are found all the same.
            with suppress(JournalClosed):
                await self._target.tend(at)

    async def _put(self, row: Row) -> None:
        there = await self._target.open(row)
        if there is None or _is_copy(there, row):
            return
        if not _is_life(there, row):
            raise MoveStopped(f"the id {_name(row)} is another transaction's in the other journal")
        if not await self._renew(there, row):
            raise MoveStopped(
                f"the transaction {_name(row)} was written in the other journal, where nobody may be"
                " served for it yet, and differs there from what is to be moved: a person has to decide"
            )

    async def _renew(self, copy: Row, row: Row) -> bool:
        """Bring a copy up to what it was made of; False for one that was written further, or is another."""
        if place_of(copy) == place_of(row):
            # The same write in another document.
            anew = Resealed(
                row=copy, document=row.document, hash_key=row.hash_key, blind_indexes=row.blind_indexes
            )
            return await self._target.reseal([anew]) == 1
        is_done = False
        # A row is replaced by its next version only. Between two it cannot be opened, and nobody asks for it.
        for version in range(copy.version + 1, row.version + 1):
            is_done = await self._target.write(msgspec.structs.replace(row, version=version))
        return is_done

    def _indexed(self, row: Row) -> Row:
        """Return a row with all that it is found by, which is read back with none of it."""
        try:
            must_be_whole("transactions", row.damaged)
            text = self._seal.open(row.document, place_of(row))
            entry: Entry = decoded(_ENTRY.decode, text, "transaction")
        except (KeyMissing, SealBroken) as fault:
            raise MoveStopped(f"the transaction {_name(row)} cannot be read: {fault}") from None
        return msgspec.structs.replace(
            row,
            blind_indexes=tuple(self._indexes.all_of(entry)),
            are_all_indexes=True,
            hash_key=self._indexes.key_id,
        )

    async def _rows(self, journal: Journal) -> AsyncIterator[Sequence[Row]]:
        last = ""
        while rows := await journal.rows_after(last, _BATCH):
            yield [row for row in rows if row.tenant == self._tenant]
            last = rows[-1].transaction_id

    async def _events(self) -> AsyncIterator[Sequence[EventRow]]:
        place = ("", "")
        while events := await self._source.events_after(place, _BATCH):
            yield [one for one in events if one.tenant == self._tenant]
            place = (events[-1].provider, events[-1].event_id)


def _name(row: Row) -> str:
    """Return the id that people know a transaction by."""
    return row.asked_id or row.transaction_id


def _key(event: EventRow) -> tuple[str, str]:
    return event.provider, event.event_id


def _is_copy(there: Row, row: Row) -> bool:
    return is_same(there, row) and there.tenant == row.tenant


def _is_life(there: Row, row: Row) -> bool:
    """Tell whether two rows are of one transaction: by what no write changes."""
    return (there.tenant, there.created_at, there.operation, there.provider, there.asked_id) == (
        row.tenant,
        row.created_at,
        row.operation,
        row.provider,
        row.asked_id,
    )
