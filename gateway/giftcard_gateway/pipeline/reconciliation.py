"""Compares a provider's settlement with the journal, and ends unresolved transactions by what it says.

The journal's side is read once; nothing is ended before the last row has been compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue, Operation
from giftcard_gateway.errors import StateConflict
from giftcard_gateway.journal.contract import RowQuery
from giftcard_gateway.ledger.amounts import approved_amount, is_settled, reversed_amount, settled_amount
from giftcard_gateway.ledger.entry import Entry, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from giftcard_gateway.access.identities import Identity
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.pipeline.transactions import Transactions
    from giftcard_gateway.providers.connections import Connections

_BATCH = 500
"""Transactions read from the journal at a time."""


class SettlementScope(msgspec.Struct, frozen=True, kw_only=True):
    """What a settlement covers: a provider's transactions created from `start` until before `end`."""

    provider: str
    start: datetime
    end: datetime
    close_unresolved: bool = False
    """Whether to end UNRESOLVED transactions: CONFIRMED where the settlement has them, else REVERSED."""
    note: str = ""
    """The note they are ended with."""


class SettlementRow(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of money in a settlement, named by our id or by the provider's."""

    row_id: str
    amount: Money
    transaction_id: str = ""
    provider_reference: str = ""
    operation: Operation | None = None
    number: int = 0
    """Its place among the rows, from 1."""

    @property
    def is_back(self) -> bool:
        """Tell whether money went back."""
        return self.amount.amount_minor < 0


class BadRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that cannot be read, and what is wrong with it."""

    row_id: str
    number: int
    faults: tuple[str, ...]


class DifferenceKind(StrEnum):
    """How settlement and journal can differ."""

    MISSING_THERE = "MISSING_THERE"
    """The journal has it as final, the settlement does not have it."""
    MISSING_HERE = "MISSING_HERE"
    """The settlement has it, the journal does not."""
    DIFFERS = "DIFFERS"
    """Both have it; amount, currency, operation or state differ."""
    MONEY_BACK = "MONEY_BACK"
    """The settlement has money going back, the journal no such reversal."""
    ROW_INVALID = "ROW_INVALID"
    """The row cannot be read, or came before."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One difference; `row` and `entry` are None on the side that lacks it."""

    kind: DifferenceKind
    row: SettlementRow | BadRow | None = None
    entry: Entry | None = None

    @property
    def expected(self) -> Money | None:
        """Return what the journal says moved, or went back where that was compared."""
        if self.entry is None:
            return None
        put_back = _put_back(self.entry) if isinstance(self.row, SettlementRow) and self.row.is_back else None
        return put_back or settled_amount(self.entry)


@dataclass
class Comparison:
    """What came of a comparison: how many rows agree, what differs, and which transactions were ended."""

    matched: int = 0
    differences: list[Difference] = field(default_factory=list)
    closed: list[Entry] = field(default_factory=list)

    def differ(
        self, kind: DifferenceKind, *, row: SettlementRow | BadRow | None = None, entry: Entry | None = None
    ) -> None:
        """Add a difference."""
        self.differences.append(Difference(kind=kind, row=row, entry=entry))


@dataclass
class _Books:
    """The journal's side of a settlement, and which of it the settlement has been seen to have."""

    scope: SettlementScope
    by: Identity
    by_id: dict[str, Entry] = field(default_factory=dict)
    by_reference: dict[str, set[str]] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    went_back: set[str] = field(default_factory=set)
    """Transactions that the settlement has money going back of."""
    unplaced: list[SettlementRow] = field(default_factory=list)
    """Rows under a provider's reference that names none of ours, or several; any may be an unresolved one."""
    to_confirm: list[str] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        self.by_id[entry.transaction_id] = entry
        for reference in entry.outcome.references.values() if entry.outcome else ():
            self.by_reference.setdefault(reference, set()).add(entry.transaction_id)


class Reconciliation:
    """Compares settlements with the journal."""

    def __init__(self, *, connections: Connections, records: Records, transactions: Transactions) -> None:
        """Read from `records`; end what a settlement decides through `transactions`."""
        self._connections = connections
        self._records = records
        self._transactions = transactions

    async def reconcile(
        self,
        scope: SettlementScope,
        rows: Sequence[SettlementRow],
        bad: Sequence[BadRow] = (),
        *,
        by: Identity,
    ) -> Comparison:
        """Compare every row with what the caller's tenant has, then end what they decide, if asked to.

        A bad row may be any transaction: with one, nothing is ended for being missing.
        Raises ProviderNotFound, and JournalClosed when the journal cannot be read.
        """
        self._connections.get(scope.provider)
        books, compared = await self._books(scope, by), Comparison()
        for bad_row in bad:
            compared.differ(DifferenceKind.ROW_INVALID, row=bad_row)
        # Money that went back tells what the other row of the same transaction must show.
        for row in sorted(rows, key=lambda row: not row.is_back):
            await (self._compare_back if row.is_back else self._compare)(books, compared, row)
        missing = [entry for key, entry in books.by_id.items() if key not in books.settled]
        for entry in missing:
            if settled_amount(entry) is not None and entry.state is not State.UNRESOLVED:
                compared.differ(DifferenceKind.MISSING_THERE, entry=entry)
        if scope.close_unresolved:
            await self._close(books, compared, books.to_confirm, State.CONFIRMED)
            if bad:
                _tell_unresolved(compared, missing)
            else:
                await self._close(books, compared, _surely_missing(books, compared, missing), State.REVERSED)
        return compared

    async def _books(self, scope: SettlementScope, by: Identity) -> _Books:
        books = _Books(scope, by)
        query = RowQuery(
            tenant=by.tenant,
            providers=(scope.provider,),
            created_from=scope.start,
            created_before=scope.end,
            limit=_BATCH,
        )
        while True:
            entries = await self._records.list(query)
            for entry in entries:
                books.add(entry)
            if len(entries) < _BATCH:
                return books
            last = entries[-1]
            query = msgspec.structs.replace(query, after=(last.created_at, last.transaction_id))

    async def _compare(self, books: _Books, compared: Comparison, row: SettlementRow) -> None:
        entry = await self._entry_of(books, row)
        if entry is None:
            compared.differ(DifferenceKind.MISSING_HERE, row=row)
            return
        is_first = entry.transaction_id not in books.settled
        books.settled.add(entry.transaction_id)
        has_back = entry.transaction_id in books.went_back
        if not is_first or not (_agrees_whole if has_back else _agrees)(entry, row):
            compared.differ(DifferenceKind.DIFFERS, row=row, entry=entry)
        elif entry.state is not State.UNRESOLVED:
            compared.matched += 1
        elif books.scope.close_unresolved and not has_back:
            books.to_confirm.append(entry.transaction_id)
        else:
            compared.differ(DifferenceKind.DIFFERS, row=row, entry=entry)

    async def _compare_back(self, books: _Books, compared: Comparison, row: SettlementRow) -> None:
        """Compare money that went back with what was reversed."""
        entry = await self._entry_of(books, row)
        if entry is None:
            compared.differ(DifferenceKind.MISSING_HERE, row=row)
            return
        is_first = entry.transaction_id not in books.went_back
        books.went_back.add(entry.transaction_id)
        if is_first and row.operation in {None, entry.operation} and _put_back(entry) == row.amount:
            compared.matched += 1
        else:
            compared.differ(DifferenceKind.MONEY_BACK, row=row, entry=entry)

    async def _entry_of(self, books: _Books, row: SettlementRow) -> Entry | None:
        """Return the transaction a row names, by the id the provider had or the caller's.

        One created outside the scope is looked for too.
        """
        if not row.transaction_id:
            named = books.by_reference.get(row.provider_reference, set())
            if len(named) == 1:
                return books.by_id[next(iter(named))]
            books.unplaced.append(row)
            return None
        for key in (row.transaction_id, books.by.key_of(row.transaction_id)):
            entry = books.by_id.get(key) or await self._records.get(key)
            if entry is not None and entry.provider == books.scope.provider and books.by.may_touch(entry):
                return entry
        return None

    async def _close(
        self, books: _Books, compared: Comparison, transaction_ids: Iterable[str], state: State
    ) -> None:
        for transaction_id in list(transaction_ids):
            try:
                entry = await self._transactions.resolve(
                    books.by_id[transaction_id].callers_id, state=state, note=books.scope.note, by=books.by
                )
            except StateConflict:
                # Somebody else ended it while we compared; the next comparison sees what came of it.
                continue
            if entry.state is not state:
                # A second person has to approve; what was asked for stands with it.
                continue
            compared.closed.append(entry)
            compared.matched += state is State.CONFIRMED


def _surely_missing(books: _Books, compared: Comparison, missing: Iterable[Entry]) -> Iterator[str]:
    """Return the unresolved that no row can be; one whose reference we never heard may be an unplaced row."""
    for entry in missing:
        if entry.state is not State.UNRESOLVED:
            continue
        if entry.transaction_id in books.went_back or any(_agrees(entry, row) for row in books.unplaced):
            compared.differ(DifferenceKind.MISSING_THERE, entry=entry)
        else:
            yield entry.transaction_id


def _tell_unresolved(compared: Comparison, missing: Iterable[Entry]) -> None:
    for entry in missing:
        if entry.state is State.UNRESOLVED:
            compared.differ(DifferenceKind.MISSING_THERE, entry=entry)


def _put_back(entry: Entry) -> Money | None:
    """Return what was reversed, as a settlement shows it: negative."""
    amount = reversed_amount(entry) if entry.state is State.REVERSED else None
    return Money(amount.currency, -amount.amount_minor * _quantity(entry)) if amount else None


def _agrees_whole(entry: Entry, row: SettlementRow) -> bool:
    """Tell whether a row shows what was approved: what went back has a row of its own."""
    amount = approved_amount(entry)
    whole = Money(amount.currency, amount.amount_minor * _quantity(entry)) if amount else None
    return row.operation in {None, entry.operation} and whole == row.amount


def _quantity(entry: Entry) -> int:
    return entry.ask.quantity if isinstance(entry.ask, Issue) else 1


def _agrees(entry: Entry, row: SettlementRow) -> bool:
    is_operation_same = row.operation in {None, entry.operation}
    return is_settled(entry) and is_operation_same and settled_amount(entry) in {None, row.amount}
