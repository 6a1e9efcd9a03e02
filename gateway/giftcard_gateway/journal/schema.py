"""The schema a database has, the one this gateway knows, and the steps from one to the other.

Alembic renders the steps (in `migrations`) as SQL, and the journal's own driver runs them in one
database transaction, so no second driver is needed. Data are not touched here.
"""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from giftcard_gateway.journal.contract import SchemaUnknown

Session: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

HEAD = "0001"
"""The schema this gateway knows: the newest step in `migrations/versions`."""

EMPTY = ""
"""What `current` returns for a database without a journal."""


def render(dialect: str, *, current: str = EMPTY, target: str = HEAD) -> str:
    """Return the SQL from one schema to another, for `sqlite` or `postgresql`."""
    # Loading Alembic takes a third of a second, and a start on a known schema needs none of it.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    text = io.StringIO()
    config = Config(output_buffer=text, attributes={"dialect": dialect})
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, f"{current or 'base'}:{target}", sql=True)
    return text.getvalue()


def refuse_unknown(found: str, database: str) -> None:
    """Raise SchemaUnknown unless `found` is the schema this gateway knows; the text says what to run."""
    if found == HEAD:
        return
    if found.isdigit() and found > HEAD:
        raise SchemaUnknown(
            f"{database} has schema {found}, newer than {HEAD}, which this gateway knows:"
            " run a newer giftcard-gateway"
        )
    has = f"has schema {found}, older than {HEAD}" if found.isdigit() else "has no schema"
    raise SchemaUnknown(f"{database} {has}: run: giftcard-gateway migrate --config gateway.toml")


def read_sqlite(connection: sqlite3.Connection) -> str:
    """Return the schema of an SQLite database; raise SchemaUnknown when it is not a journal's."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return EMPTY
    if "alembic_version" not in tables:
        raise SchemaUnknown("this SQLite file is not a journal: name another file")
    found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(found[0]) if found else EMPTY


def upgrade_sqlite(connection: sqlite3.Connection, target: str = HEAD) -> None:
    """Bring an SQLite database to `target`, whole or not at all."""
    steps = render("sqlite", current=read_sqlite(connection), target=target)
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{steps}\nCOMMIT;")
    except sqlite3.Error:
        connection.rollback()
        raise


async def read_postgres(connection: Session) -> str:
    """Return the schema of a PostgreSQL database."""
    if await connection.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
        return EMPTY
    return await connection.fetchval("SELECT version_num FROM alembic_version") or EMPTY


async def upgrade_postgres(connection: Session, target: str = HEAD) -> None:
    """Bring a PostgreSQL database to `target`, whole or not at all; two at once take turns."""
    async with connection.transaction():
        # Any number serves, as long as only this uses it.
        await connection.execute("SELECT pg_advisory_xact_lock(7283640917)")
        found = await read_postgres(connection)
        if found != target:
            await connection.execute(render("postgresql", current=found, target=target))
