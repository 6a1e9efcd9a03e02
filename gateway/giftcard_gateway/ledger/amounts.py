"""What part of a transaction a confirmation or a reversal is about (rule 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_gateway.errors import InvalidRequest, PartialUnsupported

if TYPE_CHECKING:
    from giftcard_adapters.values.money import Money
    from giftcard_adapters.values.traits import OperationTraits
    from giftcard_gateway.ledger.entry import Entry


def final_amount(entry: Entry, amount: Money | None, traits: OperationTraits) -> Money | None:
    """Return the final amount to confirm, None for all of what was approved (rule 12)."""
    approved = entry.outcome.approved if entry.outcome else None
    partial = _part_of(approved, amount, "final_amount")
    if partial is not None and not traits.is_confirmation_partial:
        raise PartialUnsupported(provider=entry.provider, operation=entry.operation.value)
    return partial


def reversed_amount(entry: Entry, amount: Money | None, traits: OperationTraits) -> Money | None:
    """Return the part to put back, None for all of it."""
    approved = entry.outcome.approved if entry.outcome else None
    asked = entry.ask.amount if entry.ask else None
    partial = _part_of(approved or asked, amount, "amount")
    if partial is not None and not traits.is_reversal_partial:
        raise PartialUnsupported(provider=entry.provider, operation=entry.operation.value)
    return partial


def _part_of(whole: Money | None, amount: Money | None, field: str) -> Money | None:
    if amount is None or amount == whole:
        return None
    if whole is None:
        raise InvalidRequest([(field, "this transaction has no amount")])
    if amount.currency != whole.currency:
        raise InvalidRequest([(field, f"must be in {whole.currency}, like the transaction")])
    if amount.amount_minor > whole.amount_minor:
        raise InvalidRequest([(field, "must not be more than was approved")])
    return amount
