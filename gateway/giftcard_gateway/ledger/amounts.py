"""How much of a transaction is approved, confirmed, reversed and settled, and what a decision may ask for.

Every amount that is decided anywhere is worked out here (rule 12). Issues count per card: a transaction
that issues three cards of ZAR 50.00 has an approved amount of ZAR 50.00 and settles ZAR 150.00.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_adapters.values.advices import AdviceKind
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue
from giftcard_gateway.errors import InvalidRequest, PartialUnsupported
from giftcard_gateway.ledger.entry import State

if TYPE_CHECKING:
    from giftcard_adapters.values.traits import OperationTraits
    from giftcard_gateway.ledger.entry import Entry

_SETTLES = frozenset({State.CONFIRMING, State.CONFIRMED, State.UNRESOLVED})


def approved_amount(entry: Entry) -> Money | None:
    """Return what the provider approved, or what was asked where its answer never came."""
    approved = entry.outcome.approved if entry.outcome else None
    return approved or (entry.ask.amount if entry.ask else None)


def confirmed_amount(entry: Entry) -> Money | None:
    """Return what a confirmation makes final; None in any other state."""
    if entry.state not in {State.CONFIRMING, State.CONFIRMED}:
        return None
    return _decided(entry, AdviceKind.CONFIRMATION) or approved_amount(entry)


def reversed_amount(entry: Entry) -> Money | None:
    """Return what a reversal puts back: its part, or else all that was approved.

    None in any other state, and where neither is known.
    """
    if entry.state not in {State.REVERSING, State.REVERSED}:
        return None
    approved = entry.outcome.approved if entry.outcome else None
    return _decided(entry, AdviceKind.REVERSAL) or approved


def settled_amount(entry: Entry) -> Money | None:
    """Return what a settlement should show of a transaction, all its cards together.

    None where nothing moved, where nobody said how much, and where nothing is final yet.
    """
    if entry.state is State.REVERSED:
        amount = _difference(approved_amount(entry), reversed_amount(entry))
    else:
        amount = approved_amount(entry) if entry.state is State.UNRESOLVED else confirmed_amount(entry)
    quantity = entry.ask.quantity if isinstance(entry.ask, Issue) else 1
    return None if amount is None else Money(amount.currency, amount.amount_minor * quantity)


def is_settled(entry: Entry) -> bool:
    """Tell whether a settlement should show a transaction: final, perhaps final, or partly reversed."""
    return entry.state in _SETTLES or (entry.state is State.REVERSED and settled_amount(entry) is not None)


def part_to_confirm(entry: Entry, amount: Money | None, traits: OperationTraits) -> Money | None:
    """Return the smaller final amount a confirmation asks for, None for all of what was approved.

    Raises InvalidRequest for more than was approved, PartialUnsupported where only all can be confirmed.
    """
    approved = entry.outcome.approved if entry.outcome else None
    part = _part_of(approved, amount, "final_amount")
    if part is not None and not traits.is_confirmation_partial:
        raise PartialUnsupported(provider=entry.provider, operation=entry.operation.value)
    return part


def part_to_reverse(entry: Entry, amount: Money | None, traits: OperationTraits) -> Money | None:
    """Return the part a reversal asks to put back, None for all of it.

    Raises InvalidRequest for more than moved, PartialUnsupported where only all can be reversed.
    """
    part = _part_of(approved_amount(entry), amount, "amount")
    if part is not None and not traits.is_reversal_partial:
        raise PartialUnsupported(provider=entry.provider, operation=entry.operation.value)
    return part


def _decided(entry: Entry, kind: AdviceKind) -> Money | None:
    return entry.advice.amount if entry.advice and entry.advice.kind is kind else None


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


def _difference(approved: Money | None, put_back: Money | None) -> Money | None:
    if approved is None or put_back is None or put_back.amount_minor >= approved.amount_minor:
        return None
    return Money(approved.currency, approved.amount_minor - put_back.amount_minor)
