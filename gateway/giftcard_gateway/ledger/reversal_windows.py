"""How much of a provider's reversal window is used up, and when to warn about it (rule 8).

Pure arithmetic on a window in seconds; None is a window without an end.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from giftcard_gateway.ledger.entry import Entry

WARN_AT, ESCALATE_AT, CLOSED = 0.5, 0.9, 1.0
_LEVELS = (WARN_AT, ESCALATE_AT, CLOSED)


def level(entry: Entry, window_s: float | None, at: datetime) -> float:
    """Return the share of the window whose warning is due at `at`, counted from the request; 0 for none."""
    return max((one for one in _LEVELS if _reached(entry, window_s, one, at)), default=0.0)


def next_level_at(entry: Entry, window_s: float | None, at: datetime) -> datetime | None:
    """Return when the next warning is due, None after the last."""
    if window_s is None:
        return None
    times = (entry.created_at + timedelta(seconds=window_s * one) for one in _LEVELS)
    return min((time for time in times if time > at), default=None)


def _reached(entry: Entry, window_s: float | None, share: float, at: datetime) -> bool:
    return window_s is not None and at >= entry.created_at + timedelta(seconds=window_s * share)
