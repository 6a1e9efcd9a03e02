"""Counting and replacing the sealed documents of an SQLite journal, and what they are found by."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence

from giftcard_gateway.journal.contract import EventRow, Resealed, Row, Sealed
from giftcard_gateway.journal.microseconds import to_us
from giftcard_gateway.journal.rows import COLUMNS, EVENT_COLUMNS, columns, event_of, row_of
from giftcard_gateway.journal.sqlite.file import FORGET_INDEXES, add_indexes

# Counted here: a GROUP BY sorts whole documents, and holds as much memory as they take.
_HEADS = "SELECT sealed_head(CAST(document AS BLOB)) FROM {}"
_INDEXED = "SELECT hash_key, count(*) FROM {} GROUP BY 1"
_OPEN = "transactions WHERE state IN (SELECT value FROM json_each(?))"
_ROWS = (
    f"SELECT {columns(names=COLUMNS)} FROM transactions"
    " WHERE transaction_id > ? ORDER BY transaction_id LIMIT ?"
)
_EVENTS = (
    f"SELECT {columns(names=EVENT_COLUMNS)} FROM events"
    " WHERE (provider, event_id) > (?, ?) ORDER BY provider, event_id LIMIT ?"
)
_REPLACE = "UPDATE transactions SET document = ? WHERE transaction_id = ? AND document = ?"
_FOUND_BY = "UPDATE transactions SET hash_key = ? WHERE transaction_id = ?"
_REPLACE_EVENT = (
    "UPDATE OR IGNORE events SET document = ?, event_id = ?, name = ?"
    " WHERE provider = ? AND event_id = ? AND document = ?"
)


def seals(connection: sqlite3.Connection, *, states: Sequence[str] | None) -> Sequence[Sealed]:
    """Count documents by what they begin with; see Journal.seals."""
    if states is not None:
        return _sealed("transactions", connection.execute(_HEADS.format(_OPEN), (json.dumps(states),)))
    return [
        one
        for table in ("transactions", "events")
        for one in _sealed(table, connection.execute(_HEADS.format(table)))
    ]


def _sealed(table: str, found: sqlite3.Cursor) -> Sequence[Sealed]:
    counts = Counter(head for (head,) in found)
    return [Sealed(table=table, head=bytes.fromhex(head), count=count) for head, count in counts.items()]


def indexed(connection: sqlite3.Connection, *, states: Sequence[str] | None) -> Mapping[str, int]:
    """Count transactions by their hash key; see Journal.indexed."""
    if states is None:
        return dict(connection.execute(_INDEXED.format("transactions")).fetchall())
    return dict(connection.execute(_INDEXED.format(_OPEN), (json.dumps(states),)).fetchall())


def rows_after(connection: sqlite3.Connection, *, after: str, limit: int) -> Sequence[Row]:
    """Return transactions by id; see Journal.rows_after."""
    return [row_of(values) for values in connection.execute(_ROWS, (after, limit))]


def events_after(connection: sqlite3.Connection, *, after: tuple[str, str], limit: int) -> Sequence[EventRow]:
    """Return events by their ids; see Journal.events_after."""
    return [event_of("", values) for values in connection.execute(_EVENTS, (*after, limit))]


def replace(connection: sqlite3.Connection, *, resealed: Sequence[Resealed]) -> int:
    """Replace documents and blind indexes in one database transaction; see Journal.reseal."""
    connection.execute("BEGIN IMMEDIATE")
    done = sum(_replace(connection, one) for one in resealed)
    connection.execute("COMMIT")
    return done


def _replace(connection: sqlite3.Connection, one: Resealed) -> int:
    row = one.row
    if isinstance(row, Row):
        done = connection.execute(_REPLACE, (one.document, row.transaction_id, row.document)).rowcount
        if done and one.hash_key:
            connection.execute(_FOUND_BY, (one.hash_key, row.transaction_id))
            connection.execute(FORGET_INDEXES, (row.transaction_id, to_us(row.created_at)))
            add_indexes(connection, [(row, one.blind_indexes)])
        return done
    left = one.renamed or row
    return connection.execute(
        _REPLACE_EVENT, (one.document, left.event_id, left.name, row.provider, row.event_id, row.document)
    ).rowcount
