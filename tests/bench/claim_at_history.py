"""How long claiming, listing and looking up take with an empty history, and with millions of finished rows.

Run it as `python -m tests.bench.claim_at_history --rows 5000000`; it needs about 2 GB of disk for each
million rows, and deletes them afterwards. What must not grow with history stands in `docs/journal.md`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sqlite3
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import asyncpg

from giftcard_gateway.journal.contract import Journal, RowQuery
from giftcard_gateway.journal.microseconds import from_us, to_us
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.postgres.months import ADD_MONTH, month_of, next_month
from giftcard_gateway.journal.rows import COLUMNS
from giftcard_gateway.journal.sqlite.journal import Sqlite
from tests.conftest import has_postgres
from tests.journal.samples import NOW, after, at, claim, opened, row
from tests.postgres import PostgresServer

DUE = 2_000
ROUNDS = 40
CHUNK = 250_000
HISTORY_US = to_us(NOW) - 400 * 86_400 * 10**6

# 97 % confirmed, the rest spread over the other final states; three providers, seven operations.
KIND = (
    "CASE i % 7 WHEN 0 THEN 'issue' WHEN 1 THEN 'activate' WHEN 2 THEN 'load' WHEN 3 THEN 'transfer'"
    " WHEN 4 THEN 'replace' WHEN 5 THEN 'void' ELSE 'redeem' END,"
    " CASE i % 3 WHEN 0 THEN 'spar-za' WHEN 1 THEN 'gift-uk' ELSE 'cards-fr' END,"
    " CASE i % 100 WHEN 0 THEN 'DECLINED' WHEN 1 THEN 'FAILED' WHEN 2 THEN 'REVERSED' ELSE 'CONFIRMED' END,"
)


def filled(rows: int) -> str:
    """Return the columns of so many rows `i`, spread over the 400 days before now."""
    at = f"{HISTORY_US} + i * CAST({400 * 86_400 * 10**6 // rows} AS bigint)"
    return f"{KIND} {at}, {at}, NULL, '', 4, 1"


def main() -> None:
    """Measure both journals and print one table for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--journal", choices=["sqlite", "postgresql", "both"], default="both")
    chosen = parser.parse_args()
    if chosen.journal != "postgresql":
        with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
            asyncio.run(measure_sqlite(Path(folder) / "journal.db", chosen.rows))
    if chosen.journal != "sqlite" and has_postgres():
        with server() as running:
            asyncio.run(measure_postgres(running, chosen.rows))


@contextmanager
def server() -> Iterator[PostgresServer]:
    """Run a PostgreSQL that really writes to disk, with memory as a small server has."""
    running = PostgresServer({"fsync": "on", "shared_buffers": "512MB", "max_wal_size": "8GB"})
    try:
        running.start()
        yield running
    finally:
        running.remove()


async def measure_sqlite(path: Path, rows: int) -> None:
    """Measure a SQLite journal twice."""
    empty = await measure(lambda: Sqlite(str(path)))
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        seconds = fill_sqlite(database, rows)
    report("SQLite", rows, seconds, empty, await measure_warm(lambda: Sqlite(str(path))))


async def measure_postgres(running: PostgresServer, rows: int) -> None:
    """Measure a PostgreSQL journal twice."""
    url = await running.create_database()
    await Postgres(url).upgrade()
    empty = await measure(lambda: Postgres(url))
    session = await asyncpg.connect(url, server_settings={"synchronous_commit": "off"})
    seconds = await fill_postgres(session, rows)
    await session.close()
    report("PostgreSQL", rows, seconds, empty, await measure_warm(lambda: Postgres(url)))


FILLED = ", ".join(COLUMNS[: COLUMNS.index("tenant")])
"""The columns that filling gives values; the others have what a row from before tenants has."""


def fill_sqlite(database: sqlite3.Connection, rows: int) -> float:
    """Add finished rows, each with a blind index and two changes; return how many seconds it took."""
    began = time.monotonic()
    for pragma in ("synchronous = OFF", "cache_size = -4000000", "temp_store = MEMORY"):
        database.execute(f"PRAGMA {pragma}")
    count = "WITH RECURSIVE n (i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
    for first in range(0, rows, CHUNK):
        bounds = (first, min(first + CHUNK, rows) - 1)
        database.execute("BEGIN IMMEDIATE")
        (last,) = database.execute("SELECT max(rowid) FROM transactions").fetchone()
        database.execute(
            f"INSERT INTO transactions ({FILLED}) {count}"  # noqa: S608 - put together from our own text
            f" SELECT lower(hex(randomblob(16))), {filled(rows)}, randomblob(600) FROM n",
            bounds,
        )
        _follow_up(database, last)
        database.execute("COMMIT")
    database.execute("ANALYZE")
    return time.monotonic() - began


