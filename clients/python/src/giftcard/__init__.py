"""The gift card gateway, as its callers see it: the two clients, and what their calls take and raise.

The messages of the contract are in `giftcard.v1`; `client.stubs` reaches every call with them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

_PLACES = {
    "abouts": ("CallPhase",),
    "answers": ("Answered",),
    "cards": ("Card",),
    "channels": ("CHANNEL_OPTIONS", "tls_credentials"),
    "client": ("AsyncClient", "Client"),
    "errors": (
        "CallError",
        "CallNotSent",
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
        "Throttled",
        "Unauthenticated",
        "Unavailable",
        "Unsupported",
        "Violation",
        "read_error",
    ),
    "money": ("minor_to_money", "to_decimal", "to_money"),
    "printing": ("redacted",),
    "requests": ("new_transaction_id",),
    "scripts": ("RepeatPolicy",),
    "transaction_state": (
        "is_approved",
        "is_confirmed",
        "is_declined",
        "is_final",
        "is_pending",
        "is_reversed",
        "needs_person",
        "raise_for_decline",
    ),
}
_MODULES = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import what a name stands for when it is first asked for: `giftcard.v1` alone needs no client."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List what can be asked for, imported or not."""
    return sorted({*globals(), *__all__})
