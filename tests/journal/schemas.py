"""Databases with the schema of any version, of each kind, for tests of the steps."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import asyncpg

from giftcard_adapters.values.secret import Secret
from giftcard_gateway.journal.contract import Journal
from giftcard_gateway.journal.postgres import schema as postgres_schema
from giftcard_gateway.journal.schema import Steps
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.journal.sqlite import schema as sqlite_schema
from giftcard_gateway.journal.sqlite.journal import path_of
from giftcard_gateway.journal.stores import open_journal

FOLDERS = {
    "sqlite": Path(sqlite_schema.__file__).parent,
    "postgres": Path(postgres_schema.__file__).parent,
}


def journal_at(url: str) -> Journal:
    """Return the journal at a URL, not started."""
    return open_journal(JournalSettings(url=Secret(url)))


async def run_sql(url: str, sql: str) -> None:
    """Run a script as a person would with the database's own shell."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(url))) as database:
            database.executescript(sql)
        return
    session = await asyncpg.connect(url)
    try:
        await session.execute(sql)
    finally:
        await session.close()


async def upgrade_with(url: str, make: Callable[[Path], Steps]) -> None:
    """Bring a database up by other steps than all of ours; `make` gets the folder of its kind."""
    if url.startswith("sqlite"):
        sqlite_schema.upgrade_file(path_of(url), make(FOLDERS["sqlite"]))
        return
    session = await asyncpg.connect(url)
    try:
        await postgres_schema.upgrade(session, make(FOLDERS["postgres"]))
    finally:
        await session.close()
