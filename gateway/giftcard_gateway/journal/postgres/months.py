"""The months that the history lies in: their tables are made beforehand, and dropped when all in them is old.

Two functions of the schema do it as the owner of the tables; what they check stands in the step.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

import asyncpg

from giftcard_gateway.journal.microseconds import to_us
from giftcard_gateway.journal.postgres.durably import DURABLY
from giftcard_gateway.journal.postgres.sessions import Connection

AHEAD = 3
"""Months that have their tables before anything is written in them."""

TRIES = 10
_PAUSE_S = 0.2
# The last one: something of the month was written beside after add_month looked; asked again, it sees that.
_HELD = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.CheckViolationError)
Session: TypeAlias = "asyncpg.Connection[asyncpg.Record] | Connection"

MONTHS = """
SELECT to_date(right(c.relname, 7), 'YYYY_MM') AS month
FROM pg_inherits AS p JOIN pg_class AS c ON c.oid = p.inhrelid
WHERE p.inhparent = to_regclass('ended_transactions') AND c.relname ~ '_[0-9]{4}_[0-9]{2}$'
ORDER BY month
"""
ADD_MONTH = "SELECT add_month($1)"
DROP_MONTH = "SELECT drop_month($1, $2)"

# An id is free again when nothing of it is left: a clock that is a year behind opens rows in such a month.
FREE_IDS = f"""
WITH {DURABLY}, freed AS (
    DELETE FROM transaction_ids WHERE transaction_id = ANY(ARRAY(
        SELECT old.transaction_id FROM dropped_months AS d CROSS JOIN LATERAL (
            SELECT transaction_id FROM transaction_ids AS i
            WHERE i.created_us >= d.since_us AND i.created_us < d.until_us AND NOT EXISTS (
                SELECT 1 FROM transactions AS t
                WHERE t.created_us = i.created_us AND t.transaction_id = i.transaction_id
            )
            ORDER BY i.created_us LIMIT $1
        ) AS old
        ORDER BY d.since_us LIMIT $1
    )) RETURNING 1
)
SELECT (SELECT count(*) FROM freed), synchronous_commit FROM durable
"""


def month_of(at: datetime) -> date:
    """Return the first day of the month of a time, in UTC."""
    return at.astimezone(UTC).date().replace(day=1)


def next_month(month: date) -> date:
    """Return the first day of the month after a month's first day."""
    return (month + timedelta(days=31)).replace(day=1)


async def _insist(session: Session, statement: str, *arguments: object) -> None:
    """Try again and again, in the gaps between those who hold the tables; raise what came of the last try."""
    for _ in range(TRIES - 1):
        try:
            await session.execute(statement, *arguments)
        except _HELD:
            await asyncio.sleep(_PAUSE_S)
        else:
            return
    await session.execute(statement, *arguments)


async def make(connection: Connection, now: datetime) -> None:
    """Make the tables of this month and those to come, where they are not there yet."""
    there = {each["month"] for each in await connection.fetch(MONTHS)}
    month = month_of(now)
    for _ in range(1 + AHEAD):
        if month not in there:
            await _insist(connection, ADD_MONTH, month)
        month = next_month(month)


async def drop(session: asyncpg.Connection[asyncpg.Record], before: datetime) -> datetime:
    """Drop months that ended and were last written before a time; return when its own month began.

    Raises what came of the last try of a month that somebody holds, when the others are dropped.
    """
    held: Exception | None = None
    first = month_of(before)
    for each in await session.fetch(MONTHS):
        if each["month"] < first:
            try:
                await _insist(session, DROP_MONTH, each["month"], to_us(before))
            except _HELD as fault:
                held = fault
    if held is not None:
        raise held
    return datetime(first.year, first.month, 1, tzinfo=UTC)
