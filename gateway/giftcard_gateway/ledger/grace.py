"""How long an approval may still be decided after a time in which nobody could (rule 10).

Pure arithmetic: who notices an outage, and what is then decided, is elsewhere.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from giftcard_gateway.ledger.entry import Entry, State


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which no gateway could write, so that no caller could decide.

    Several close together are told as one: from the beginning of the first to the end of the last, and `lost`
    is the length of the longest.
    """

    since: datetime
    until: datetime
    lost: timedelta


def decide_by(entry: Entry, outage: Outage | None, grace: timedelta) -> datetime | None:
    """Return when an APPROVED `entry` is decided for a caller who is late; None when it has no such time.

    Its own `confirm_by`; where an outage took from the time before, no sooner than the time that was lost,
    and at least `grace`, after its end. The same outage always gives the same answer.
    """
    if entry.confirm_by is None or outage is None:
        return entry.confirm_by
    is_cut = outage.since < entry.confirm_by and _approved_at(entry) < outage.until
    return max(entry.confirm_by, outage.until + max(outage.lost, grace)) if is_cut else entry.confirm_by


def extended(entry: Entry, confirm_by: datetime) -> Entry:
    """Return an APPROVED `entry` that waits until `confirm_by` in nobody's hand."""
    return msgspec.structs.replace(entry, confirm_by=confirm_by, due_at=confirm_by, driver="")


def _approved_at(entry: Entry) -> datetime:
    told = [change.at for change in entry.changes if change.state is State.APPROVED]
    return max(told, default=entry.created_at)
