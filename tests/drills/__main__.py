"""Drills the runbook with real processes: each breaks something, shows the alert, does what the entry says.

.venv/bin/python -m tests.drills                   # all of them, some minutes
.venv/bin/python -m tests.drills provider-down     # some, by name
.venv/bin/python -m tests.drills --record          # and write what they showed into the runbook
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path

import click

from tests.drills import advices, backups, deploys, hostility, journal, keys, moves, providers
from tests.drills.catalogue import DRILLS, Drill
from tests.drills.runbook import record
from tests.drills.stage import CannotDrill, DrillFailed, Stage

ROOMS = (providers, hostility, advices, journal, backups, keys, moves, deploys)


@click.command(help=__doc__)
@click.option("--list", "is_list", is_flag=True, help="Name the drills and play none.")
@click.option("--record", "is_record", is_flag=True, help="Write what they showed into the runbook.")
@click.argument("names", nargs=-1)
def main(names: tuple[str, ...], is_list: bool, is_record: bool) -> None:
    """Play what was asked for, and end with 1 if a drill failed."""
    unknown = [name for name in names if name not in DRILLS]
    if unknown:
        raise click.BadParameter(f"no such drill: {', '.join(unknown)}; there are {', '.join(DRILLS)}")
    chosen = [one for one in DRILLS.values() if not names or one.name in names]
    if is_list:
        for one in chosen:
            click.echo(f"{one.name}: {'; '.join(one.entries)}")
        return
    # Asked to end, it ends what it started too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    failed = 0
    for number, one in enumerate(chosen, 1):
        click.secho(f"[{number}/{len(chosen)}] {one.name}", bold=True)
        began = time.monotonic()
        try:
            lines = played(one)
        except CannotDrill as lack:
            click.secho(f"  skipped: {lack}", fg="yellow")
            continue
        except (DrillFailed, AssertionError) as fault:
            failed += 1
            click.secho(f"  failed: {fault}", fg="red")
            continue
        click.secho(f"  held, in {time.monotonic() - began:.0f} s", fg="green")
        if is_record:
            record(dict.fromkeys(one.entries, "".join(f"{line}\n" for line in lines)))
    sys.exit(1 if failed else 0)


def played(one: Drill) -> list[str]:
    """Play a drill in a folder of its own, and return what it showed."""
    with tempfile.TemporaryDirectory(prefix="giftcard-drill-") as folder:
        stage = Stage(Path(folder), lambda text: click.echo(f"  {text}"))
        one.play(stage)
    return stage.lines


if __name__ == "__main__":
    main()
