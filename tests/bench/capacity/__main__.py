"""Measures what one PostgreSQL carries: `make capacity`, or `python -m tests.bench.capacity`.

Every answer is checked, and every journal against what callers heard; anything wrong is told, and the exit
code is 1. What follows from the figures for more is computed in `model`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from tests.bench.capacity import figures, model, runs
from tests.bench.compare import report
from tests.bench.compare.side_by_side import opened_rig
from tests.house.tables import main as write_tables


@click.command()
@click.option("--quick", is_flag=True, help="One round of short slices, in under four minutes.")
@click.option("--rounds", type=int, help=f"How often; {runs.FULL.rounds} unless told.")
@click.option("--seconds", type=float, help="How long a way is loaded in a slice.")
@click.option(
    "--into", type=click.Path(path_type=Path), default=Path("build/capacity"), help="Where results go."
)
@click.option("--record", is_flag=True, help="Keep the figures and write docs/capacity.md anew.")
def main(*, quick: bool, rounds: int | None, seconds: float | None, into: Path, record: bool) -> None:
    """Measure what one PostgreSQL carries."""
    how_much = runs.QUICK if quick else runs.FULL
    changes = {"rounds": rounds, "seconds": seconds}
    told = {name: value for name, value in changes.items() if value is not None}
    machine = report.machine()
    with opened_rig(runs.SETTINGS) as rig:
        played = runs.play(rig, msgspec.structs.replace(how_much, **told))
    assert played.stored is not None
    measured = figures.Measured(machine=machine, loads=tuple(played.loads), stored=played.stored)
    into.mkdir(parents=True, exist_ok=True)
    (into / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(measured)) + b"\n")
    click.echo(f"{model.measured_table(measured)}\n\n{model.modelled_table(measured)}")
    for fault in played.faults:
        click.echo(fault, err=True)
    if record and not played.faults:
        figures.keep(measured)
        write_tables()
    sys.exit(bool(played.faults))


if __name__ == "__main__":
    main()
