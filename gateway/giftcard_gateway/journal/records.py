"""Writes entries to a journal and reads them back: packed, encrypted, and found by blind index.

The journal never sees card data, and the pipeline never sees bytes.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.codec import pack, unpacker
from giftcard_adapters.values.operations import Operation
from giftcard_gateway.errors import RecordAltered, SealKeyMissing
from giftcard_gateway.journal.contract import JournalClosed, Resealed, Row, RowQuery
from giftcard_gateway.journal.damage import damaged_column, decoded, must_be_whole
from giftcard_gateway.journal.indexes import BlindIndexes
from giftcard_gateway.journal.notes import KeyInUse
from giftcard_gateway.journal.places import place_of
from giftcard_gateway.journal.rows import OPEN_STATES, OPERATIONS, STATES, is_same, is_uuid
from giftcard_gateway.ledger.entry import FINAL, Entry, State
from giftcard_gateway.ledger.erasing import erased, has_numbers, without_card_data, without_numbers
from giftcard_gateway.seal import KeyMissing, SealBroken, is_head, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from giftcard_adapters.values.cards import CardRef, ErasedCard
    from giftcard_adapters.values.operations import AnyOperation
    from giftcard_adapters.values.outcomes import IssuedCard
    from giftcard_gateway.journal.contract import Change, Journal
    from giftcard_gateway.seal import Seal


class InDoubt(JournalClosed):
    """An open or a write was not answered; `row` may be in the journal or not."""

    def __init__(self, row: Row) -> None:
        """Keep the row as it was to be written."""
        super().__init__("the journal went away while something was written down")
        self.row = row


_ENTRY = unpacker(Entry)
NO_KEY = "none"
"""Stands for the id of a key where a document does not begin as sealed ones do."""


class Records:
    """Keeps entries in a journal, sealed; raises JournalClosed when the journal is away."""

    def __init__(self, journal: Journal, seal: Seal, *, marks_numbers: bool = False) -> None:
        """Keep both; neither is opened or closed here. `marks_numbers` is as in BlindIndexes."""
        self.journal = journal
        self.indexes, *older = (BlindIndexes(key, marks_numbers=marks_numbers) for key in seal.hash_keys)
        """What is written is found by these, which are under the active hash key."""
        self.lookups = (self.indexes, *older)
        """What is looked for may be found by any of these: one for each hash key."""
        self._seal = seal
        self.is_half_blind = False
        """Whether transactions may be found by hash keys that are not known here."""
        self.on_due: Callable[[datetime], None] = _ignore
        """Called when an entry without a driver was written with a due time."""
        self.on_unreadable: Callable[[str, SealBroken], None] = _ignore_unreadable
        """Called with the id of a transaction that cannot be opened, and why not."""

    async def open(self, entry: Entry) -> Entry | None:
        """Write a new entry down and return None; return the recorded one when its id is taken.

        Raises InDoubt when the journal did not answer.
        """
        row = self._row(entry, are_all_indexes=True)
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
        written = msgspec.structs.replace(entry, version=entry.version + 1, is_indexed_elsewhere=False)
        row = self._row(written, are_all_indexes=entry.is_indexed_elsewhere)
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
        """Return entries for people to see, newest first, as `show` does.

        Fewer than the limit are the last. Their `created_at` is the row's, so that the next page begins
        behind them.
        """
        found: list[Entry] = []
        while left := query.limit - len(found):
            rows = await self.journal.list(msgspec.structs.replace(query, limit=left))
            found += filter(None, map(self._shown, rows))
            if len(rows) < left:
                break
            query = msgspec.structs.replace(query, after=(rows[-1].created_at, rows[-1].transaction_id))
        return found

    async def changes(self, *, after: str, limit: int, tenant: str | None) -> Sequence[Change]:
        """Return the feed of a tenant, or of all; see Journal.changes. Damaged ones are told of."""
        changes = await self.journal.changes(after=after, limit=limit, tenant=tenant)
        for change in changes:
            if change.damaged:
                self._tell(change.transaction_id, damaged_column("changes", change.damaged))
        return changes

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

        What is sealed under keys that are not configured here is left to who has them. One that does not
        open all the same goes to `on_unreadable` and does not keep the others from being worked on; it is
        due again when its lease ends.
        """
        rows = await self.journal.claim(
            now=now,
            lease_until=lease_until,
            driver=driver,
            limit=limit,
            provider=provider,
            states=states,
            heads=self._seal.heads,
        )
        entries = []
        for row in rows:
            # Who is told of it is told in `_entry`.
            with suppress(RecordAltered, SealKeyMissing):
                entries.append(self._entry(row))
        return entries

    async def by_reference(self, provider: str, references: Iterable[tuple[str, str]]) -> Sequence[Entry]:
        """Return the entries a provider's references name; none when it names none.

        What is found is worked on, so unlike `list` this raises for one that cannot be opened.
        """
        found: dict[str, Entry] = {}
        for key, value in references:
            wanted = tuple(indexes.provider_reference(provider, key, value) for indexes in self.lookups)
            query = RowQuery(blind_indexes=wanted, limit=2)
            found |= {row.transaction_id: self._entry(row) for row in await self.journal.list(query)}
        return list(found.values())

    async def by_issued(self, provider: str, cards: Iterable[IssuedCard]) -> Sequence[Entry]:
        """Return the issues at a provider that made any of these cards."""
        found: dict[str, Entry] = {}
        for card in cards:
            wanted = tuple(one for indexes in self.lookups for one in indexes.issued((card,)))
            if not wanted:
                continue
            query = RowQuery(
                blind_indexes=wanted, providers=(provider,), operations=(Operation.ISSUE.value,), limit=2
            )
            found |= {row.transaction_id: self._entry(row) for row in await self.journal.list(query)}
        return list(found.values())

    def without_numbers(self, row: Row, *, before: datetime, at: datetime) -> Resealed | None:
        """Return a row without its card data; None where it has none or was not final `before`.

        Raises as `get` does.
        """
        entry = self._entry(row)
        if entry.state not in FINAL or entry.updated_at >= before or not has_numbers(entry):
            return None
        left = without_card_data(entry, self.indexes.remains, at)
        return Resealed(
            row=row,
            document=self._seal.close(pack(left), place_of(row)),
            hash_key=self.indexes.key_id,
            blind_indexes=tuple(self.indexes.all_of(left)),
        )

    def as_kept(self, repeated: AnyOperation, recorded: AnyOperation) -> AnyOperation:
        """Return a repeated request as the recorded one, whose card numbers were erased, would be kept.

        Without the hash key that was active then, numbers are alike that are shown alike.
        """
        kept = {card.erased.masked: card.erased for card in recorded.cards if card.erased is not None}
        makers = {indexes.key_id: indexes for indexes in self.lookups}
        key_id = next((left.key_id for left in kept.values()), "")

        def remains(card: CardRef) -> ErasedCard:
            made = makers.get(key_id, self.indexes).remains(card)
            return made if key_id in makers else kept.get(made.masked, made)

        return without_numbers(repeated, remains)

    async def missing(self) -> Mapping[str, int]:
        """Count what is open and cannot be opened or found here, by the id of the key that is missing.

        Keys are called by `KeyInUse.name`.
        """
        counts = Counter[str]()
        known = {indexes.key_id for indexes in self.lookups}
        for key_id, count in (await self.journal.indexed(states=OPEN_STATES)).items():
            if key_id and key_id not in known:
                counts[KeyInUse("hash", key_id).name] += count
        for sealed in await self.journal.seals(states=OPEN_STATES):
            if sealed.head not in self._seal.heads:
                counts[told(sealed.head)[0] if is_head(sealed.head) else NO_KEY] += sealed.count
        return counts

    def _tell(self, transaction_id: str, fault: SealBroken) -> None:
        """Tell what cannot be opened; an id that is none may be anything, and is not told."""
        self.on_unreadable(transaction_id if is_uuid(transaction_id) else "damaged", fault)

    def _row(self, entry: Entry, *, are_all_indexes: bool) -> Row:
        indexes = self.indexes.all_of(entry) if are_all_indexes else self.indexes.told_of(entry)
        row = Row(
            transaction_id=entry.transaction_id,
            # Without a call, unlike `value`.
            operation=entry.operation._value_,
            provider=entry.provider,
            state=entry.state._value_,
            created_at=entry.created_at,
            updated_at=entry.updated_at,
            due_at=entry.due_at,
            driver=entry.driver,
            version=entry.version,
            fence=entry.fence,
            document=b"",
            tenant=entry.tenant,
            asked_id=entry.asked_id,
            hash_key=self.indexes.key_id,
            blind_indexes=tuple(indexes),
            are_all_indexes=are_all_indexes,
        )
        return msgspec.structs.replace(row, document=self._seal.close(pack(erased(entry)), place_of(row)))

    def _shown(self, row: Row) -> Entry | None:
        """Decrypt a row; of one that cannot be opened, return what its columns say.

        None where they say no operation there is, or no id that could be asked for. A state that is none is
        shown as UNRESOLVED, because a person must look.
        """
        try:
            return self._entry(row)
        except (RecordAltered, SealKeyMissing) as fault:
            if row.operation not in OPERATIONS or not is_uuid(row.transaction_id):
                return None
            return Entry(
                transaction_id=row.transaction_id,
                operation=Operation(row.operation),
                state=State(row.state) if row.state in STATES else State.UNRESOLVED,
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
        """Open a row; the columns a claim may have changed override the document.

        Raises SealKeyMissing or RecordAltered, and tells `on_unreadable`.
        """
        try:
            must_be_whole("transactions", row.damaged)
            entry: Entry = decoded(_ENTRY.decode, self._seal.open(row.document, place_of(row)), "transaction")
        except KeyMissing as fault:
            self._tell(row.transaction_id, fault)
            raise SealKeyMissing(
                transaction_id=row.asked_id or row.transaction_id, key_id=fault.key_id
            ) from None
        except SealBroken as fault:
            self._tell(row.transaction_id, fault)
            raise RecordAltered(transaction_id=row.asked_id or row.transaction_id) from None
        return msgspec.structs.replace(
            entry,
            version=row.version,
            fence=row.fence,
            driver=row.driver,
            due_at=row.due_at,
            is_indexed_elsewhere=row.hash_key != self.indexes.key_id,
        )


def _ignore(due_at: datetime) -> None:
    """Do nothing."""


def _ignore_unreadable(transaction_id: str, fault: SealBroken) -> None:
    """Do nothing."""