def _follow_up(database: sqlite3.Connection, last: int) -> None:
    """Give the rows after `last`, the highest rowid before them, a blind index and two changes."""
    written = "FROM transactions WHERE rowid > ?"
    database.execute(
        f"INSERT INTO handles SELECT randomblob(32), created_us, transaction_id {written}", (last,)
    )
    for state in ("'PENDING'", "state"):
        database.execute(
            "INSERT INTO changes (transaction_id, created_us, state, at_us)"
            f" SELECT transaction_id, created_us, {state}, updated_us {written}",
            (last,),
        )


async def fill_postgres(session: asyncpg.Connection[asyncpg.Record], rows: int) -> float:
    """Add finished rows, each with a blind index and two changes; return how many seconds it took."""
    began = time.monotonic()
    month = month_of(from_us(HISTORY_US))
    while month <= month_of(NOW):
        await session.execute(ADD_MONTH, month)
        month = next_month(month)
    for first in range(0, rows, CHUNK):
        await session.execute(
            f"WITH made AS (INSERT INTO transactions ({FILLED})"  # noqa: S608 - put together from our own text
            f" SELECT gen_random_uuid()::text, {filled(rows)}, decode(repeat('a5', 600), 'hex')"
            f" FROM generate_series({first}, {min(first + CHUNK, rows) - 1}) AS i"
            " RETURNING transaction_id, created_us, state, updated_us),"
            " taken AS (INSERT INTO transaction_ids SELECT transaction_id, created_us FROM made),"
            " found AS (INSERT INTO handles SELECT sha256(transaction_id::bytea), created_us, transaction_id"
            " FROM made)"
            " INSERT INTO changes (number, transaction_id, created_us, state, at_us)"
            " SELECT number, transaction_id, created_us, state, updated_us FROM ("
            f"SELECT *, {2 * first} + row_number() OVER () AS number FROM ("
            "SELECT transaction_id, created_us, 'PENDING' AS state, updated_us FROM made"
            " UNION ALL SELECT transaction_id, created_us, state, updated_us FROM made) AS told) AS placed"
        )
    await session.execute("UPDATE feed_ends SET last_change = $1", 2 * rows)
    await session.execute("VACUUM ANALYZE")
    await session.execute("CHECKPOINT")
    return time.monotonic() - began


async def measure_warm(make: Callable[[], Journal]) -> dict[str, float]:
    """Measure twice and return the second: a journal that has just been filled has nothing in memory."""
    await measure(make)
    return await measure(make)


async def measure(make: Callable[[], Journal]) -> dict[str, float]:
    """Return milliseconds (median) of each thing a gateway asks of its journal."""
    journal = make()
    began = time.monotonic()
    await journal.start()
    started_ms = (time.monotonic() - began) * 1000
    due = await asyncio.gather(*(opened(journal, row(due_at=at(number))) for number in range(DUE)))
    some = [each.transaction_id for (each,) in due]
    lease = itertools.count(10**9)
    asked: dict[str, Callable[[], Awaitable[object]]] = {
        "claim 20 of the due": lambda: claim(
            journal, now=at(DUE), lease_until=at(next(lease)), driver="bench", limit=20
        ),
        "one commit, for comparison": journal.check,
        "next due time": journal.next_due,
        "get": lambda: journal.get(some[uuid.uuid4().int % DUE]),
        "list 50": lambda: journal.list(RowQuery()),
        "list 50 of a state": lambda: journal.list(RowQuery(states=("FAILED",))),
        "list 50 of a provider": lambda: journal.list(RowQuery(providers=("gift-uk",))),
        "list 50 of an operation": lambda: journal.list(RowQuery(operations=("void",))),
        "list 50, deep in the past": lambda: journal.list(RowQuery(after=(from_us(HISTORY_US + 10**12), ""))),
        "backlog": journal.backlog,
        "changes, 100 of the newest": lambda: _newest_changes(journal),
        "open and write": lambda: _open_and_write(journal),
    }
    taken = {"start": started_ms} | {name: await _median_ms(ask) for name, ask in asked.items()}
    for (each,) in due:
        found = await journal.get(each.transaction_id)
        assert found is not None
        assert await journal.write(after(found, "DECLINED"))
    await journal.close()
    return taken


async def _newest_changes(journal: Journal) -> None:
    await journal.changes(after=await journal.last_cursor(), limit=100)


async def _open_and_write(journal: Journal) -> None:
    (first,) = await opened(journal, row())
    assert await journal.write(after(first, "DECLINED"))


async def _median_ms(ask: Callable[[], Awaitable[object]]) -> float:
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await ask()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def report(name: str, rows: int, seconds: float, empty: dict[str, float], full: dict[str, float]) -> None:
    """Print one journal's figures side by side."""
    print(f"\n{name}: {rows:,} finished rows, made in {seconds:.0f} s; milliseconds, median of {ROUNDS}")  # noqa: T201 - a program
    print(f"{'':28}{'empty':>10}{'full':>10}")  # noqa: T201 - a program
    for what, before in empty.items():
        print(f"{what:28}{before:10.2f}{full[what]:10.2f}")  # noqa: T201 - a program


if __name__ == "__main__":
    main()
