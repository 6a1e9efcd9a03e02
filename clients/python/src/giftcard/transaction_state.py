"""Questions about where a transaction stands, so that callers need not list states.

The states themselves, and what each asks of a caller, are in `transaction.proto`.
"""

from __future__ import annotations

from giftcard import v1
from giftcard.errors import Declined

_State = v1.TransactionState
_SETTLED = frozenset(
    {
        _State.TRANSACTION_STATE_DECLINED,
        _State.TRANSACTION_STATE_FAILED,
        _State.TRANSACTION_STATE_CONFIRMED,
        _State.TRANSACTION_STATE_REVERSED,
    }
)
_DECIDED = _SETTLED | {
    _State.TRANSACTION_STATE_APPROVED,
    _State.TRANSACTION_STATE_CONFIRMING,
    _State.TRANSACTION_STATE_REVERSING,
    _State.TRANSACTION_STATE_UNRESOLVED,
}


def is_approved(transaction: v1.Transaction) -> bool:
    """Tell whether the provider said yes and now waits for a confirmation or a reversal."""
    return transaction.state == _State.TRANSACTION_STATE_APPROVED


def is_declined(transaction: v1.Transaction) -> bool:
    """Tell whether the provider said no; `transaction.decline` says why."""
    return transaction.state == _State.TRANSACTION_STATE_DECLINED


def is_confirmed(transaction: v1.Transaction) -> bool:
    """Tell whether it is confirmed, or the gateway has promised to confirm it: the sale is made."""
    return transaction.state in {
        _State.TRANSACTION_STATE_CONFIRMING,
        _State.TRANSACTION_STATE_CONFIRMED,
    }


def is_reversed(transaction: v1.Transaction) -> bool:
    """Tell whether it is reversed, or the gateway has promised to reverse it: the sale is not made."""
    return transaction.state in {
        _State.TRANSACTION_STATE_REVERSING,
        _State.TRANSACTION_STATE_REVERSED,
    }


def is_pending(transaction: v1.Transaction) -> bool:
    """Tell whether the outcome is not known yet; a state this client does not know counts as such."""
    return transaction.state not in _DECIDED


def is_final(transaction: v1.Transaction) -> bool:
    """Tell whether nothing will change any more: DECLINED, FAILED, CONFIRMED or REVERSED."""
    return transaction.state in _SETTLED


def needs_person(transaction: v1.Transaction) -> bool:
    """Tell whether it is UNRESOLVED: an operator must decide; `transaction.evidence` says by what."""
    return transaction.state == _State.TRANSACTION_STATE_UNRESOLVED


def raise_for_decline(transaction: v1.Transaction) -> v1.Transaction:
    """Return the transaction, or raise Declined if the provider said no."""
    if is_declined(transaction):
        raise Declined(transaction)
    return transaction
