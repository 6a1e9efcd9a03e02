"""Settlements and their comparison on the wire."""

from __future__ import annotations

from giftcard import v1
from giftcard_gateway.pipeline.reconciliation import (
    BadRow,
    Comparison,
    Difference,
    DifferenceKind,
    SettlementRow,
    SettlementScope,
)
from giftcard_gateway.wire.mapping import enum_writer
from giftcard_gateway.wire.transactions import operation_from, transaction_to
from giftcard_gateway.wire.validation import validator
from giftcard_gateway.wire.values import money_from, money_to, time_from

_kind = enum_writer(DifferenceKind, v1.DifferenceKind.DESCRIPTOR)


def scope_from(wire: v1.ReconcileScope) -> SettlementScope:
    """Return what a settlement covers."""
    return SettlementScope(
        provider=wire.provider,
        start=time_from(wire.start_time),
        end=time_from(wire.end_time),
        close_unresolved=wire.close_unresolved,
        note=wire.note,
    )


_faults = validator(v1.SettlementRow.DESCRIPTOR)


def row_from(wire: v1.SettlementRow, number: int) -> SettlementRow | BadRow:
    """Return one row of a settlement, or what is wrong with it."""
    if faults := _faults(wire):
        return BadRow(
            row_id=wire.row_id, number=number, faults=tuple(f"{field} {fault}" for field, fault in faults)
        )
    return SettlementRow(
        number=number,
        row_id=wire.row_id,
        amount=money_from(wire.amount),
        transaction_id=wire.transaction_id.lower(),
        provider_reference=wire.provider_reference,
        operation=operation_from(wire.operation) if wire.operation else None,
    )


def comparison_to(compared: Comparison) -> v1.ReconcileResponse:
    """Return what came of a comparison."""
    return v1.ReconcileResponse(
        matched_count=compared.matched,
        differences=list(map(_difference_to, compared.differences)),
        closed_transactions=list(map(transaction_to, compared.closed)),
    )


def _difference_to(difference: Difference) -> v1.Difference:
    row, entry, expected = difference.row, difference.entry, difference.expected
    return v1.Difference(
        kind=_kind(difference.kind),
        row_id=row.row_id if row else "",
        transaction=transaction_to(entry) if entry else None,
        settled_amount=money_to(row.amount) if isinstance(row, SettlementRow) else None,
        journal_amount=money_to(expected) if expected else None,
        row_number=row.number if row else 0,
        row_faults=row.faults if isinstance(row, BadRow) else (),
    )
