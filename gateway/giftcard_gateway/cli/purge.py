"""What `transactions purge` does to a journal: delete what is finished and old, a batch at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from giftcard_gateway.audit.records import COMMAND, PURGED, AuditRecord
from giftcard_gateway.audit.trail import tell_once
from giftcard_gateway.cli.console import err, out
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.kept import demand_kept
from giftcard_gateway.cli.options import settings_options, settings_with_keys
from giftcard_gateway.cli.person import person
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.pipeline.hourly import must_not_be_ahead
from giftcard_gateway.process import loop
from giftcard_gateway.process.sealing import open_seal

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from giftcard_gateway.config import Settings
    from giftcard_gateway.journal.contract import Journal

_BATCH = 1000


@click.command()
@settings_options
@click.option(
    "--older-than", "days", type=click.IntRange(1, 36500), required=True, help="Days since the last write."
)
@click.option("--tenant", help="Only one tenant's; without it, every tenant's.")
@click.pass_obj
def purge(
    environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool, days: int, tenant: str | None
) -> None:
    """Delete finished transactions from the journal, and events that were carried over.

    A gateway does it by itself for what is older than the retention, unless journal.purges is false.

    Never younger than the configured retention: ids must outlive every reversal window. The audit records
    the user of the operating system who did.
    """
    settings = settings_with_keys(environ, file=file, is_sandbox=is_sandbox, data=data)
    demand_kept(settings, tenant)
    least = settings.journal.retention_days
    if days < least:
        raise CannotDo(f"--older-than {days} is less than journal.retention_days, which is {least}")
    loop.run(_purge(settings, days, tenant))


async def _purge(settings: Settings, days: int, tenant: str | None) -> None:
    journal, clock = open_journal(settings.journal), SystemClock()
    await journal.start()
    try:
        await must_not_be_ahead(journal, clock)
        before = clock.now() - timedelta(days=days)
        # First, so that nothing goes unrecorded.
        record = AuditRecord(
            at=clock.now(),
            act=PURGED,
            by=person(),
            sign_in=COMMAND,
            for_tenant=tenant or "",
            about=f"finished before {before:%Y-%m-%d}",
        )
        await tell_once(journal, open_seal(settings, clock), clock, record)
        await _purge_batches(journal, days, before, tenant)
    finally:
        await journal.close()


async def _purge_batches(journal: Journal, days: int, before: datetime, tenant: str | None) -> None:
    columns = (TextColumn("deleted {task.completed:,.0f}"), TimeElapsedColumn())
    with Progress(*columns, console=err) as progress:
        task = progress.add_task("", total=None)
        if tenant is None:
            await journal.drop(before=before)
        while deleted := await journal.purge(before=before, limit=_BATCH, tenant=tenant):
            progress.advance(task, deleted)
        total = progress.tasks[0].completed
    out.print(
        f"deleted {total:,.0f} transactions and events, finished or carried over and older than {days} days"
    )
