"""Which journal a URL means, and how its schema is brought up to date. What journals do is not here."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg

from giftcard_gateway.journal import schema
from giftcard_gateway.journal.postgres.hosts import connect
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.postgres.sessions import LOST, Limits, closed
from giftcard_gateway.journal.sqlite import file
from giftcard_gateway.journal.sqlite.journal import Sqlite

if TYPE_CHECKING:
    from giftcard_gateway.config.settings import Journal as JournalSettings
    from giftcard_gateway.journal.contract import Journal

CONNECT_TIMEOUT_S = 10.0


def open_journal(settings: JournalSettings) -> Journal:
    """Return the journal that the settings name, not started yet.

    `sqlite:///journal.db` is a file beside the working folder, `sqlite:////var/lib/journal.db` an absolute
    one; `postgresql://user:password@host1,host2/database` a server. Raises ValueError for anything else.
    """
    url = settings.url.reveal()
    if _is_sqlite(url):
        return Sqlite(sqlite_path(url))
    listen_url = settings.listen_url.reveal()
    limits = Limits(
        pool_size=settings.pool_size,
        connect_timeout_s=settings.connect_timeout_s,
        statement_timeout_s=settings.statement_timeout_s,
        is_pooled=bool(listen_url),
    )
    return Postgres(url, limits, listen_url=listen_url)


async def current(url: str) -> str:
    """Return the schema of the journal at `url`, empty when there is none; raise JournalClosed when away."""
    if _is_sqlite(url):
        return _read_file(sqlite_path(url))
    session = await _connect(url)
    try:
        return await schema.read_postgres(session)
    finally:
        await session.close()


async def upgrade(url: str, target: str = schema.HEAD) -> None:
    """Bring the journal at `url` to the schema `target`, whole or not at all, and keep what it holds.

    Raises JournalBusy while a process writes a SQLite journal, SchemaUnknown for a file that is none, and
    JournalClosed when the database is away or refuses.
    """
    if _is_sqlite(url):
        _upgrade_file(sqlite_path(url), target)
        return
    session = await _connect(url)
    try:
        await schema.upgrade_postgres(session, target)
    except LOST as fault:
        raise closed(fault) from fault
    finally:
        await session.close()


def sqlite_path(url: str) -> str:
    """Return the file that a `sqlite:///` URL names; raise ValueError when it names none."""
    parts = urlsplit(url)
    if parts.scheme != "sqlite" or parts.netloc or len(parts.path) <= 1:
        raise ValueError(
            "a SQLite journal's URL is sqlite:/// and a path, as in sqlite:///giftcard-gateway.db"
        )
    return parts.path[1:]


def _is_sqlite(url: str) -> bool:
    scheme = urlsplit(url).scheme
    if scheme not in {"sqlite", "postgresql", "postgres"}:
        raise ValueError(f"a journal's URL begins with sqlite:/// or postgresql://, not with {scheme}:")
    return scheme == "sqlite"


def _read_file(path: str) -> str:
    if not Path(path).exists():
        return schema.EMPTY
    try:
        with closing(file.connect(path)) as database:
            return schema.read_sqlite(database)
    except sqlite3.Error as fault:
        raise file.closed(fault) from fault


def _upgrade_file(path: str, target: str) -> None:
    held = file.lock(path)
    try:
        with closing(file.connect(path)) as database:
            schema.upgrade_sqlite(database, target)
    except sqlite3.Error as fault:
        raise file.closed(fault) from fault
    finally:
        os.close(held)


async def _connect(url: str) -> asyncpg.Connection[asyncpg.Record]:
    try:
        return await connect(url, timeout=CONNECT_TIMEOUT_S)
    except (*LOST, ValueError) as fault:
        raise closed(fault) from fault
