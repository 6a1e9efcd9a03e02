"""The heartbeat: one row that says when a gateway last could write, and when last none could.

Each beat is one statement, so every process that shares a journal learns of an outage once and alike.
What follows from an outage is in `ledger.grace`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from giftcard_gateway.journal.microseconds import from_us
from giftcard_gateway.ledger.grace import Outage

_MOST_SKEW_US = 60_000_000
"""Clocks of two machines differ by less: who is further back has a clock that was put right."""


def statement(now: str, silence: str) -> str:
    """Return the SQL of a beat, the same in both databases, with these two placeholders.

    `now` is microseconds since 1970, `silence` the longest pause between two beats that is no outage. A beat
    that is older than the last changes nothing, unless the last was of a clock that went wrong: then time
    goes on from here, and an outage that would end later never was.
    """
    pause = f"{now} - heartbeat.beat_us"
    is_outage = f"{pause} > {silence}"
    is_back = f"{pause} < -{_MOST_SKEW_US}"
    is_untrue = f"{is_back} AND heartbeat.outage_until_us > {now}"
    untrue_us = "heartbeat.outage_until_us - heartbeat.outage_from_us"
    return (
        f"INSERT INTO heartbeat (only_row, beat_us) VALUES (1, {now}) ON CONFLICT (only_row) DO UPDATE SET"
        f" beat_us = CASE WHEN {pause} > 0 OR {is_back} THEN {now} ELSE heartbeat.beat_us END,"
        f" outage_from_us = CASE WHEN {is_outage} THEN heartbeat.beat_us WHEN {is_untrue} THEN {now}"
        " ELSE heartbeat.outage_from_us END,"
        f" outage_until_us = CASE WHEN {is_outage} THEN {now} WHEN {is_untrue} THEN {now}"
        " ELSE heartbeat.outage_until_us END,"
        f" lost_us = heartbeat.lost_us + CASE WHEN {is_outage} THEN {pause}"
        f" WHEN {is_untrue} THEN -({untrue_us}) ELSE 0 END"
        " RETURNING outage_from_us, outage_until_us, lost_us"
    )


def outage_of(values: Sequence[int | None]) -> Outage | None:
    """Return the last outage that a beat told of, None when it knows of none."""
    since_us, until_us, lost_us = values
    if since_us is None or until_us is None or lost_us is None:
        return None
    lost_in_all = timedelta(microseconds=lost_us)
    return Outage(since=from_us(since_us), until=from_us(until_us), lost_in_all=lost_in_all)
