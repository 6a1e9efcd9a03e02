"""API keys in an SQLite file. The command line writes them beside the process that has the file open."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from giftcard_gateway.journal.contract import JournalClosed, KeyRow
from giftcard_gateway.journal.sqlite import file, schema

Result = TypeVar("Result")


def read(connection: sqlite3.Connection) -> Sequence[KeyRow]:
    """Return every key."""
    rows = connection.execute("SELECT key_id, document FROM api_keys")
    return [KeyRow(key_id=key_id, document=bytes(document)) for key_id, document in rows]


def put(connection: sqlite3.Connection, key: KeyRow) -> None:
    """Insert a key, or replace the one of its id."""
    connection.execute(
        "INSERT INTO api_keys (key_id, document) VALUES (?, ?)"
        " ON CONFLICT (key_id) DO UPDATE SET document = excluded.document",
        (key.key_id, key.document),
    ).close()


def read_file(path: str) -> Sequence[KeyRow]:
    """Return every key in a file."""
    with _opened(path) as connection:
        return read(connection)


def put_in_file(path: str, key: KeyRow) -> None:
    """Insert or replace a key in a file; the process that serves from it sees it within a second."""
    with _opened(path) as connection:
        put(connection, key)


def on_file(path: str, work: Callable[[sqlite3.Connection], Result]) -> Result:
    """Do something in a file, beside the process that serves from it."""
    with _opened(path) as connection:
        return work(connection)


@contextmanager
def _opened(path: str) -> Iterator[sqlite3.Connection]:
    """Open a file beside whoever has it open: SQLite lets one write at a time, and a write here is short."""
    if not Path(path).exists():
        raise JournalClosed(f"there is no journal {path} yet: start the gateway, or run migrate")
    try:
        with closing(file.connect(path)) as connection:
            schema.STEPS.refuse_unknown(schema.read(connection), schema.NAME)
            yield connection
    except sqlite3.Error as fault:
        raise file.closed(fault) from fault
