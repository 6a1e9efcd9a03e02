"""The heartbeat: one row that says when a gateway last could write, and when last none could.

Each beat is one statement, so every process that shares a journal learns of an outage once and alike.
What follows from an outage is in `ledger.grace`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from giftcard_gateway.journal.microseconds import LATEST_US, from_us
from giftcard_gateway.ledger.grace import Outage

_MOST_SKEW_US = 60_000_000
"""Clocks of two machines differ by less: who is further back has a clock that was put right."""


def statement(now: str, silence: str) -> str:
    """Return the SQL of a beat, the same in both databases, with these two placeholders.

    `now` is microseconds since 1970, `silence` the longest pause between two beats that is no outage. A beat
    that is older than the last changes nothing, unless the last was of a clock that went wrong: then time
    goes on from here, and an outage that would end later never was.
    """
    beat, since, until, lost = (
        _sound("beat_us", f"{now} - 1", most=str(LATEST_US)),
        _sound("outage_from_us", "NULL", most=str(LATEST_US)),
        _sound("outage_until_us", "NULL", most=str(LATEST_US)),
        _sound("lost_us", "0", most=now),
    )
    pause = f"{now} - {beat}"
    is_outage = f"{pause} > {silence}"
    is_back = f"{pause} < -{_MOST_SKEW_US}"
    is_untrue = f"{is_back} AND {until} > {now}"
    return (
        f"INSERT INTO heartbeat (only_row, beat_us) VALUES (1, {now}) ON CONFLICT (only_row) DO UPDATE SET"
        f" beat_us = CASE WHEN {pause} > 0 OR {is_back} THEN {now} ELSE {beat} END,"
        f" outage_from_us = CASE WHEN {is_outage} THEN {beat} WHEN {is_untrue} THEN {now} ELSE {since} END,"
        f" outage_until_us = CASE WHEN {is_outage} OR {is_untrue} THEN {now} ELSE {until} END,"
        f" lost_us = {lost} + CASE WHEN {is_outage} THEN {pause}"
        f" WHEN {is_untrue} THEN -({until} - {since}) ELSE 0 END"
        " RETURNING outage_from_us, outage_until_us, lost_us"
    )


def _sound(column: str, otherwise: str, *, most: str) -> str:
    """Return the SQL of a column, or of what stands for a damaged one; the next beat mends it."""
    there = f"heartbeat.{column}"
    return f"(CASE WHEN {there} BETWEEN 0 AND {most} THEN {there} ELSE {otherwise} END)"


def outage_of(values: Sequence[int | None]) -> Outage | None:
    """Return the last outage that a beat told of, None when it knows of none."""
    since_us, until_us, lost_us = values
    if since_us is None or until_us is None or lost_us is None:
        return None
    lost_in_all = timedelta(microseconds=lost_us)
    return Outage(since=from_us(since_us), until=from_us(until_us), lost_in_all=lost_in_all)
