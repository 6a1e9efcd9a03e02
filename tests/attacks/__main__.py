"""Runs the attacks, each on a sandbox of its own, and prints a line for each, as the README has them."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import click

from tests.attacks.attacks import ATTACKS
from tests.attacks.openings import OPENINGS
from tests.attacks.strangers import STRANGERS, environment
from tests.attacks.timing import TIMINGS
from tests.e2e.sandboxes import Sandbox, sandbox

_ALL = {**ATTACKS, **STRANGERS, **OPENINGS, **TIMINGS}


async def _figure(name: str, target: Sandbox) -> str:
    return await _ALL[name](target)


def _run(name: str, folder: Path) -> str:
    environ = environment(folder) if name not in ATTACKS else None
    with sandbox(folder, environ=environ) as target:
        return asyncio.run(_figure(name, target))


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(sorted(_ALL)))
def main(names: tuple[str, ...]) -> None:
    """Run those named, or all."""
    for name in names or _ALL:
        with tempfile.TemporaryDirectory() as folder:
            click.echo(f"{name}: {_run(name, Path(folder))}")


if __name__ == "__main__":
    main()
