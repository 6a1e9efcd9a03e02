"""Giving changes and events their places in the feeds, after they were committed.

Writers put them down without a place. Whoever reads a feed first numbers what is there, and so does every
beat, so that nothing piles up where nobody reads. Nothing is ever inserted behind a reader:

- Who numbers holds the row of `feed_ends` until its numbers are seen, so lower ones are seen before higher.
- A statement's snapshot may be older than its turn. What was numbered meanwhile it finds gone, or numbered.
- Of one transaction a later change is committed after an earlier one and is not before it by time. So whoever
  takes the later one, in the order of times and however many at once, takes the earlier one before it.
- A place whose commit was not waited for, because a standby was missing, can be seen, and may be forgotten by
  a failover, after which others get it. So none is told before it is known to be safe.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.journal.postgres.durably import DURABLY
from giftcard_gateway.journal.postgres.sessions import Connection, Sessions, make_safe

AT_ONCE = 1000
"""Places that are given by one statement; those it does not need stay empty."""

_ORDER = "at_us, transaction_id, version"

# Nothing is locked, and nothing written, where nothing is fresh.
NUMBER_CHANGES = f"""
WITH {DURABLY},
turn AS (
    UPDATE feed_ends SET last_change = last_change + $1
    WHERE only_row = 1 AND EXISTS (SELECT 1 FROM fresh_changes)
    RETURNING last_change - $1 AS base
), taken AS (
    DELETE FROM fresh_changes AS f USING turn, (
        SELECT {_ORDER}, row_number() OVER (ORDER BY {_ORDER}) AS place
        FROM fresh_changes ORDER BY {_ORDER} LIMIT $1
    ) AS oldest
    WHERE f.at_us = oldest.at_us AND f.transaction_id = oldest.transaction_id AND f.version = oldest.version
    RETURNING turn.base + oldest.place AS number, f.transaction_id, f.created_us, f.state, f.at_us, f.tenant
), placed AS (
    INSERT INTO changes (number, transaction_id, created_us, state, at_us, tenant) SELECT * FROM taken
)
SELECT (SELECT count(*) FROM turn) AS turns,
    coalesce((SELECT base + $1 FROM turn), (SELECT last_change FROM feed_ends WHERE only_row = 1)) AS last,
    synchronous_commit
FROM durable
"""

NUMBER_EVENTS = f"""
WITH {DURABLY},
turn AS (
    UPDATE feed_ends SET last_event = last_event + $1
    WHERE only_row = 1 AND EXISTS (SELECT 1 FROM events WHERE number IS NULL)
    RETURNING last_event - $1 AS base
), placed AS (
    UPDATE events AS e SET number = turn.base + oldest.place FROM turn, (
        SELECT provider, event_id, row_number() OVER (ORDER BY arrived) AS place
        FROM events WHERE number IS NULL ORDER BY arrived LIMIT $1
    ) AS oldest
    WHERE e.provider = oldest.provider AND e.event_id = oldest.event_id AND e.number IS NULL
)
SELECT (SELECT count(*) FROM turn) AS turns,
    coalesce((SELECT base + $1 FROM turn), (SELECT last_event FROM feed_ends WHERE only_row = 1)) AS last,
    synchronous_commit
FROM durable
"""


class Numbering:
    """Numbers one feed for all who ask in one process, one statement at a time."""

    def __init__(self, sessions: Sessions, statement: str) -> None:
        """Send `statement` through `sessions`."""
        self._sessions = sessions
        self._statement = statement
        self._running: asyncio.Task[None] | None = None
        self._safe: int | None = None

    def begin(self) -> None:
        """Have it done, without waiting for it, for who must not be kept: somebody may hold `feed_ends`."""
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().create_task(self._number())

    async def settle(self) -> None:
        """Return when all that was committed before this call has its place, or when that cannot be."""
        if running := self._running:
            # It may have looked before what is wanted now was there; whoever waits with us shares the next.
            await asyncio.wait((running,))
        if self._running is running or self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._number())
        await asyncio.wait((self._running,))

    async def safe(self) -> int:
        """Settle, and return the last place that may be told.

        Where nothing can be settled, as with a standby that is missing, it is the last that is known to be
        safe. Raises JournalClosed when none is.
        """
        await self.settle()
        if self._safe is None:
            raise JournalClosed("it is not known how much of the feed is safe")
        return self._safe

    async def close(self) -> None:
        """Return when nothing runs."""
        if self._running is not None:
            await asyncio.wait((self._running,))

    async def _number(self) -> None:
        with suppress(JournalClosed):
            # A turn may find that others took all that it knew of, and there may be more than one takes.
            turns = 1
            while turns:
                turns, self._safe = await self._sessions.run(self._turns, is_write=True)

    async def _turns(self, connection: Connection, _: bool) -> tuple[int, int | None]:  # noqa: FBT001 - the shape of a Work
        """Return how many turns were taken, and the last place, which is safe when this is committed."""
        done = await connection.fetchrow(self._statement, AT_ONCE)
        turns, last = (done["turns"], done["last"]) if done else (0, None)
        if not turns and last != self._safe:
            await make_safe(connection)
        return turns, last
