"""The schema of a PostgreSQL journal: which one a database has, and how it gets the known one."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from giftcard_gateway.journal.contract import JournalBusy, SchemaState, SchemaUnknown
from giftcard_gateway.journal.schema import EMPTY, Found, Steps

Session: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

STEPS = Steps(Path(__file__).parent)
NAME = "the PostgreSQL journal"

# Any number serves, as long as only this uses it. Who waits for a table keeps all that come later waiting, so
# that ends before a gateway's own patience does. To wait for another migration comes first, and may last.
_LOCK = "SELECT pg_advisory_xact_lock(7283640917);\nSET LOCAL lock_timeout = '2s';"

_COLUMNS = """
SELECT attname::text FROM pg_attribute
WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
"""
_HAS_TABLES = """
SELECT EXISTS (
    SELECT FROM pg_class AS c
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = to_regnamespace(quote_ident(current_schema()))
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')
)
"""
_GATEWAYS = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'giftcard-gateway' AND datname = current_database() AND pid <> pg_backend_pid()
"""


async def read(session: Session) -> Found:
    """Return the version of a database; raise SchemaUnknown when what is in it is not a journal's."""
    ours = {name for (name,) in await session.fetch(_COLUMNS, "schema_version")}
    if "version" in ours:
        version = await session.fetchval("SELECT max(version)::text FROM schema_version") or EMPTY
        if "oldest_reader" not in ours:
            return Found(version)
        oldest = await session.fetchval(
            "SELECT max(coalesce(oldest_reader, version))::text FROM schema_version"
        )
        return Found(version, oldest_reader=oldest or EMPTY)
    if not ours and await session.fetchval(
        "SELECT to_regclass('alembic_version') IS NOT NULL AND to_regclass('handles') IS NOT NULL"
    ):
        version = await session.fetchval("SELECT max(version_num) FROM alembic_version")
        return Found(version or EMPTY, is_from_alembic=True)
    if await session.fetchval(_HAS_TABLES):
        raise SchemaUnknown(f"{NAME} has tables of another program: give the journal its own database")
    return Found(EMPTY)


async def upgrade(session: Session, steps: Steps = STEPS) -> None:
    """Bring a database to the last step, whole or not at all; two at once take turns.

    Raises JournalBusy where another session does not let go of a table, and where gateways are connected that
    have to be stopped first.
    """
    try:
        async with session.transaction():
            await session.execute(_LOCK)
            found = await read(session)
            steps.refuse_newer(found, NAME)
            if steps.wants_gateways_stopped(found) and (count := await session.fetchval(_GATEWAYS)):
                raise JournalBusy(
                    f"gateways have {count} sessions with this journal, and none of before works with the"
                    " schema that comes: stop them all, then run migrate again; nothing was changed"
                )
            if sql := steps.sql(found):
                await session.execute(sql)
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
        raise JournalBusy(
            "another session holds a table of the journal, such as a dump or a long transaction:"
            " nothing was changed; run migrate again when it has ended"
        ) from None


async def state(session: Session, steps: Steps = STEPS) -> SchemaState:
    """Return how the schema of a database stands."""
    found = await read(session)
    steps.refuse_newer(found, NAME)
    sql = steps.sql(found)
    return steps.state(found, sql and f"BEGIN;\n{_LOCK}\n\n{sql}\nCOMMIT;\n")
