"""Commands for the keys that card data is sealed with; they work on the journal, beside whoever serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from giftcard_gateway.cli.console import err, out, table
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.options import read_settings, settings_options
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.rotation import Rotation
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.process import loop
from giftcard_gateway.process.sealing import open_seal
from giftcard_gateway.seal import told

if TYPE_CHECKING:
    from pathlib import Path

    from giftcard_gateway.config import Settings
    from giftcard_gateway.journal.contract import Sealed
    from giftcard_gateway.journal.rotation import Round

_PAUSE_S = 2.0
"""Between rounds, while rows are in work."""


@click.group()
def seal() -> None:
    """Look after the keys that card data is sealed with; callers' API keys are under `keys`."""


@seal.command()
@settings_options
@click.option(
    "--rounds", type=click.IntRange(1), default=30, show_default=True, help="How often to look again."
)
@click.pass_obj
def rotate(environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool, rounds: int) -> None:
    """Seal everything anew under the active key, while the gateway serves.

    Broken off and begun again, it goes on. Every process must know the active key before.
    """
    settings = read_settings(environ, file=file, is_sandbox=is_sandbox, data=data)
    loop.run(_rotate(settings, rounds))


async def _rotate(settings: Settings, rounds: int) -> None:
    clock = SystemClock()
    rotation = Rotation(open_journal(settings.journal), open_seal(settings, clock), clock.now)
    total = 0
    columns = (TextColumn("looked at {task.completed:,.0f}"), TimeElapsedColumn())
    for number in range(rounds):
        if number:
            await clock.sleep(_PAUSE_S)
        with Progress(*columns, console=err) as progress:
            task = progress.add_task("", total=None)
            done = await rotation.round(lambda count: progress.advance(task, count))  # noqa: B023 - used within
        total += done.resealed
        if not done.in_work:
            break
    out.print(f"sealed {total:,} documents anew under the key {settings.seal.active}")
    _say_what_is_left(done)


def _say_what_is_left(done: Round) -> None:
    left = {
        "in work: run it again": done.in_work,
        "under keys that are not configured here": done.missing,
        "not what was last written there: see the runbook": done.altered,
    }
    told_of = [f"{count:,} documents are {why}" for why, count in left.items() if count]
    if told_of:
        raise CannotDo("; ".join(told_of))


@seal.command()
@settings_options
@click.pass_obj
def status(environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool) -> None:
    """Count what is sealed under each key: a key without a row may be taken out of the configuration."""
    settings = read_settings(environ, file=file, is_sandbox=is_sandbox, data=data)
    found: list[Sealed] = []
    loop.run(_count(settings, found))
    by_key: dict[str, list[Sealed]] = {key_id: [] for key_id in settings.seal.keys}
    for sealed in found:
        by_key.setdefault(told(sealed.head)[0], []).append(sealed)
    columns = ["key", "", "transactions", "events", "of these in the old format"]
    table(columns, [_counted(key_id, by_key[key_id], settings) for key_id in sorted(by_key)])


async def _count(settings: Settings, into: list[Sealed]) -> None:
    into += await open_journal(settings.journal).seals()


def _counted(key_id: str, found: list[Sealed], settings: Settings) -> list[str]:
    standing = "active" if key_id == settings.seal.active else ""
    if key_id not in settings.seal.keys:
        standing = "not configured"
    counts = [sum(one.count for one in found if one.table == kept) for kept in ("transactions", "events")]
    old = sum(one.count for one in found if not told(one.head)[1])
    return [key_id, standing, *(str(count) for count in (*counts, old))]
