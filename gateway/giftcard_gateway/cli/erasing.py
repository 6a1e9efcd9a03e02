"""What `transactions erase-numbers` does to a journal: erase the card numbers that were kept long enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from giftcard_gateway.audit.records import COMMAND, NUMBERS_ERASED, AuditRecord
from giftcard_gateway.audit.trail import tell_once
from giftcard_gateway.cli.console import err, out
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.options import settings_options, settings_with_keys
from giftcard_gateway.cli.person import person
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.ledger.observer import Observer
from giftcard_gateway.pipeline.assembly import assemble
from giftcard_gateway.pipeline.retention import Retention
from giftcard_gateway.process import loop
from giftcard_gateway.process.sealing import open_seal
from giftcard_gateway.providers.connections import Connections
from giftcard_gateway.providers.routing import Router

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from giftcard_gateway.config import Settings


@click.command("erase-numbers")
@settings_options
@click.pass_obj
def erase_numbers(environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool) -> None:
    """Erase the card numbers of everything that ended journal.card_number_retention_days ago.

    A gateway does so by itself with what was written since the setting is there; this reads everything, and
    is needed once for what is older. Broken off and begun again, it goes on. The audit records the user of
    the operating system who did.
    """
    settings = settings_with_keys(environ, file=file, is_sandbox=is_sandbox, data=data)
    if settings.journal.keeps_numbers is None:
        raise CannotDo("journal.card_number_retention_days is not set, so card numbers are kept")
    loop.run(_erase(settings, settings.journal.keeps_numbers))


async def _erase(settings: Settings, keeps: timedelta) -> None:
    journal, clock = open_journal(settings.journal), SystemClock()
    seal = open_seal(settings, clock)
    pipeline = assemble(
        name="erase-numbers",
        journal=journal,
        seal=seal,
        connections=Connections(()),
        router=Router((), default=""),
        clock=clock,
        observer=Observer(),
        keeps_numbers=keeps,
    )
    retention = Retention(records=pipeline.records, events=pipeline.events, clock=clock, keeps=keeps)
    about = f"finished before {retention.before():%Y-%m-%d}"
    await journal.start()
    try:
        # First, so that nothing goes unrecorded.
        record = AuditRecord(at=clock.now(), act=NUMBERS_ERASED, by=person(), sign_in=COMMAND, about=about)
        await tell_once(journal, seal, clock, record)
        columns = (TextColumn("looked at {task.completed:,.0f}"), TimeElapsedColumn())
        with Progress(*columns, console=err) as progress:
            task = progress.add_task("", total=None)
            done = await retention.everything(lambda count: progress.advance(task, count))
    finally:
        await journal.close()
    out.print(f"erased the card numbers of {done.erased:,} documents {about}")
    if done.unreadable:
        raise CannotDo(f"{done.unreadable:,} documents cannot be opened here: see the runbook")
