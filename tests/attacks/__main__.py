"""Runs the attacks, each on a sandbox of its own, and prints a line for each, as the README has them."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import click

from tests.attacks.attacks import ATTACKS
from tests.e2e.sandboxes import Sandbox, sandbox


async def _figure(name: str, target: Sandbox) -> str:
    return await ATTACKS[name](target)


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(sorted(ATTACKS)))
def main(names: tuple[str, ...]) -> None:
    """Run those named, or all."""
    for name in names or ATTACKS:
        with tempfile.TemporaryDirectory() as folder, sandbox(Path(folder)) as target:
            click.echo(f"{name}: {asyncio.run(_figure(name, target))}")


if __name__ == "__main__":
    main()
