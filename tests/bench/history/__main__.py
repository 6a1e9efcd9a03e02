"""What layouts of the PostgreSQL journal cost over a history, beside each other.

`python -m tests.bench.history --rows 200000` takes a minute and prints a table, longer by each layout; a
million rows take 6 GB of disk, of one layout at a time. What came of it is in `docs/decisions`.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import TYPE_CHECKING

import asyncpg

from tests.bench.history.layouts import LAYOUTS
from tests.bench.history.life import SETTINGS, cost, fill, lay_out
from tests.postgres import PostgresServer

if TYPE_CHECKING:
    from tests.bench.history.layouts import Layout
    from tests.bench.history.life import Costs

SERVER = {
    "shared_buffers": "1GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
    "max_locks_per_transaction": "256",
    "jit": "off",
}
LOADING = ("fsync = off", "full_page_writes = off", "autovacuum = off", "maintenance_work_mem = '2GB'")
"""Settings of the server while the history is loaded, of which nothing is measured."""


def main() -> None:
    """Measure the layouts that are asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200_000, help="finished transactions before")
    parser.add_argument("--lives", type=int, default=16_000, help="transactions that are lived through")
    parser.add_argument("--layouts", nargs="+", choices=[one.name for one in LAYOUTS])
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of the server")
    chosen = parser.parse_args()
    settings = SERVER | dict(one.split("=") for one in chosen.set)
    wanted = [one for one in LAYOUTS if one.name in (chosen.layouts or [each.name for each in LAYOUTS])]
    costs: list[Costs] = []
    for one in wanted:
        costs.append(asyncio.run(measure(one, chosen.rows, chosen.lives, settings)))
        report(wanted[: len(costs)], costs)


async def measure(layout: Layout, rows: int, lives: int, settings: dict[str, str]) -> Costs:
    """Measure one layout in a server of its own, so that none finds what another left."""
    server = PostgresServer(settings)
    try:
        server.start()
        url = await server.create_database()
        session = await asyncpg.connect(url, server_settings=SETTINGS, command_timeout=None)
        await lay_out(session, layout)
        began = time.monotonic()
        for one in LOADING:
            await session.execute(f"ALTER SYSTEM SET {one}")
        await session.execute("SELECT pg_reload_conf()")
        await fill(session, layout, rows)
        await session.execute("ALTER SYSTEM RESET ALL")
        await session.execute("SELECT pg_reload_conf()")
        print(f"{layout.name}: {rows:,} in {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201 - a program
        costs = await cost(session, layout, rows, lives)
        await session.close()
    finally:
        server.remove()
    return costs


def report(layouts: list[Layout], costs: list[Costs]) -> None:
    """Print a table of the figures, and one of the bytes by table: the rows', and their indexes'."""
    print("| |", " | ".join(one.name for one in layouts), "|")  # noqa: T201 - a program
    for name in costs[0].figures:
        print(f"| {name} |", " | ".join(f"{each.figures[name]:,.2f}" for each in costs), "|")  # noqa: T201 - a program
    for table in sorted({table for each in costs for table in each.tables}):
        figures = [each.tables.get(table, (0.0, 0.0)) for each in costs]
        print(f"| {table} |", " | ".join(f"{heap:,.0f} + {of:,.0f}" for heap, of in figures), "|")  # noqa: T201 - a program


if __name__ == "__main__":
    main()
