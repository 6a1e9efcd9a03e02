"""Reconcile: a provider's settlement against the journal, row by row, and what it decides of the unresolved.

The journal's side is read once, as plain figures; nothing is ended before the last row is in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from giftcard import v1
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue
from giftcard_gateway.errors import InvalidRequest, StateConflict
from giftcard_gateway.journal.contract import RowQuery
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.wire.transactions import (
    approved_amount,
    confirmed_amount,
    operation_from,
    reversed_amount,
    transaction_to,
)
from giftcard_gateway.wire.values import money_from, money_to, time_from

if TYPE_CHECKING:
    from giftcard_adapters.values.operations import Operation
    from giftcard_gateway.rpc.call import RpcCall
    from giftcard_gateway.services.dependencies import Dependencies

_MOST_ROWS = 100_000
"""Rows of one settlement that are held while it is compared; a day of a large merchant is a tenth of it."""
_BATCH = 500


@dataclass
class _Comparison:
    """What is known so far."""

    scope: v1.ReconcileScope
    by_id: dict[str, Entry] = field(default_factory=dict)
    by_reference: dict[str, set[str]] = field(default_factory=dict)
    unplaced: list[v1.SettlementRow] = field(default_factory=list)
    """Rows under a provider's reference that names none of ours, or several; any may be an unresolved one."""
    settled: set[str] = field(default_factory=set)
    to_confirm: list[str] = field(default_factory=list)
    answer: v1.ReconcileResponse = field(default_factory=v1.ReconcileResponse)


