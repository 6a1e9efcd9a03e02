"""What an adapter declares of each operation: its guarantee, and how an unknown outcome is ended."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Guarantee(StrEnum):
    """What the second phase of an operation is worth at this provider."""

    NATIVE = "NATIVE"
    """The provider itself confirms and reverses."""
    COMPENSATED = "COMPENSATED"
    """One call; a reversal runs a compensating call."""
    NONE = "NONE"
    """One call; it cannot be reversed."""
    UNSUPPORTED = "UNSUPPORTED"
    """The provider has no such operation."""


class Ending(StrEnum):
    """How an unknown outcome is ended, by the provider's own means (rule 5)."""

    REVERSE = "REVERSE"
    """Promise a reversal and repeat it until it is final."""
    RESEND = "RESEND"
    """Send the same request again under the same key, inside the provider's window; then find."""
    FIND = "FIND"
    """Ask the provider what became of it."""
    PERSON = "PERSON"
    """No automatic way is safe: a person decides."""


class OperationTraits(msgspec.Struct, frozen=True, kw_only=True):
    """How one operation behaves at this provider. Durations are in seconds; None means no limit known."""

    guarantee: Guarantee
    unknown: Ending
    resend_window_s: float | None = None
    """How long the provider remembers our idempotency key; needed with RESEND."""
    find_window_s: float = 24 * 3600.0
    """How long finding is worth trying before a person is asked."""
    reversal_window_s: float | None = None
    """How long a reversal is accepted; a budget (rule 8)."""
    settling_s: float | None = None
    """How long after its last byte left a request may still arrive; None for twice the time-out."""
    refuses_overtaken_requests: bool = False
    """Whether the provider refuses a request whose reversal came first (rule 8)."""
    keeps_advice_ids: bool = False
    """Whether the provider answers an advice id it has seen before as a duplicate, whatever became of it."""
    repeats_once_under_fresh_ids: bool = False
    """Whether the same advice under several ids has one net effect."""
    is_reversal_partial: bool = False
    """Whether part of the amount can be put back."""
    is_confirmation_partial: bool = False
    """Whether a confirmation can carry a smaller final amount."""
