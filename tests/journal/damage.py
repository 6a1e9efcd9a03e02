"""What can be wrong in each column of a journal's tables, found by asking the database for its columns."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from tests.journal.places import File

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.journal.places import Place

LEAST, MOST = -(2**63), 2**63 - 1
AFTER_ALL_YEARS = "253402300800000000"
_NUMBERS = (str(LEAST + 1), "-1", "0", "1", AFTER_ALL_YEARS, str(MOST))
_TEXTS = ("''", "'x'", "'\u202e'")
_OF_SERVER = {
    "text": _TEXTS,
    "bigint": _NUMBERS,
    "bytea": (r"'\x'", r"'\x00'", r"'\x0203'", r"'\x02ff6b31'"),
    "boolean": ("TRUE", "FALSE"),
}
_OF_FILE = {
    "TEXT": _TEXTS,
    "INTEGER": _NUMBERS,
    "BLOB": ("x''", "x'00'", "x'0203'", "x'02ff6b31'"),
    "BOOLEAN": ("TRUE", "FALSE"),
}
_ANYTHING = ("'x'", "x'00ff'", "CAST(x'ff50' AS TEXT)", "1.5", "9e99")
"""What SQLite keeps in a column of any type, text that is not UTF-8 among it."""
_CHANGED = {"document": ("substr(document, 1, length(document) - 1)",)}
_PLACES = {"number", "only_row", "arrived"}
"""Columns that the database numbers itself: places of a feed."""


class Damage(msgspec.Struct, frozen=True):
    """A column, and the SQL of what stands in it."""

    table: str
    column: str
    value: str

    def __str__(self) -> str:
        """Name it in a test's words."""
        return f"{self.table}.{self.column} = {self.value}"

    async def do(self, place: Place, where: str) -> None:
        """Damage the rows of a condition."""
        await place.execute(f"UPDATE {self.table} SET {self.column} = {self.value} WHERE {where}")  # noqa: S608 - all of it is ours


async def damages(place: Place, table: str) -> Sequence[Damage]:
    """Return everything that can be put into the columns of a table whose columns may all be null."""
    of = _of_file if isinstance(place, File) else _of_server
    return [
        Damage(table, column, value)
        for column, values in await of(place, table)
        if column not in _PLACES
        for value in dict.fromkeys((*values, *_CHANGED.get(column, ())))
    ]


async def _of_file(place: Place, table: str) -> Sequence[tuple[str, Sequence[str]]]:
    assert isinstance(place, File)
    with closing(sqlite3.connect(place.path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE name = ?", (table,)
        )
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    # The place of a row in a table without row ids is never null.
    return [
        (
            name,
            (
                *(() if key and table in {"audit", "api_keys", "handles", "pauses"} else ("NULL",)),
                *_OF_FILE[kind],
                *_ANYTHING,
            ),
        )
        for _, name, kind, _, _, key in columns
    ]


async def _of_server(place: Place, table: str) -> Sequence[tuple[str, Sequence[str]]]:
    connection = await asyncpg.connect(place.url)
    try:
        columns = await connection.fetch(
            "SELECT column_name, data_type, column_name IN (SELECT attname FROM pg_index"
            " JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)"
            " WHERE indisprimary AND indrelid IN (SELECT relid FROM pg_partition_tree($1::text::regclass)"
            " UNION SELECT $1::text::regclass)) AS is_key"
            " FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position",
            table,
        )
        for name, _, is_key in columns:
            if not is_key and name not in _PLACES:
                await connection.execute(f"ALTER TABLE {table} ALTER COLUMN {name} DROP NOT NULL")
    finally:
        await connection.close()
    return [
        (name, (*(() if is_key else ("NULL",)), *_OF_SERVER.get(kind, ()))) for name, kind, is_key in columns
    ]
