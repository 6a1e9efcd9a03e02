"""The heartbeat: one row that says when a gateway last could write, and when last none could.

Each beat is one statement, so every process that shares a journal learns of an outage once and alike.
What follows from an outage is in `ledger.grace`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from giftcard_gateway.journal.microseconds import from_us
from giftcard_gateway.ledger.grace import Outage

SAME_TROUBLE = timedelta(minutes=10)
"""Outages no further apart than this are told as one: what came due in the first may still wait."""


def statement(now: str, silence: str, apart: str) -> str:
    """Return the SQL of a beat, the same in both databases, with these three placeholders.

    `now` is microseconds since 1970, `silence` the longest pause between two beats that is no outage, `apart`
    is `SAME_TROUBLE`. A beat that is older than the last changes nothing.
    """
    pause = f"{now} - heartbeat.beat_us"
    is_same = f"heartbeat.beat_us - heartbeat.outage_until_us <= {apart}"
    ends = f"CASE WHEN {pause} > {silence} THEN"
    return (
        f"INSERT INTO heartbeat (only_row, beat_us) VALUES (1, {now}) ON CONFLICT (only_row) DO UPDATE SET"
        f" beat_us = CASE WHEN {pause} > 0 THEN {now} ELSE heartbeat.beat_us END,"
        f" outage_from_us = {ends} CASE WHEN {is_same} THEN heartbeat.outage_from_us"
        " ELSE heartbeat.beat_us END ELSE heartbeat.outage_from_us END,"
        f" outage_until_us = {ends} {now} ELSE heartbeat.outage_until_us END,"
        f" outage_lost_us = {ends} CASE WHEN {is_same} AND heartbeat.outage_lost_us > {pause}"
        f" THEN heartbeat.outage_lost_us ELSE {pause} END ELSE heartbeat.outage_lost_us END"
        " RETURNING outage_from_us, outage_until_us, outage_lost_us"
    )


def outage_of(values: Sequence[int | None]) -> Outage | None:
    """Return the outage that a beat told of, None when there never was one."""
    since_us, until_us, lost_us = values
    if since_us is None or until_us is None or lost_us is None:
        return None
    return Outage(since=from_us(since_us), until=from_us(until_us), lost=timedelta(microseconds=lost_us))
