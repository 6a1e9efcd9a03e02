"""Commands for the audit: export it, and check that it is as it was written."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from giftcard_gateway.audit.records import exported, record_of
from giftcard_gateway.audit.verify import verify as check
from giftcard_gateway.cli.console import err, out
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.options import read_settings, settings_options, settings_with_keys
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.process import loop
from giftcard_gateway.process.sealing import open_seal

if TYPE_CHECKING:
    from giftcard_gateway.audit.verify import Checked
    from giftcard_gateway.config import Settings
    from giftcard_gateway.journal.contract import AuditRow, Journal

_PAGE = 1000
_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group()
def audit() -> None:
    """Export and check the records of who did what.

    They are in the journal, in one hash chain for each process; nothing changes or deletes them.
    """


@audit.command()
@settings_options
@click.option("--since", type=_TIME, help="Only what happened at this time (UTC) or later.")
@click.option("--until", type=_TIME, help="Only what happened before this time (UTC).")
@click.option("--tenant", help="Only what one tenant's callers did.")
@click.pass_obj
def export(
    environ: dict[str, str],
    file: Path | None,
    data: Path,
    *,
    is_sandbox: bool,
    since: datetime | None,
    until: datetime | None,
    tenant: str | None,
) -> None:
    """Print the records as JSON lines, chain by chain.

    Keep them elsewhere: `verify --against` finds what the journal lost since.
    """
    settings = read_settings(environ, file=file, is_sandbox=is_sandbox, data=data)
    loop.run(_export(open_journal(settings.journal), _utc(since), _utc(until), tenant))


async def _export(
    journal: Journal, since: datetime | None, until: datetime | None, tenant: str | None
) -> None:
    async for row in _rows(journal):
        if (since and row.at < since) or (until and row.at >= until):
            continue
        if tenant is None or record_of(row).tenant == tenant:
            click.echo(msgspec.json.encode(exported(row)))


@audit.command()
@settings_options
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A file that `audit export` wrote earlier: what is in it must still be there.",
)
@click.pass_obj
def verify(
    environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool, against: Path | None
) -> None:
    """Check every chain; end with 1 if a record was changed, taken out, put in or moved."""
    settings = settings_with_keys(environ, file=file, is_sandbox=is_sandbox, data=data)
    found: list[Checked] = []
    loop.run(_verify(settings, _kept(against), found))
    for fault in found[0].faults:
        err.print(f"[red]chain {fault.chain}, record {fault.number}: {fault.wrong}[/]", soft_wrap=True)
    if not found[0].records:
        err.print("[red]there is no record at all, and every gateway that started left one[/]")
    if found[0].faults or not found[0].records:
        sys.exit(1)
    out.print(f"{found[0].records} records in {len(found[0].heads)} chains are as they were written")


def _kept(against: Path | None) -> list[dict[str, Any]]:
    if against is None:
        return []
    try:
        lines = against.read_bytes().splitlines()
        kept = [msgspec.json.decode(line, type=dict[str, Any]) for line in lines]
        return [{"chain": one["chain"], "number": int(one["number"]), "mac": one["mac"]} for one in kept]
    except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError):
        raise CannotDo(f"{against} is not a file that `audit export` wrote") from None


async def _verify(settings: Settings, kept: list[dict[str, Any]], found: list[Checked]) -> None:
    seal = open_seal(settings, SystemClock())
    found.append(await check(_rows(open_journal(settings.journal)), seal, exported=kept))


async def _rows(journal: Journal) -> AsyncIterator[AuditRow]:
    after = ("", 0)
    while rows := await journal.audit(after=after, limit=_PAGE):
        for row in rows:
            yield row
        after = rows[-1].chain, rows[-1].number


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
