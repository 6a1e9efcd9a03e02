"""API keys in an SQLite file. The command line writes them beside the process that has the file open."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from giftcard_gateway.journal.contract import KeyRow
from giftcard_gateway.journal.rows import bytes_in, text_in


def read(connection: sqlite3.Connection) -> Sequence[KeyRow]:
    """Return every key."""
    rows = connection.execute("SELECT key_id, document FROM api_keys")
    return [KeyRow(key_id=text_in(key_id), document=bytes_in(document)) for key_id, document in rows]


def put(connection: sqlite3.Connection, key: KeyRow) -> None:
    """Insert a key, or replace the one of its id."""
    connection.execute(
        "INSERT INTO api_keys (key_id, document) VALUES (?, ?)"
        " ON CONFLICT (key_id) DO UPDATE SET document = excluded.document",
        (key.key_id, key.document),
    ).close()
