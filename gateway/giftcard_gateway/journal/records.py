"""Writes entries to a journal and reads them back: packed, encrypted, and found by blind index.

The journal never sees card data, and the pipeline never sees bytes.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.codec import pack, unpacker
from giftcard_adapters.values.operations import Operation
from giftcard_gateway.journal.contract import JournalClosed, Row, RowQuery
from giftcard_gateway.journal.indexes import BlindIndexes
from giftcard_gateway.journal.rows import is_same
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.seal import SealBroken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from giftcard_adapters.values.outcomes import IssuedCard
    from giftcard_gateway.journal.contract import Journal
    from giftcard_gateway.seal import Seal


class InDoubt(JournalClosed):
    """An open or a write was not answered; `row` may be in the journal or not."""

    def __init__(self, row: Row) -> None:
        """Keep the row as it was to be written."""
        super().__init__("the journal went away while something was written down")
        self.row = row


_ENTRY = unpacker(Entry)


class Records:
    """Keeps entries in a journal, sealed; raises JournalClosed when the journal is away."""

    def __init__(self, journal: Journal, seal: Seal) -> None:
        """Keep both; neither is opened or closed here."""
        self.journal = journal
        self.indexes = BlindIndexes(seal)
        self._seal = seal
        self.on_due: Callable[[datetime], None] = _ignore
        """Called when an entry without a driver was written with a due time."""
        self.on_unreadable: Callable[[SealBroken], None] = _ignore
        """Called for an entry that cannot be decrypted."""

    async def open(self, entry: Entry) -> Entry | None:
        """Write a new entry down and return None; return the recorded one when its id is taken.

        Raises InDoubt when the journal did not answer.
        """
        row = self._row(entry)
        try:
            recorded = await self.journal.open(row)
        except JournalClosed:
            raise InDoubt(row) from None
        return None if recorded is None else self._entry(recorded)

    async def holds(self, row: Row) -> bool:
        """Tell whether exactly this row is recorded now."""
        there = await self.journal.get(row.transaction_id)
        return there is not None and is_same(there, row)

    async def write(self, entry: Entry) -> Entry | None:
        """Write `entry` if no other write came since it was read; return it as written, else None.

        Raises InDoubt when the journal did not answer.
        """
        written = msgspec.structs.replace(entry, version=entry.version + 1)
        row = self._row(written)
        try:
            is_written = await self.journal.write(row)
        except JournalClosed:
            raise InDoubt(row) from None
        if not is_written:
            return None
        if written.due_at is not None and not written.driver:
            self.on_due(written.due_at)
        return written

    async def get(self, transaction_id: str) -> Entry | None:
        """Return one entry as last written."""
        row = await self.journal.get(transaction_id)
        return None if row is None else self._entry(row)

    async def show(self, transaction_id: str) -> Entry | None:
        """Return one entry for people to see; of one that cannot be opened, what its columns say."""
        row = await self.journal.get(transaction_id)
        return None if row is None else self._shown(row)

    async def list(self, query: RowQuery) -> Sequence[Entry]:
        """Return entries for people to see, newest first, as `show` does."""
        return [self._shown(row) for row in await self.journal.list(query)]

    async def claim(
        self,
        *,
        now: datetime,
        lease_until: datetime,
        driver: str,
        limit: int,
        provider: str,
        states: Sequence[str],
    ) -> Sequence[Entry]:
        """Take due entries of one provider for `driver`; see Journal.claim.

        One that cannot be decrypted (a key is missing) goes to `on_unreadable` and does not keep the
        others from being worked on; it is due again when its lease ends.
        """
        rows = await self.journal.claim(
            now=now, lease_until=lease_until, driver=driver, limit=limit, provider=provider, states=states
        )
        entries = []
        for row in rows:
            try:
                entries.append(self._entry(row))
            except SealBroken as fault:
                self.on_unreadable(fault)
        return entries

    async def by_reference(self, provider: str, references: Iterable[tuple[str, str]]) -> Sequence[Entry]:
        """Return the entries a provider's references name; none when it names none."""
        found: dict[str, Entry] = {}
        for key, value in references:
            query = RowQuery(blind_index=self.indexes.provider_reference(provider, key, value), limit=2)
            found |= {entry.transaction_id: entry for entry in await self.list(query)}
        return list(found.values())

    async def by_issued(self, provider: str, cards: Iterable[IssuedCard]) -> Sequence[Entry]:
        """Return the issues at a provider that made any of these cards."""
        found: dict[str, Entry] = {}
        for index in self.indexes.issued(cards):
            query = RowQuery(
                blind_index=index, providers=(provider,), operations=(Operation.ISSUE.value,), limit=2
            )
            found |= {entry.transaction_id: entry for entry in await self.list(query)}
        return list(found.values())

    def _row(self, entry: Entry) -> Row:
        return Row(
            transaction_id=entry.transaction_id,
            operation=entry.operation.value,
            provider=entry.provider,
            state=entry.state.value,
            created_at=entry.created_at,
            updated_at=entry.updated_at,
            due_at=entry.due_at,
            driver=entry.driver,
            version=entry.version,
            fence=entry.fence,
            document=self._seal.close(pack(entry), row=entry.transaction_id),
            tenant=entry.tenant,
            asked_id=entry.asked_id,
            blind_indexes=tuple(self.indexes.of(entry)),
        )

    def _shown(self, row: Row) -> Entry:
        """Decrypt a row; of one whose key is missing, return what its columns say."""
        try:
            return self._entry(row)
        except SealBroken as fault:
            self.on_unreadable(fault)
            return Entry(
                transaction_id=row.transaction_id,
                operation=Operation(row.operation),
                state=State(row.state),
                created_at=row.created_at,
                updated_at=row.updated_at,
                provider=row.provider,
                evidence=str(fault),
                version=row.version,
                fence=row.fence,
                tenant=row.tenant,
                asked_id=row.asked_id,
            )

    def _entry(self, row: Row) -> Entry:
        """Open a row; the columns a claim may have changed override the document."""
        entry: Entry = _ENTRY.decode(self._seal.open(row.document, row=row.transaction_id))
        return msgspec.structs.replace(
            entry,
            version=row.version,
            fence=row.fence,
            driver=row.driver,
            due_at=row.due_at,
        )


def _ignore(_: object) -> None:
    """Do nothing: the callback until a sweep sets its own."""
