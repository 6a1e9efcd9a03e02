"""The schema of an SQLite journal: which one a file has, and how it gets the known one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from giftcard_gateway.journal.contract import SchemaState, SchemaUnknown
from giftcard_gateway.journal.schema import EMPTY, Found, Steps
from giftcard_gateway.journal.sqlite import file

STEPS = Steps(Path(__file__).parent)
NAME = "this SQLite journal"


def read(connection: sqlite3.Connection) -> Found:
    """Return the version of a database; raise SchemaUnknown when it is not a journal's."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return Found(EMPTY)
    ours = _columns(connection, "schema_version")
    if "version" in ours:
        reader = "max(coalesce(oldest_reader, version))" if "oldest_reader" in ours else "NULL"
        version, oldest = connection.execute(f"SELECT max(version), {reader} FROM schema_version").fetchone()
        return Found(str(version or EMPTY), oldest_reader=str(oldest or EMPTY))
    is_alembic = "version_num" in _columns(connection, "alembic_version")
    if is_alembic and {"transactions", "handles"} <= tables:
        (version,) = connection.execute("SELECT max(version_num) FROM alembic_version").fetchone()
        return Found(str(version), is_from_alembic=True)
    raise SchemaUnknown("this SQLite file is not a journal: name another file")


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    """Return the names of a table's columns, none where there is no such table."""
    return {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def upgrade(connection: sqlite3.Connection, steps: Steps = STEPS) -> None:
    """Bring a database to the last step, whole or not at all; two at once take turns."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = read(connection)
        steps.refuse_newer(found, NAME)
        for statement in _statements(steps.sql(found)):
            connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def state(path: str, steps: Steps = STEPS) -> SchemaState:
    """Return how the schema of a file stands; the file need not exist."""
    found = _read_file(path)
    steps.refuse_newer(found, NAME)
    sql = steps.sql(found)
    return steps.state(found, sql and f"BEGIN IMMEDIATE;\n\n{sql}\nCOMMIT;\n")


def upgrade_file(path: str, steps: Steps = STEPS) -> None:
    """Bring a file to the last step; raise JournalBusy while a process writes it."""
    held = file.lock(path)
    try:
        with closing(file.connect(path)) as database:
            upgrade(database, steps)
    except sqlite3.Error as fault:
        raise file.closed(fault) from fault
    finally:
        os.close(held)


def _read_file(path: str) -> Found:
    if not Path(path).exists():
        return Found(EMPTY)
    try:
        # Read only: a file that is not ours is not even turned to write-ahead logging.
        with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)) as database:
            return read(database)
    except sqlite3.Error as fault:
        raise file.closed(fault) from fault


def _statements(script: str) -> Iterator[str]:
    """Split a script: `executescript` would commit before it begins."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
