"""Commands for the keys that card data is sealed with and found by; they work beside whoever serves."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from giftcard_gateway.audit.records import COMMAND, RESEALED, AuditRecord
from giftcard_gateway.audit.trail import tell_once
from giftcard_gateway.cli.console import err, in_style, out, table
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.options import settings_options, settings_with_keys
from giftcard_gateway.cli.person import person
from giftcard_gateway.cli.wrapping import new_key, wrap_key
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.rotation import Rotation
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.process import loop
from giftcard_gateway.process.sealing import open_seal
from giftcard_gateway.seal import told

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from giftcard_gateway.config import Settings
    from giftcard_gateway.journal.contract import Sealed
    from giftcard_gateway.journal.rotation import Round

_NAMED = 100
"""Damaged documents that are told by name."""
_PAUSE_S = 2.0
"""Between rounds, while rows are in work."""


@click.group()
def seal() -> None:
    """Look after the keys that card data is sealed with and found by; callers' API keys are under `keys`."""


seal.add_command(new_key)
seal.add_command(wrap_key)


@seal.command()
@settings_options
@click.option(
    "--rounds", type=click.IntRange(1), default=30, show_default=True, help="How often to look again."
)
@click.pass_obj
def rotate(environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool, rounds: int) -> None:
    """Seal and index everything anew under the active key and the active hash key, while the gateway serves.

    Broken off and begun again, it goes on. Every process must know the active keys before. Ends with 1 where
    documents are damaged, under whatever key, and with 2 where others are left. The audit records the user of
    the operating system who did.
    """
    settings = settings_with_keys(environ, file=file, is_sandbox=is_sandbox, data=data)
    loop.run(_rotate(settings, rounds))


async def _rotate(settings: Settings, rounds: int) -> None:
    clock = SystemClock()
    journal, seal = open_journal(settings.journal), open_seal(settings, clock)
    rotation = Rotation(
        journal,
        seal,
        clock.now,
        marks_numbers=settings.journal.keeps_numbers is not None,
    )
    ring = f"the key {settings.seal.active} and the hash key {settings.seal.hash_active}"
    # First, so that nothing goes unrecorded.
    record = AuditRecord(at=clock.now(), act=RESEALED, by=person(), sign_in=COMMAND, about=ring)
    await tell_once(journal, seal, clock, record)
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
    out.print(f"sealed {total:,} documents anew under {ring}")
    _say_what_is_left(done)


def _say_what_is_left(done: Round) -> None:
    left = {
        "in work: run it again": done.in_work,
        "under keys that are not configured here": done.missing,
    }
    told_of = [f"{count:,} documents are {why}" for why, count in left.items() if count]
    for name in done.altered[:_NAMED]:
        err.print(in_style(f"{name} is not what was last written there", "red"), soft_wrap=True)
    if done.altered:
        count = f"{len(done.altered):,} documents are damaged, and were left: see the runbook"
        err.print(in_style("; ".join([count, *told_of]), "red"), soft_wrap=True)
        sys.exit(1)
    if told_of:
        raise CannotDo("; ".join(told_of))


@seal.command()
@settings_options
@click.pass_obj
def status(environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool) -> None:
    """Count what each key is needed for: one without a row may be taken out of the configuration."""
    settings = settings_with_keys(environ, file=file, is_sandbox=is_sandbox, data=data)
    found: list[Sealed] = []
    indexed: dict[str, int] = {}
    loop.run(_count(settings, found, indexed))
    by_key: dict[str, list[Sealed]] = {key_id: [] for key_id in settings.seal.keys}
    for sealed in found:
        by_key.setdefault(told(sealed.head)[0], []).append(sealed)
    columns = ["key", "", "transactions", "events", "of these in the old format"]
    table(columns, [_counted(key_id, by_key[key_id], settings) for key_id in sorted(by_key)])
    fingerprints = {key.key_id: key.fingerprint for key in open_seal(settings, SystemClock()).hash_keys}
    rows = [
        [
            key_id or "several",
            _standing(key_id, fingerprints, settings.seal.hash_active),
            fingerprints.get(key_id, ""),
            str(indexed.get(key_id, 0)),
        ]
        for key_id in sorted(fingerprints.keys() | indexed.keys())
    ]
    table(["hash key", "", "fingerprint", "transactions"], rows)


async def _count(settings: Settings, into: list[Sealed], indexed: dict[str, int]) -> None:
    journal = open_journal(settings.journal)
    into += await journal.seals()
    indexed.update(await journal.indexed())


def _standing(key_id: str, known: Container[str], active: str) -> str:
    """Say how a key stands in the configuration; the empty id means several keys."""
    if not key_id:
        return "rotate"
    if key_id not in known:
        return "not configured"
    return "active" if key_id == active else ""


def _counted(key_id: str, found: list[Sealed], settings: Settings) -> list[str]:
    standing = _standing(key_id, settings.seal.keys, settings.seal.active)
    counts = [sum(one.count for one in found if one.table == kept) for kept in ("transactions", "events")]
    old = sum(one.count for one in found if not told(one.head)[1])
    return [key_id, standing, *(str(count) for count in (*counts, old))]
