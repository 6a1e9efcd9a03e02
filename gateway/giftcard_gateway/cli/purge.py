"""What `transactions purge` does to a journal: delete what is finished and old, a batch at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rich.progress import Progress, TextColumn, TimeElapsedColumn

from giftcard_gateway.cli.console import err, out
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.process import loop

if TYPE_CHECKING:
    from giftcard_gateway.config import Settings
    from giftcard_gateway.journal.contract import Journal

_BATCH = 1000


def purge_journal(settings: Settings, days: int) -> None:
    """Delete what was finished more than `days` days ago, and say how much it was."""
    loop.run(_purge(settings, days))


async def _purge(settings: Settings, days: int) -> None:
    journal = open_journal(settings.journal)
    await journal.start()
    try:
        await _purge_batches(journal, days)
    finally:
        await journal.close()


async def _purge_batches(journal: Journal, days: int) -> None:
    before = SystemClock().now() - timedelta(days=days)
    columns = (TextColumn("deleted {task.completed:,.0f}"), TimeElapsedColumn())
    with Progress(*columns, console=err) as progress:
        task = progress.add_task("", total=None)
        while deleted := await journal.purge(before=before, limit=_BATCH):
            progress.advance(task, deleted)
        total = progress.tasks[0].completed
    out.print(f"deleted {total:,.0f} transactions finished more than {days} days ago")
