"""Measures the gateway beside servers written by hand: `make bench`, or `python -m tests.bench.compare`.

Every answer is checked, and afterwards every journal against what callers heard; anything wrong is told, and
the exit code is 1. Nothing but nginx, PostgreSQL and Go is needed beside .venv/bench.
"""

from __future__ import annotations

import os
import sys

import click

from tests.bench.compare import tables
from tests.bench.compare.designs import ALL, BY_HAND
from tests.bench.compare.progress import say
from tests.bench.compare.side_by_side import side_by_side


@click.command()
@click.option("--quick", is_flag=True, help="All designs at 32 callers, in under two minutes.")
@click.option("--designs", default=",".join(ALL), show_default=True, help="Which to compare.")
@click.option("--callers", default="1,32,128", show_default=True, help="How many calls at once.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=2.0, show_default=True, help="How long a design is loaded in a round.")
def main(*, quick: bool, designs: str, callers: str, rounds: int, seconds: float) -> None:
    """Measure the gateway beside servers written by hand."""
    if quick:
        callers, rounds, seconds = "32", 3, 1.5
    names = designs.split(",")
    references = [each for each in BY_HAND if each in names]
    with side_by_side(names, say) as run:
        run.play(rounds, [int(each) for each in callers.split(",")], seconds)
        say("")
        click.echo(tables.side_by_side(run.compared(references), references))
        click.echo(f"\nload average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        faults = run.faults()
    for fault in faults:
        click.echo(fault, err=True)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
