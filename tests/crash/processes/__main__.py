"""Many rounds with real processes: `python -m tests.crash.processes`, and what came of them as a table.

--rounds 100               of each kind
--kind sqlite              or postgres, failover; all of them if left out
--seed crash               a round's seed is SEED/KIND/NUMBER; --first NUMBER begins there
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from statistics import median

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.conftest import has_postgres
from tests.crash.processes.rounds import Result, World, open_world, play
from tests.postgres import PostgresServer

out = Console(highlight=False)


@asynccontextmanager
async def _sqlite() -> AsyncIterator[World]:
    async with open_world() as world:
        yield world


@asynccontextmanager
async def _postgres() -> AsyncIterator[World]:
    server = PostgresServer()
    try:
        server.start()
        async with open_world(server, workers=(1, 1, 2)) as world:
            yield world
    finally:
        server.remove()


KINDS: dict[str, Callable[[], AbstractAsyncContextManager[World]]] = {
    "sqlite": _sqlite,
    "postgres": _postgres,
}


async def run(kind: str, seed: str, numbers: range) -> list[Result]:
    """Play the rounds of one kind in one world, and show how far they are."""
    results: list[Result] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with KINDS[kind]() as world:
        with Progress(*columns, console=out) as progress:
            bar = progress.add_task(kind, total=len(numbers))
            for number in numbers:
                result = await play(world, f"{seed}/{kind}/{number}")
                results.append(result)
                for sentence in result.broken:
                    out.print(f"[red]{result.seed}: {sentence}", soft_wrap=True)
                if result.broken:
                    out.print(
                        "The seed draws the same traffic, faults and strikes again:\n  python -m"
                        f" tests.crash.processes --kind {kind} --seed {seed} --first {number} --rounds 1"
                    )
                progress.advance(bar)
    return results


def tell(kind: str, results: list[Result]) -> Table:
    """Return what all rounds of one kind came to."""
    strikes, states, faults, errors = (
        sum((getattr(result, name) for result in results), start=type(results[0].strikes)())
        for name in ("strikes", "states", "faults", "errors")
    )
    closed = [closed_s for result in results for closed_s in result.closed_s] or [0.0]
    table = Table(title=f"{kind}: {len(results)} rounds", title_justify="left", show_header=False)
    rows = {
        "strikes": _counts(strikes),
        "transactions": _counts(states),
        "faults between gateway and provider": _counts(faults),
        "calls that heard an error": _counts(errors),
        "from restart to last open closed": f"median {median(closed):.1f} s, longest {max(closed):.1f} s",
        "a round": f"median {median(result.lasted_s for result in results):.1f} s",
        "rules broken": str(sum(len(result.broken) for result in results)),
    }
    gaps = [gap_s for result in results for gap_s in result.gaps_s]
    if gaps:
        rows["failover gap"] = f"median {median(gaps):.1f} s, longest {max(gaps):.1f} s"
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def main() -> int:
    """Play what the arguments say; 1 when a rule was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.processes")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--seed", default="crash")
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    is_broken = False
    for kind in given.kind or KINDS:
        why_not = _why_not(kind)
        if why_not:
            out.print(f"{kind}: skipped, {why_not}")
            continue
        results = asyncio.run(run(kind, given.seed, range(given.first, given.first + given.rounds)))
        out.print(tell(kind, results))
        is_broken |= any(result.broken for result in results)
    return int(is_broken)


def _why_not(kind: str) -> str:
    if kind != "sqlite" and not has_postgres():
        return "PostgreSQL's programs are not on this machine"
    return ""


def _counts(counted: dict[str, int]) -> str:
    each = ", ".join(f"{count} {name}" for name, count in sorted(counted.items(), key=lambda one: -one[1]))
    return f"{sum(counted.values())}: {each}" if counted else "0"


if __name__ == "__main__":
    # Starting processes makes gRPC log that it will not follow into them, once for each.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    sys.exit(main())
