"""What must not grow with history: what a gateway asks of its journal, empty and over many finished rows."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing

import asyncpg

from giftcard_gateway.journal.contract import Journal
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.sqlite.journal import Sqlite
from tests.bench.claim_at_history import fill_postgres, fill_sqlite
from tests.bench.claim_at_history import measure as asked_of
from tests.bench.compare.progress import say
from tests.bench.compare.rig import Rig
from tests.bench.compare.scale import Scale
from tests.bench.compare.sections import Row, Section
from tests.bench.compare.side_by_side import opened_rig

Milliseconds = dict[str, float]


def measure(scale: Scale) -> Section:
    """Measure both journals."""
    rows: list[Row] = []
    with opened_rig() as rig:
        for name, of in (("SQLite", _sqlite), ("PostgreSQL", _postgres)):
            steps = asyncio.run(of(rig, scale.rows))
            rows += [
                {"journal": name, "milliseconds": what}
                | {f"{count:,} finished": figures[what] for count, figures in steps.items()}
                for what in steps[0]
            ]
    say("")
    return Section("Growth", rows)


async def _sqlite(rig: Rig, counts: tuple[int, ...]) -> dict[int, Milliseconds]:
    file = rig.folder / "growth.db"

    async def fill(count: int) -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as database:
            fill_sqlite(database, count)

    return await _steps(lambda: Sqlite(str(file)), fill, counts)


async def _postgres(rig: Rig, counts: tuple[int, ...]) -> dict[int, Milliseconds]:
    url = rig.database()
    await Postgres(url).upgrade()

    async def fill(count: int) -> None:
        session = await asyncpg.connect(url, server_settings={"synchronous_commit": "off"})
        await fill_postgres(session, count)
        await session.close()

    return await _steps(lambda: Postgres(url), fill, counts)


async def _steps(
    make: Callable[[], Journal], fill: Callable[[int], Awaitable[None]], counts: tuple[int, ...]
) -> dict[int, Milliseconds]:
    there, steps = 0, {0: await asked_of(make)}
    for count in counts:
        say(f"{make().__class__.__name__}: growing to {count:,} finished rows")
        await fill(count - there)
        there = count
        await asked_of(make)  # a journal that has just been filled has nothing in memory
        steps[count] = await asked_of(make)
    return steps
