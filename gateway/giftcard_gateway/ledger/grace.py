"""How long an approval may still be decided after a time in which nobody could (rule 10).

Pure arithmetic: who notices an outage, and what is then decided, is elsewhere.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from giftcard_gateway.ledger.entry import Entry, State


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """The last time in which no gateway could write, so that no caller could decide.

    `lost_in_all` is how long all such times were that this journal knows of, this one included.
    """

    since: datetime
    until: datetime
    lost_in_all: timedelta


def counted(entry: Entry, outage: Outage | None) -> Entry:
    """Return `entry` so that an outage takes from its time to decide only if it comes after this moment."""
    if entry.state is not State.APPROVED or outage is None:
        return entry
    return msgspec.structs.replace(entry, lost_before=outage.lost_in_all)


def put_off(entry: Entry, outage: Outage | None, grace: timedelta) -> Entry:
    """Return an APPROVED `entry` with the time it lost since it was counted added to its `confirm_by`.

    The first time, that is no sooner than as long as was lost, and at least `grace`, after the outage's end.
    Once only, so that who restarts again and again does not put it off for ever. Where nothing was lost it
    is returned as it is, and so it is when asked again.
    """
    if entry.confirm_by is None or outage is None or outage.lost_in_all <= entry.lost_before:
        return entry
    lost = outage.lost_in_all - entry.lost_before
    by, least = entry.confirm_by + lost, outage.until + max(lost, grace)
    is_graced = entry.is_graced or by < least
    if is_graced and not entry.is_graced:
        by = least
    waiting = msgspec.structs.replace(entry, confirm_by=by, due_at=by, driver="", is_graced=is_graced)
    return counted(waiting, outage)
