"""The feed after a restore from a dump: how its rows are found to be hidden, and how they are shown again.

A row's place in the feed begins with the number of the database transaction that wrote it. A dump carries
these numbers into a server that counts its own anew: rows with numbers it has not come to are shown to no
reader, and what is written from then on stands before them. No row that a server's own transactions wrote has
such a number.
"""

from __future__ import annotations

import asyncpg

from giftcard_gateway.journal.contract import JournalBusy, JournalRestored
from giftcard_gateway.journal.postgres.sessions import Connection

_TABLES = ("changes", "events")
_AHEAD = "written_in >= pg_snapshot_xmax(pg_current_snapshot())"
_IS_HIDDEN = " OR ".join(
    f"coalesce((SELECT {_AHEAD} FROM {table} ORDER BY written_in DESC, number DESC LIMIT 1), false)"
    for table in _TABLES
)
HIDDEN = " UNION ALL ".join(f"SELECT count(*) FROM {table} WHERE {_AHEAD}" for table in _TABLES)
"""Counts the rows of each table that no reader is shown."""

# All go to one number that lies before every number a server gives out, and by their own numbers from there,
# which were drawn one after the other for changes of one transaction.
_MEND = "UPDATE {} SET written_in = '3' WHERE written_in <> '3'"
_GATEWAYS = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'giftcard-gateway' AND datname = current_database() AND pid <> pg_backend_pid()
"""


async def must_show_all(connection: Connection, _: bool) -> None:  # noqa: FBT001 - the shape of a Work
    """Raise JournalRestored where rows are hidden; it looks at the end of two indexes."""
    if await connection.fetchval(f"SELECT {_IS_HIDDEN}"):
        raise JournalRestored(
            "the PostgreSQL journal was restored from a dump into a server that counts anew: its feed hides"
            " changes and events of before. Stop every gateway, then run: giftcard-gateway journal mend-feed"
            " --config gateway.toml"
        )


async def mend(session: asyncpg.Connection[asyncpg.Record]) -> int:
    """Show all rows again, in their order, whole or not at all; return how many got another place.

    Raises JournalBusy while a gateway is connected: whoever watches there would miss what was hidden.
    """
    async with session.transaction():
        await session.execute("LOCK TABLE changes, events IN SHARE ROW EXCLUSIVE MODE")
        if not await session.fetchval(f"SELECT {_IS_HIDDEN}"):
            return 0
        if count := await session.fetchval(_GATEWAYS):
            raise JournalBusy(
                f"gateways have {count} sessions with this journal, and their watchers would miss what is"
                " hidden: stop them first"
            )
        done = [await session.execute(_MEND.format(table)) for table in _TABLES]
    return sum(int(status.rpartition(" ")[2]) for status in done)
