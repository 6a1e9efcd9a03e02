"""Many rounds with real processes, and what came of them as a table.

python -m tests.crash.processes                          all kinds, all rounds
python -m tests.crash.processes --kind postgres --rounds 5
python -m tests.crash.processes --kind sqlite --first 17 --rounds 1
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.conftest import has_postgres
from tests.crash.failover.cluster import Cluster, missing_programs
from tests.crash.failover.losses import losses
from tests.crash.processes.releases import upgrade_to
from tests.crash.processes.rounds import MOST_STRIKES, Result, World, open_world, play
from tests.postgres import serving
from tests.world.release import newer_release

_console = Console(highlight=False)


@asynccontextmanager
async def _sqlite() -> AsyncIterator[World]:
    async with open_world() as world:
        yield world


@asynccontextmanager
async def _postgres() -> AsyncIterator[World]:
    with serving() as server:
        async with open_world(server, workers=(1, 1, 2)) as world:
            yield world


@asynccontextmanager
async def _releases() -> AsyncIterator[World]:
    with tempfile.TemporaryDirectory(prefix="giftcard-release-") as folder, serving() as server:
        strikes = upgrade_to(newer_release(Path(folder)))
        async with open_world(server, workers=(1, 1, 2), strikes=strikes) as world:
            yield world


@asynccontextmanager
async def _releases_alone() -> AsyncIterator[World]:
    with tempfile.TemporaryDirectory(prefix="giftcard-release-") as folder:
        async with open_world(strikes=upgrade_to(newer_release(Path(folder)))) as world:
            yield world


@asynccontextmanager
async def _failover() -> AsyncIterator[World]:
    cluster = Cluster()
    try:
        await cluster.start()
        async with open_world(url=cluster.url, workers=(1, 2), strikes=losses(cluster)) as world:
            yield world
    finally:
        cluster.remove()


class Kind(NamedTuple):
    """A world to play in, how often, and how much may happen in a round."""

    open: Callable[[], AbstractAsyncContextManager[World]]
    rounds: int = 100
    most_strikes: int = MOST_STRIKES


KINDS = {
    "sqlite": Kind(_sqlite),
    "postgres": Kind(_postgres),
    # A round is a whole story: to the next release, back, and there again.
    "sqlite-releases": Kind(_releases_alone, rounds=10, most_strikes=1),
    "postgres-releases": Kind(_releases, rounds=10, most_strikes=1),
    # Each loss is followed by the lost machine's return, which takes patroni some 20 seconds.
    "failover": Kind(_failover, rounds=10, most_strikes=1),
}


@click.command()
@click.option("--kind", "kinds", type=click.Choice(tuple(KINDS)), multiple=True, help="Only this one.")
@click.option("--rounds", type=int, help="How many of each; if left out 100, or 10 of those that take long.")
@click.option("--seed", default="crash", show_default=True, help="A round draws by SEED/KIND/NUMBER.")
@click.option("--first", default=0, show_default=True, help="The first round's number.")
def main(kinds: tuple[str, ...], rounds: int | None, seed: str, first: int) -> None:
    """Kill real gateways, their workers and their databases under load, and say what did not hold."""
    broken = 0
    for name in kinds or tuple(KINDS):
        if missing := _missing(name):
            _console.print(f"{name}: skipped, {missing}")
            continue
        numbers = range(first, first + (rounds or KINDS[name].rounds))
        results = asyncio.run(_play_all(name, seed, numbers))
        _console.print(_table(name, results))
        broken += sum(len(result.broken) for result in results)
    sys.exit(1 if broken else 0)


def _missing(kind: str) -> str:
    if not kind.startswith("sqlite") and not has_postgres():
        return "PostgreSQL's programs are not on this machine"
    return missing_programs() if kind == "failover" else ""


async def _play_all(name: str, seed: str, numbers: range) -> list[Result]:
    """Play the rounds of one kind in one world, and show how far they are."""
    kind = KINDS[name]
    results: list[Result] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with kind.open() as world:
        with Progress(*columns, console=_console) as progress:
            bar = progress.add_task(name, total=len(numbers))
            for number in numbers:
                result = await play(world, f"{seed}/{name}/{number}", most_strikes=kind.most_strikes)
                results.append(result)
                _blame(name, seed, number, result)
                progress.advance(bar)
    return results


def _blame(name: str, seed: str, number: int, result: Result) -> None:
    """Say what did not hold, and how to draw the same round again."""
    for sentence in result.broken:
        _console.print(f"{result.seed}: {sentence}", style="bold red", markup=False, soft_wrap=True)
    if result.broken:
        again = f"--kind {name} --seed {seed} --first {number} --rounds 1"
        _console.print(f"The same traffic, faults and strikes: python -m tests.crash.processes {again}")


def _table(name: str, results: list[Result]) -> Table:
    """Return what all rounds of one kind came to."""
    rows = {
        "strikes": _counts(result.strikes for result in results),
        "transactions": _counts(result.states for result in results),
        "faults between gateway and provider": _counts(result.faults for result in results),
        "calls that heard an error": _counts(result.errors for result in results),
        "from restart to last open closed": _span(s for result in results for s in result.closed_s),
        "failover gap": _span(s for result in results for s in result.gaps_s),
        "a round": _span(result.lasted_s for result in results),
        "rules broken": str(sum(len(result.broken) for result in results)),
    }
    table = Table(title=f"{name}: {len(results)} rounds", title_justify="left", show_header=False)
    for what, told in rows.items():
        if told:
            table.add_row(what, told)
    return table


def _counts(counted: Iterable[Counter[str]]) -> str:
    total = sum(counted, start=Counter[str]())
    return f"{total.total()}: {', '.join(f'{count} {what}' for what, count in total.most_common())}"


def _span(spans_s: Iterable[float]) -> str:
    seen = sorted(spans_s)
    return f"median {median(seen):.1f} s, longest {seen[-1]:.1f} s, of {len(seen)}" if seen else ""


if __name__ == "__main__":
    main()
