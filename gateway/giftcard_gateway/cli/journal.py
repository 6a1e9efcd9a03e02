"""Commands for the journal itself; what brings it to a version's schema is `migrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from giftcard_gateway.audit.records import COMMAND, FEED_MENDED, AuditRecord
from giftcard_gateway.audit.trail import tell_once
from giftcard_gateway.cli.console import out
from giftcard_gateway.cli.options import settings_options, settings_with_keys
from giftcard_gateway.cli.person import person
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.process import loop
from giftcard_gateway.process.sealing import open_seal

if TYPE_CHECKING:
    from pathlib import Path

    from giftcard_gateway.config import Settings


@click.group()
def journal() -> None:
    """Look after the journal itself; `migrate` brings it to a version's schema."""


@journal.command("mend-feed")
@settings_options
@click.pass_obj
def mend_feed(environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool) -> None:
    """Show in the feed again what a restore of PostgreSQL from a dump has hidden.

    A gateway refuses to start on such a journal. Stop them all before; it is done whole or not at all, and
    once: run again, it finds nothing. All places in the feed are new, so whoever watches begins anew. The
    audit records the user of the operating system who did.
    """
    settings = settings_with_keys(environ, file=file, is_sandbox=is_sandbox, data=data)
    loop.run(_mend(settings))


async def _mend(settings: Settings) -> None:
    journal, clock = open_journal(settings.journal), SystemClock()
    count = await journal.hidden()
    if not count:
        out.print("the feed hides nothing: there is nothing to mend")
        return
    # First, so that nothing goes unrecorded.
    about = f"{count} hidden changes and events"
    record = AuditRecord(at=clock.now(), act=FEED_MENDED, by=person(), sign_in=COMMAND, about=about)
    await tell_once(journal, open_seal(settings, clock), clock, record)
    done = await journal.mend_feed()
    out.print(f"the feed shows {count:,} changes and events again; {done:,} have another place in it")
    out.print("cursors from before are void: whoever watches begins anew")
