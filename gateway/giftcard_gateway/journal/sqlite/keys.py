"""API keys, pauses and notes of keys in use in an SQLite file; commands work on them beside its process."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

from giftcard_gateway.journal.notes import KeyInUse, KeyRow, PauseRow
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


def read_pauses(connection: sqlite3.Connection) -> Sequence[PauseRow]:
    """Return what was last said of each provider."""
    rows = connection.execute("SELECT provider, document FROM pauses")
    return [PauseRow(provider=text_in(provider), document=bytes_in(document)) for provider, document in rows]


def put_pause(connection: sqlite3.Connection, pause: PauseRow) -> None:
    """Insert what is said of a provider, or replace what was said before."""
    connection.execute(
        "INSERT INTO pauses (provider, document) VALUES (?, ?)"
        " ON CONFLICT (provider) DO UPDATE SET document = excluded.document",
        (pause.provider, pause.document),
    ).close()


def in_use(connection: sqlite3.Connection) -> Sequence[KeyInUse]:
    """Return the keys that were noted; see Journal.keys_in_use."""
    rows = connection.execute("SELECT kind, key_id, fingerprint FROM keys_in_use")
    return [KeyInUse(*row) for row in rows]


def use(connection: sqlite3.Connection, *, keys: Collection[KeyInUse]) -> None:
    """Note keys; see Journal.use_keys."""
    connection.executemany(
        "INSERT INTO keys_in_use (kind, key_id, fingerprint) VALUES (?, ?, ?) ON CONFLICT (kind, key_id)"
        " DO UPDATE SET fingerprint = excluded.fingerprint WHERE keys_in_use.fingerprint = ''",
        [(key.kind, key.key_id, key.fingerprint) for key in keys],
    ).close()


def drop(connection: sqlite3.Connection, *, keys: Collection[KeyInUse]) -> None:
    """Take back notes; see Journal.drop_keys."""
    connection.executemany(
        "DELETE FROM keys_in_use WHERE kind = ? AND key_id = ?", [(key.kind, key.key_id) for key in keys]
    ).close()
