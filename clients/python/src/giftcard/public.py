"""The names of the package. `giftcard` imports this when one of them is first asked for."""

from giftcard.abouts import CallPhase
from giftcard.answers import Answered
from giftcard.cards import Card
from giftcard.channels import CHANNEL_OPTIONS, tls_credentials
from giftcard.client import AsyncClient, Client
from giftcard.errors import (
    CallError,
    CallNotSent,
    Closed,
    ConfirmationFailed,
    Conflict,
    Declined,
    GiftcardError,
    InvalidRequest,
    NoAnswer,
    NotApproved,
    NotFound,
    PermissionDenied,
    Throttled,
    Unauthenticated,
    Unavailable,
    Unsupported,
    Violation,
    read_error,
)
from giftcard.money import minor_to_money, to_decimal, to_money
from giftcard.printing import redacted
from giftcard.requests import new_transaction_id
from giftcard.scripts import RepeatPolicy
from giftcard.transaction_state import (
    is_approved,
    is_confirmed,
    is_declined,
    is_final,
    is_pending,
    is_reversed,
    needs_person,
    raise_for_decline,
)

__all__ = [
    "CHANNEL_OPTIONS",
    "Answered",
    "AsyncClient",
    "CallError",
    "CallNotSent",
    "CallPhase",
    "Card",
    "Client",
    "Closed",
    "ConfirmationFailed",
    "Conflict",
    "Declined",
    "GiftcardError",
    "InvalidRequest",
    "NoAnswer",
    "NotApproved",
    "NotFound",
    "PermissionDenied",
    "RepeatPolicy",
    "Throttled",
    "Unauthenticated",
    "Unavailable",
    "Unsupported",
    "Violation",
    "is_approved",
    "is_confirmed",
    "is_declined",
    "is_final",
    "is_pending",
    "is_reversed",
    "minor_to_money",
    "needs_person",
    "new_transaction_id",
    "raise_for_decline",
    "read_error",
    "redacted",
    "tls_credentials",
    "to_decimal",
    "to_money",
]