class Reconciliation:
    """Compares settlements."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._connections = dependencies.connections
        self._records = dependencies.records
        self._transactions = dependencies.transactions

    async def reconcile(
        self, parts: AsyncIterator[v1.ReconcileRequest], _call: RpcCall
    ) -> v1.ReconcileResponse:
        """Compare the rows that come with what the journal has, then end what they decide, if asked to."""
        scope, rows = await _gather(parts)
        self._connections.get(scope.provider)
        compared = _Comparison(scope)
        await self._read_journal(compared)
        for row in rows:
            await self._compare(compared, row)
        missing = [entry for key, entry in compared.by_id.items() if key not in compared.settled]
        for entry in missing:
            if _moved(entry) is not None and entry.state is not State.UNRESOLVED:
                _differ(compared, v1.DifferenceKind.DIFFERENCE_KIND_MISSING_THERE, entry=entry)
        if scope.close_unresolved:
            await self._close(compared, compared.to_confirm, State.CONFIRMED)
            await self._close(compared, list(_surely_missing(compared, missing)), State.REVERSED)
        return compared.answer

    async def _read_journal(self, compared: _Comparison) -> None:
        scope = compared.scope
        query = RowQuery(
            providers=(scope.provider,),
            created_from=time_from(scope.start_time),
            created_before=time_from(scope.end_time),
            limit=_BATCH,
        )
        while True:
            entries = await self._records.list(query)
            for entry in entries:
                _know(compared, entry)
            if len(entries) < _BATCH:
                return
            last = entries[-1]
            query = msgspec.structs.replace(query, after=(last.created_at, last.transaction_id))

    async def _compare(self, compared: _Comparison, row: v1.SettlementRow) -> None:
        entry = await self._entry_of(compared, row)
        if entry is None:
            _differ(compared, v1.DifferenceKind.DIFFERENCE_KIND_MISSING_HERE, row=row)
            return
        is_first = entry.transaction_id not in compared.settled
        compared.settled.add(entry.transaction_id)
        if not is_first or not _agrees(entry, row):
            _differ(compared, v1.DifferenceKind.DIFFERENCE_KIND_DIFFERS, row=row, entry=entry)
        elif entry.state is not State.UNRESOLVED:
            compared.answer.matched_count += 1
        elif compared.scope.close_unresolved:
            compared.to_confirm.append(entry.transaction_id)
        else:
            _differ(compared, v1.DifferenceKind.DIFFERENCE_KIND_DIFFERS, row=row, entry=entry)

    async def _entry_of(self, compared: _Comparison, row: v1.SettlementRow) -> Entry | None:
        """Return the transaction a row names; one created outside the scope is looked for by its id."""
        if not row.transaction_id:
            named = compared.by_reference.get(row.provider_reference, set())
            if len(named) == 1:
                return compared.by_id[next(iter(named))]
            compared.unplaced.append(row)
            return None
        transaction_id = row.transaction_id.lower()
        entry = compared.by_id.get(transaction_id) or await self._records.get(transaction_id)
        return entry if entry is not None and entry.provider == compared.scope.provider else None

    async def _close(self, compared: _Comparison, transaction_ids: list[str], state: State) -> None:
        for transaction_id in transaction_ids:
            try:
                entry = await self._transactions.resolve(
                    transaction_id, state=state, note=compared.scope.note
                )
            except StateConflict:
                # Somebody else ended it while we compared; the next comparison sees what came of it.
                continue
            compared.answer.closed_transactions.append(transaction_to(entry))
            compared.answer.matched_count += state is State.CONFIRMED


async def _gather(
    parts: AsyncIterator[v1.ReconcileRequest],
) -> tuple[v1.ReconcileScope, list[v1.SettlementRow]]:
    """Return the scope, which comes first and once, and the rows."""
    scope: v1.ReconcileScope | None = None
    rows: list[v1.SettlementRow] = []
    place = 0
    async for part in parts:
        is_scope = part.HasField("scope")
        if is_scope != (scope is None):
            wrong = "must come once" if is_scope else "must come before the rows"
            raise InvalidRequest([(f"requests[{place}].scope", wrong)])
        if is_scope:
            scope = part.scope
        else:
            rows.append(part.row)
        if len(rows) > _MOST_ROWS:
            raise InvalidRequest(
                [(f"requests[{place}].row", f"is more than {_MOST_ROWS} rows; split the scope")]
            )
        place += 1
    if scope is None:
        raise InvalidRequest([("requests[0].scope", "must be set")])
    return scope, rows


def _know(compared: _Comparison, entry: Entry) -> None:
    compared.by_id[entry.transaction_id] = entry
    for reference in entry.outcome.references.values() if entry.outcome else ():
        compared.by_reference.setdefault(reference, set()).add(entry.transaction_id)


def _surely_missing(compared: _Comparison, missing: Iterable[Entry]) -> Iterator[str]:
    """Return the unresolved that no row can be; one whose reference we never heard may be an unplaced row."""
    for entry in missing:
        if entry.state is not State.UNRESOLVED:
            continue
        if any(_agrees(entry, row) for row in compared.unplaced):
            _differ(compared, v1.DifferenceKind.DIFFERENCE_KIND_MISSING_THERE, entry=entry)
        else:
            yield entry.transaction_id


def _is_due(entry: Entry) -> bool:
    """Tell whether a settlement should show this: what is or may be final, or left of a partial reversal."""
    is_partly_left = entry.state is State.REVERSED and _moved(entry) is not None
    return is_partly_left or entry.state in {State.CONFIRMING, State.CONFIRMED, State.UNRESOLVED}


def _moved(entry: Entry) -> Money | None:
    """Return how much a settlement should show; None where nothing moved or nobody said how much."""
    if entry.state is State.REVERSED:
        return _left(approved_amount(entry), reversed_amount(entry))
    amount = approved_amount(entry) if entry.state is State.UNRESOLVED else confirmed_amount(entry)
    quantity = entry.ask.quantity if isinstance(entry.ask, Issue) else 1
    return None if amount is None else Money(amount.currency, amount.amount_minor * quantity)


def _left(approved: Money | None, put_back: Money | None) -> Money | None:
    if approved is None or put_back is None or put_back.amount_minor >= approved.amount_minor:
        return None
    return Money(approved.currency, approved.amount_minor - put_back.amount_minor)


def _agrees(entry: Entry, row: v1.SettlementRow) -> bool:
    operation: Operation | None = operation_from(row.operation) if row.operation else None
    is_operation_same = operation in {None, entry.operation}
    return _is_due(entry) and is_operation_same and _moved(entry) in {None, money_from(row.amount)}


def _differ(
    compared: _Comparison,
    kind: v1.DifferenceKind.ValueType,
    *,
    row: v1.SettlementRow | None = None,
    entry: Entry | None = None,
) -> None:
    expected = _moved(entry) if entry else None
    compared.answer.differences.add(
        kind=kind,
        row_id=row.row_id if row else "",
        transaction=transaction_to(entry) if entry else None,
        settled_amount=row.amount if row else None,
        journal_amount=money_to(expected) if expected else None,
    )
