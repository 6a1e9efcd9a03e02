"""The schema of a PostgreSQL journal: which one a database has, and how it gets the known one."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from giftcard_gateway.journal.contract import SchemaState
from giftcard_gateway.journal.schema import EMPTY, Found, Steps

Session: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

STEPS = Steps(Path(__file__).parent)
NAME = "the PostgreSQL journal"

# Any number serves, as long as only this uses it.
_LOCK = "SELECT pg_advisory_xact_lock(7283640917);"


async def read(session: Session) -> Found:
    """Return the version of a database."""
    if await session.fetchval("SELECT to_regclass('schema_version') IS NOT NULL"):
        return Found(await session.fetchval("SELECT max(version)::text FROM schema_version") or EMPTY)
    if await session.fetchval(
        "SELECT to_regclass('alembic_version') IS NOT NULL AND to_regclass('handles') IS NOT NULL"
    ):
        version = await session.fetchval("SELECT max(version_num) FROM alembic_version")
        return Found(version or EMPTY, is_from_alembic=True)
    return Found(EMPTY)


async def upgrade(session: Session, steps: Steps = STEPS) -> None:
    """Bring a database to the last step, whole or not at all; two at once take turns."""
    async with session.transaction():
        await session.execute(_LOCK)
        found = await read(session)
        steps.refuse_newer(found, NAME)
        if sql := steps.sql(found):
            await session.execute(sql)


async def state(session: Session, steps: Steps = STEPS) -> SchemaState:
    """Return how the schema of a database stands."""
    found = await read(session)
    steps.refuse_newer(found, NAME)
    sql = steps.sql(found)
    return SchemaState(
        found=found.version, known=steps.known, sql=sql and f"BEGIN;\n{_LOCK}\n\n{sql}\nCOMMIT;\n"
    )
