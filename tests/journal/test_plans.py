"""How the databases go about our statements: always along an index, so that history costs nothing."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import asyncpg
import pytest

from giftcard_gateway.journal.microseconds import to_us
from giftcard_gateway.journal.postgres import statements
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.rows import EARLIEST_US, LATEST_US
from giftcard_gateway.journal.sqlite import file as sqlite_file
from giftcard_gateway.journal.sqlite import lists
from giftcard_gateway.journal.sqlite import schema as sqlite_schema
from tests.bench.claim_at_history import HISTORY_US, fill_postgres, fill_sqlite
from tests.journal.samples import NOW
from tests.postgres import PostgresServer

HISTORY = 20_000
NOW_US = to_us(NOW)
STREAM = ("CONFIRMED", "spar-za", "redeem")
WHOLE = (EARLIEST_US, LATEST_US, "")

SQLITE: dict[str, tuple[str, tuple[object, ...], str]] = {
    "claim": (sqlite_file.DUE, (NOW_US, 10), "transactions_due (due_us<?)"),
    "next due": (lists.NEXT_DUE, (), "transactions_due"),
    "drivers": (sqlite_file.FREE_DRIVERS, (), "transactions_due"),
    "next run": (lists.NEXT_STREAM, STREAM, "transactions_listed ((state,provider,operation,"),
    "run": (lists.STREAM_ROWS, (*STREAM, *WHOLE), "transactions_listed (state=? AND provider=? AND"),
    "blind index": (lists.INDEXED_ROWS, (b"h", *WHOLE), "PRIMARY KEY (handle=? AND created_us>?"),
    "backlog": (lists.BACKLOG, (), "COVERING INDEX transactions_listed (state=?)"),
    "purge": (lists.PURGEABLE, (*STREAM, 1, 1, 10), "transactions_listed (state=? AND provider=? AND"),
    "changes": (lists.CHANGES, (5, 10), "PRIMARY KEY (rowid>?)"),
    "events": (lists.EVENTS, (5, 10), "PRIMARY KEY (rowid>?)"),
    "events of one": (
        lists.EVENTS_OF_PROVIDER,
        ("p", 5, 10),
        "events_of_provider (provider=? AND number>?)",
    ),
    "unapplied": (lists.EVENTS_UNAPPLIED, (10,), "events_unapplied"),
    "forget indexes": (lists.FORGET_INDEXES, ("x", 1), "handles_by_transaction (created_us=? AND"),
    "forget changes": (lists.FORGET_CHANGES, ("x", 1), "changes_by_transaction (created_us=? AND"),
}

LISTED = (None, None, None, *WHOLE, 50)
POSTGRES: dict[str, tuple[str, tuple[object, ...], set[str]]] = {
    "claim": (
        statements.CLAIM,
        (NOW_US, NOW_US, "me", 10),
        {"transactions_due", "transactions_pkey"},
    ),
    "next due": (statements.NEXT_DUE, (), {"transactions_due"}),
    "rows": (statements.ROWS, (["x"],), {"transactions_pkey"}),
    "list": (statements.LIST, LISTED, {"transactions_listed", "transactions_pkey"}),
    "blind index": (
        statements.LIST_BY_INDEX,
        (*LISTED, b"h"),
        {"handles_pkey", "transactions_pkey"},
    ),
    "backlog": (statements.BACKLOG, (), {"transactions_listed"}),
    "changes": (statements.CHANGES, (1, 1, 10), {"changes_pkey"}),
    "last change": (statements.LAST_CHANGE, (), {"changes_pkey"}),
    "events": (statements.EVENTS, (1, 1, 10), {"events_pkey"}),
    "events of one": (
        statements.EVENTS_OF_PROVIDER,
        (1, 1, 10, "provider-7"),
        {"events_of_provider"},
    ),
    "unapplied": (statements.EVENTS_UNAPPLIED, (10,), {"events_unapplied"}),
    "purge": (
        statements.PURGE,
        (HISTORY_US, 10),
        {"transactions_listed", "transactions_pkey", "handles_by_transaction", "changes_by_transaction"},
    ),
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """Give a SQLite journal with a history."""
    path = tmp_path_factory.mktemp("plans") / "journal.db"
    with closing(sqlite_file.connect(str(path))) as database:
        sqlite_schema.upgrade(database)
        fill_sqlite(database, HISTORY)
        yield database


@pytest.mark.parametrize("name", SQLITE)
def test_sqlite_goes_along_an_index(file: sqlite3.Connection, name: str) -> None:
    """Each statement finds its rows in the index made for it; none walks through a table or sorts one."""
    statement, arguments, expected = SQLITE[name]
    steps = [step for *_, step in file.execute(f"EXPLAIN QUERY PLAN {statement}", arguments)]
    assert any(expected in step for step in steps), steps
    assert not [
        step for step in steps if step.startswith("SCAN") and "_due" not in step and "_unapplied" not in step
    ]
    assert not [step for step in steps if "TEMP B-TREE" in step and name != "backlog"]


@pytest.fixture(scope="module")
def server_with_history(postgres_server: PostgresServer) -> str:
    """Give the URL of a PostgreSQL journal with a history."""
    return asyncio.run(make_history(postgres_server))


async def make_history(postgres_server: PostgresServer) -> str:
    """Make a PostgreSQL journal with a history and return its URL."""
    url = await postgres_server.create_database()
    await Postgres(url).upgrade()
    session = await asyncpg.connect(url)
    await fill_postgres(session, HISTORY)
    await session.execute(
        "INSERT INTO events (provider, event_id, name, received_us, document, applied)"
        " SELECT 'provider-' || i % 50, i, 'card.redeemed', i, '', i < $1 FROM generate_series(1, $1) AS i",
        HISTORY,
    )
    await session.execute("ANALYZE events")
    await session.close()
    return url


@pytest.mark.postgres
@pytest.mark.parametrize("name", POSTGRES)
async def test_postgresql_goes_along_an_index(server_with_history: str, name: str) -> None:
    """Each statement finds its rows in the indexes made for it, by the planner's own choice."""
    statement, arguments, expected = POSTGRES[name]
    session = await asyncpg.connect(server_with_history)
    plan = json.dumps(await (await session.prepare(statement)).explain(*arguments))
    await session.close()
    assert "Seq Scan" not in plan
    assert {index for index in expected if f'"{index}"' in plan} == expected
