"""Loses a region under load, by each way that the second one may follow, and shows what it cost.

python -m tests.crash.failover                   # every way, three times
python -m tests.crash.failover --rounds 1
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table

from tests.conftest import has_postgres
from tests.crash.failover.cluster import missing_programs
from tests.crash.failover.regions import WAYS, Loss, lose

_console = Console(highlight=False)
_COLUMNS = ("the second region follows", "gap, s", "approved", "forgotten", "of the last s", "found", "held")


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often each way is played.")
@click.option("--seed", default="regions", show_default=True, help="A round draws by SEED/WAY/NUMBER.")
def main(rounds: int, seed: str) -> None:
    """Lose a region again and again; ends with 1 if something was lost that nothing explains."""
    if missing := missing_programs() or ("" if has_postgres() else "not on this machine: PostgreSQL"):
        _console.print(f"regions: skipped, {missing}")
        return
    table = Table(*_COLUMNS, title=f"A region lost, {rounds} times each way", title_justify="left")
    faults: list[str] = []
    for way in WAYS:
        losses = []
        for number in range(rounds):
            _console.print(f"{way.name}, {number + 1} of {rounds}")
            losses.append(asyncio.run(lose(way, f"{seed}/{way.name}/{number}")))
        table.add_row(way.name, *_told(losses))
        faults += [said for one in losses for said in one.broken]
        if way.is_synchronous:
            faults += ["a synchronous standby lost something" for one in losses if one.forgotten]
        faults += ["a settlement missed something" for one in losses if one.found != one.moved]
    _console.print(table)
    for fault in faults:
        _console.print(fault, style="bold red", markup=False, soft_wrap=True)
    sys.exit(1 if faults else 0)


def _told(losses: Sequence[Loss]) -> list[str]:
    gaps = sorted(one.gap_s for one in losses)
    return [
        f"{gaps[len(gaps) // 2]:.1f} ({gaps[0]:.1f}–{gaps[-1]:.1f})",
        str(sum(one.answered for one in losses)),
        str(sum(one.forgotten for one in losses)),
        f"{max(one.behind_s for one in losses):.1f}",
        f"{sum(one.found for one in losses)} of {sum(one.moved for one in losses)}",
        str(sum(one.held for one in losses)),
    ]


if __name__ == "__main__":
    main()
