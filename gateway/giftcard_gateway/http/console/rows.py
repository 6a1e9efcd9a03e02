"""Transactions as lines of a list: of the inbox, of what was found, of what many are to be done with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_gateway.http.console.words import amount_of, operation_of, state_of, time_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from giftcard_gateway.http.console.visits import Visit

    Windows = Mapping[tuple[str, v1.Operation.ValueType], timedelta]

_REVERSIBLE = frozenset({"PENDING", "APPROVED", "REVERSING", "UNRESOLVED"})
_UNRESOLVED, _OWED = frozenset({"UNRESOLVED"}), frozenset({"PENDING", "CONFIRMING", "REVERSING"})
TAKES = {
    "confirmed": _UNRESOLVED,
    "reversed": _UNRESOLVED,
    "redeliver": _OWED | _UNRESOLVED,
    "confirm": frozenset({"APPROVED"}),
    "reverse": frozenset({"APPROVED", "PENDING"}),
    "approve": _UNRESOLVED,
    "refuse": _UNRESOLVED,
}
"""By what a person may do: the states in which the services take it, of UNRESOLVED if they still can."""
AT = "@"
"""Between an id and its tenant in a form: no id has one."""


@dataclass(frozen=True, kw_only=True)
class ListedTransaction:
    """One transaction in a list."""

    transaction_id: str
    tenant: str
    address: str
    state: str
    operation: str
    provider: str
    amount: str
    worth: float
    """The amount as a number to sort by, whatever the currency."""
    cards: str
    reason: str
    asked_end: str
    """The end that waits for a second person, and who asked for it; empty where none does."""
    created_at: datetime
    updated_at: datetime
    window_end_at: datetime | None

    @property
    def pick(self) -> str:
        """Return what a form names it by."""
        return f"{self.transaction_id}{AT}{self.tenant}"


def windows_of(providers: Iterable[v1.Provider]) -> Windows:
    """Return how long after a request its provider takes a reversal, where it says so."""
    return {
        (one.provider, support.operation): support.reversal_window.ToTimedelta()
        for one in providers
        for support in one.operations
        if support.HasField("reversal_window")
    }


def row_of(visit: Visit, one: v1.Transaction, windows: Windows) -> ListedTransaction:
    """Return a transaction as a line."""
    state = state_of(one.state)
    created_at = time_of(one.create_time) or visit.now
    window = windows.get((one.provider, one.operation)) if state in _REVERSIBLE else None
    changes = one.state_changes
    return ListedTransaction(
        transaction_id=one.transaction_id,
        tenant=one.tenant,
        address=visit.address_of(one.transaction_id, one.tenant),
        state=state,
        operation=operation_of(one.operation),
        provider=one.provider,
        amount=amount_of(one),
        worth=one.requested_amount.units + one.requested_amount.nanos / 1e9,
        cards=", ".join(card.masked_card for card in one.cards),
        asked_end=asked_end_of(one, visit.now),
        reason=_reason(visit, one) or (changes[-1].note if changes else ""),
        created_at=created_at,
        updated_at=time_of(one.update_time) or created_at,
        window_end_at=None if window is None else created_at + window,
    )


def _reason(visit: Visit, one: v1.Transaction) -> str:
    """Return why it is where it is, as far as the transaction itself says."""
    if asked := asked_end_of(one, visit.now):
        return f"{asked}, which another person has to approve"
    confirm_by = time_of(one.confirm_by)
    if confirm_by is not None and confirm_by < visit.now:
        return "approved, and not decided in time"
    return one.evidence.summary


def asked_end_of(one: v1.Transaction, now: datetime) -> str:
    """Return the end that can still be approved and who asked for it, nothing where there is none."""
    asked = one.asked_resolution
    expires_at = time_of(asked.expire_time)
    if expires_at is None or expires_at <= now:
        return ""
    return f"{asked.actor} asks to end it as {state_of(asked.state)}"
