"""Times that decide nothing, as providers write them: what cannot be read is left out (rule 19)."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAY_ALONE = len("2026-12-31")


def instant(told: str | None, zone: str) -> datetime | None:
    """Return the time that `told` names in ISO 8601, in UTC; None when it is absent, odd, or a day alone.

    One without an offset is read in `zone`, an IANA name that the settings have checked.
    """
    if not told or len(told) <= _DAY_ALONE:
        return None
    try:
        at = datetime.fromisoformat(told)
        # In UTC at once: a time that no calendar holds there could be neither stored nor sent.
        return (at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def is_zone(name: str) -> bool:
    """Tell whether `name` is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return False
    return True
