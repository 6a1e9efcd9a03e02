"""How long a provider asks to be left alone, as RFC 9110 writes it in `Retry-After`."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from giftcard_adapters.calls import Reply


def retry_after_s(reply: Reply) -> float | None:
    """Return the seconds of a reply's Retry-After; None without one, or when it cannot be read.

    A date is read against the reply's own Date, so no clock of ours takes part.
    """
    told = reply.headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told)
    until, now = _date(told), _date(reply.headers.get("date", ""))
    if until is None or now is None:
        return None
    return max(0.0, (until - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        told = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return told if told.tzinfo is not None else told.replace(tzinfo=UTC)
