"""What was tried at a provider for one transaction, kept for people: the first tries, the last, how many."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST, LAST = 3, 7
"""How many of the first and of the last attempts are kept; those between are counted."""


class AttemptKind(StrEnum):
    """What was sent, or asked for."""

    REQUEST = "REQUEST"
    """The money request, for the first time."""
    REPEAT = "REPEAT"
    """The same request again, under the same id."""
    LOOKUP = "LOOKUP"
    """What became of the request was asked for."""
    CONFIRMATION = "CONFIRMATION"
    REVERSAL = "REVERSAL"


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One try at a provider. Nothing here is card data, and nothing is decided by it."""

    kind: AttemptKind
    at: datetime
    took: timedelta
    result: str
    """What was concluded: a Verdict of a request or a lookup, a Receipt of an advice."""
    http_status: int = 0
    """Of the last answer that came; 0 if none did."""
    provider_code: str = ""
    text: str = ""
    """The provider's words, or ours where it had none."""
    trace_id: str = ""
    process: str = ""
    """The gateway process that tried."""


def added(kept: tuple[Attempt, ...], made: Sequence[Attempt]) -> tuple[Attempt, ...]:
    """Return the attempts to keep when these were made."""
    whole = (*kept, *made)
    return whole if len(whole) <= FIRST + LAST else (*whole[:FIRST], *whole[-LAST:])
