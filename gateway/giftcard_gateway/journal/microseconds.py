"""Times as both databases keep them: whole microseconds since 1970 in UTC, which compare like numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(at: datetime) -> int:
    """Return whole microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def to_us_or_none(at: datetime | None) -> int | None:
    """Return whole microseconds since 1970, None for None."""
    return None if at is None else to_us(at)


def from_us(at_us: int) -> datetime:
    """Return the time `to_us` was given, in UTC; of what a damaged column holds, an end of all times.

    Never an error, because one would keep the other rows from being read. `rows` tells which were damaged.
    """
    try:
        # Of a broken number the time before it, so that a page that ends there does not begin there again.
        return _EPOCH + timedelta(microseconds=at_us // 1)
    except OverflowError:
        return EARLIEST if at_us < 0 else LATEST
    except TypeError:
        return EARLIEST


def from_us_or_none(at_us: int | None) -> datetime | None:
    """Return the time `to_us_or_none` was given, in UTC."""
    return None if at_us is None else from_us(at_us)


EARLIEST_US, LATEST_US = to_us(EARLIEST), to_us(LATEST)
"""Outside these no row was written."""
