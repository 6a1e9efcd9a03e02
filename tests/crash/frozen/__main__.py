"""Freezes a provider, or answers in its place, for every operation; compares books with states (rule 8)."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table as Shown

from tests.crash.frozen.rounds import HOLDS_S, Ended, Step, Table, lay
from tests.providers.cells import CELLS, Cell


@click.command(help=__doc__)
@click.option("--rounds", default=4, show_default=True, help="Rounds for each trouble of each operation.")
@click.option(
    "--only", default="", help="Only what holds this, such as `electrum-Redeem` or `frozen request`."
)
def main(rounds: int, only: str) -> None:
    """Play the rounds and exit with 1 when books and states differ."""
    wrong = asyncio.run(_play(rounds, only))
    sys.exit(1 if wrong else 0)


async def _play(rounds: int, only: str) -> int:
    console, wrong = Console(), 0
    shown = Shown("operation", "trouble", "rounds", "ended", "differ")
    with tempfile.TemporaryDirectory() as folder:
        async with lay(Path(folder)) as table:
            for cell in CELLS:
                for trouble, plays in _troubles(table, cell):
                    if only not in f"{cell.name}, {trouble}":
                        continue
                    ends = [await plays(HOLDS_S[n % len(HOLDS_S)]) for n in range(rounds)]
                    states = Counter(one.state for one in ends)
                    differ = [one for one in ends if not one.is_right]
                    wrong += len(differ)
                    told = ", ".join(f"{count} {state}" for state, count in states.most_common())
                    console.print(f"{cell.name}, {trouble}: {told}; {len(differ)} differ")
                    shown.add_row(cell.name, trouble, str(rounds), told, "; ".join(map(str, differ)) or "0")
    console.print(shown)
    return wrong


def _troubles(table: Table, cell: Cell) -> Iterator[tuple[str, Callable[[float], Awaitable[Ended]]]]:
    """Tell what a cell goes through: the trouble, and how a round of it is played for a time."""
    yield from ((f"frozen {step}", partial(table.play, cell, step)) for step in Step)
    for step in (Step.CONFIRM, Step.REVERSE):
        yield f"answered in between {step}", partial(table.interrupt, cell, step)


if __name__ == "__main__":
    main()
