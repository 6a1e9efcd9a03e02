"""Fails when the gateway's CPU time for a Redeem has grown beside the strong server's: `make bench-guard`.

A ratio of CPU times within one run holds on a slow or busy machine, where rates do not. It still moves
some percent, which is what TOLERANCE is for. The ratios to keep stand in guard.json; `--record` writes
them anew.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from tests.bench.compare.designs import GATEWAYS
from tests.bench.compare.sections import number
from tests.bench.compare.side_by_side import SideBySide, cost_us, opened_rig, started

KEPT = Path(__file__).with_name("guard.json")
TOLERANCE = 1.15
CALLERS = 32
REFERENCE = "strong"


@click.command()
@click.option("--rounds", default=7, show_default=True)
@click.option("--seconds", default=1.5, show_default=True, help="How long a design is loaded in a round.")
@click.option("--record", is_flag=True, help="Write the ratios that are to be kept.")
def main(*, rounds: int, seconds: float, record: bool) -> None:
    """Compare CPU time a Redeem with what was recorded; 1 where it is 15 % worse or an answer was wrong."""
    with opened_rig() as rig:
        run = SideBySide(rig, started(rig, (REFERENCE, *GATEWAYS)))
        run.warm()
        run.play(rounds, [CALLERS], seconds)
        faults = run.faults()
        found = {name: run.spread(name, CALLERS, cost_us, REFERENCE) for name in GATEWAYS}
    kept = msgspec.json.decode(KEPT.read_bytes(), type=dict[str, float])
    for name in GATEWAYS:
        click.echo(f"{name}: {number(found[name].middle)} times {REFERENCE}'s CPU time; kept {kept[name]}")
    if record and not faults:
        now = {name: round(found[name].middle, 2) for name in GATEWAYS}
        KEPT.write_bytes(msgspec.json.format(msgspec.json.encode(now)) + b"\n")
    else:
        faults += [
            f"{name} costs more than {TOLERANCE} times what was recorded"
            for name in GATEWAYS
            if found[name].middle > kept[name] * TOLERANCE
        ]
    for fault in faults:
        click.echo(fault, err=True)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
