"""Measures the gateway beside servers written by hand: `make bench`, or `python -m tests.bench.compare`.

Every answer is checked, and afterwards every journal against what callers heard; anything wrong is told, and
the exit code is 1. Nothing but nginx, PostgreSQL and Go is needed beside .venv/bench.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from tests.bench.compare import report
from tests.bench.compare.parts import (
    follow_ups,
    growth,
    life,
    overload,
    reads,
    recovery,
    redeem,
    telemetry,
    workers,
)
from tests.bench.compare.scale import QUICK, Scale
from tests.bench.compare.sections import Section

PARTS: dict[str, Callable[[Scale], Section]] = {
    "redeem": redeem.measure,
    "reads": reads.measure,
    "follow-ups": follow_ups.measure,
    "recovery": recovery.measure,
    "workers": workers.measure,
    "start": life.start,
    "overload": overload.measure,
    "growth": growth.measure,
    "memory": life.memory,
    "telemetry": telemetry.measure,
}
FULL = Scale()


def _list(kind: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """Return what reads words between commas."""

    def read(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Any:  # noqa: ANN401 - of its kind
        try:
            return None if text is None else tuple(kind(word) for word in text.split(","))
        except ValueError as wrong:
            raise click.BadParameter(str(wrong)) from wrong

    return read


def _one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    def read(word: str) -> str:
        if word not in names:
            raise ValueError(f"{word} is none of {', '.join(names)}")
        return word

    return read


@click.command()
@click.option("--quick", is_flag=True, help="Redeem at 32 callers alone, in under two minutes.")
@click.option("--parts", callback=_list(_one_of(tuple(PARTS))), help=f"Some of: {','.join(PARTS)}.")
@click.option("--designs", callback=_list(_one_of(FULL.designs)), help=f"Some of: {','.join(FULL.designs)}.")
@click.option("--callers", callback=_list(int), help="How many calls at once, as in 1,32,128.")
@click.option("--rounds", type=int, help=f"How often; {FULL.rounds} unless told.")
@click.option("--seconds", type=float, help="How long a design is loaded in a round.")
@click.option("--calls", type=int, help="How many transactions are confirmed and recovered.")
@click.option("--rows", callback=_list(int), help="How large journals grow, as in 10000,1000000,10000000.")
@click.option("--transactions", type=int, help="Over how many the memory is watched.")
@click.option("--crowd", type=int, help="How many callers are too many.")
@click.option(
    "--into", type=click.Path(path_type=Path), default=Path("build/bench"), help="Where results go."
)
@click.option("--record", is_flag=True, help="Write docs/performance.md and its chart anew.")
def main(*, quick: bool, parts: tuple[str, ...] | None, into: Path, record: bool, **scale: Any) -> None:  # noqa: ANN401 - fields of Scale
    """Measure the gateway beside servers written by hand."""
    changes = {name: value for name, value in scale.items() if value is not None}
    how_much = msgspec.structs.replace(QUICK if quick else FULL, **changes)
    machine = report.machine()
    sections: dict[str, Section] = {}
    for name in parts or (("redeem",) if quick else tuple(PARTS)):
        sections[name] = PARTS[name](how_much)
        click.echo(sections[name].markdown())
        report.write(into, machine, how_much, sections)
    click.echo(machine)
    faults = [fault for section in sections.values() for fault in section.faults]
    if record and not faults:
        report.record(machine, sections)
    for fault in faults:
        click.echo(fault, err=True)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
