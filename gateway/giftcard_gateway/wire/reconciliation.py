"""Settlements and their comparison on the wire."""

from __future__ import annotations

from giftcard import v1
from giftcard_gateway.ledger.amounts import settled_amount
from giftcard_gateway.pipeline.reconciliation import (
    Comparison,
    Difference,
    DifferenceKind,
    Scope,
    SettlementRow,
)
from giftcard_gateway.wire.mapping import enum_writer
from giftcard_gateway.wire.transactions import operation_from, transaction_to
from giftcard_gateway.wire.values import money_from, money_to, time_from

_kind = enum_writer(DifferenceKind, v1.DifferenceKind.DESCRIPTOR)


def scope_from(wire: v1.ReconcileScope) -> Scope:
    """Return what a settlement covers."""
    return Scope(
        provider=wire.provider,
        start=time_from(wire.start_time),
        end=time_from(wire.end_time),
        close_unresolved=wire.close_unresolved,
        note=wire.note,
    )


def row_from(wire: v1.SettlementRow) -> SettlementRow:
    """Return one row of a settlement."""
    return SettlementRow(
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
    row, entry = difference.row, difference.entry
    expected = settled_amount(entry) if entry else None
    return v1.Difference(
        kind=_kind(difference.kind),
        row_id=row.row_id if row else "",
        transaction=transaction_to(entry) if entry else None,
        settled_amount=money_to(row.amount) if row else None,
        journal_amount=money_to(expected) if expected else None,
    )
