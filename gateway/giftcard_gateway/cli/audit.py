"""Commands for the audit: export it, and check that it is as it was written."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from giftcard_gateway.access.metadata import EVERY_TENANT
from giftcard_gateway.audit.purge import purge as cut
from giftcard_gateway.audit.purge import rows_of
from giftcard_gateway.audit.records import AUDIT_PURGED, COMMAND, AuditRecord, exported, record_of
from giftcard_gateway.audit.verify import verify as check
from giftcard_gateway.cli.console import err, in_style, out
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.kept import demand_kept
from giftcard_gateway.cli.options import read_settings, settings_options, settings_with_keys
from giftcard_gateway.cli.person import person
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.pipeline.hourly import must_not_be_ahead
from giftcard_gateway.process import loop
from giftcard_gateway.process.sealing import open_seal
from giftcard_gateway.telemetry.logs import json_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from giftcard_gateway.audit.verify import Checked
    from giftcard_gateway.config import Settings
    from giftcard_gateway.journal.contract import Journal

_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group()
def audit() -> None:
    """Export and check the records of who did what.

    They are in the journal, in one hash chain for each process; nothing changes them, and only `purge`
    deletes some.
    """


_KEPT = click.Path(path_type=Path, dir_okay=False, exists=True)


@audit.command()
@settings_options
@click.option("--since", type=_TIME, help="Only what happened at this time (UTC) or later.")
@click.option("--until", type=_TIME, help="Only what happened before this time (UTC).")
@click.option("--tenant", help="Only what one tenant's callers did, or others did for it.")
@click.option(
    "--after",
    "kept",
    type=_KEPT,
    multiple=True,
    help="A file of an earlier export; only what came after the last record of each chain in it.",
)
@click.pass_obj
def export(
    environ: dict[str, str],
    /,
    file: Path | None,
    data: Path,
    *,
    is_sandbox: bool,
    kept: tuple[Path, ...],
    since: datetime | None,
    until: datetime | None,
    tenant: str | None,
) -> None:
    """Print the records as JSON lines, chain by chain.

    Keep them elsewhere: `verify --against` finds what the journal lost since. To go on where an export
    stopped, append to what there is: `export --after audit.jsonl >> audit.jsonl`.
    """
    settings = read_settings(environ, file=file, is_sandbox=is_sandbox, data=data)
    known = _last(_records(kept))
    demand_kept(settings, tenant)
    loop.run(_export(open_journal(settings.journal), known, _utc(since), _utc(until), tenant))


async def _export(
    journal: Journal,
    known: Mapping[str, int],
    since: datetime | None,
    until: datetime | None,
    tenant: str | None,
) -> None:
    async for row in rows_of(journal, known):
        if (since and row.at < since) or (until and row.at >= until):
            continue
        if tenant is None or _is_of(record_of(row), tenant):
            click.echo(json_line(exported(row)))


def _last(records: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the last number of each chain."""
    last: dict[str, int] = {}
    for one in records:
        last[one["chain"]] = max(one["number"], last.get(one["chain"], 0))
    return last


def _is_of(record: AuditRecord, tenant: str) -> bool:
    """Tell whether a tenant's caller did it, or another did it for the tenant or for every one."""
    return record.tenant == tenant or record.for_tenant in {tenant, EVERY_TENANT}


@audit.command()
@settings_options
@click.option(
    "--against",
    type=_KEPT,
    multiple=True,
    help="A file that `audit export` wrote earlier: what is in it must still be there, or purged.",
)
@click.pass_obj
def verify(
    environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool, against: tuple[Path, ...]
) -> None:
    """Check every chain; end with 1 if a record was changed, taken out, put in or moved."""
    settings = settings_with_keys(environ, file=file, is_sandbox=is_sandbox, data=data)
    found: list[Checked] = []
    loop.run(_verify(settings, _records(against), found))
    for fault in found[0].faults:
        told = f"chain {fault.chain}, record {fault.number}: {fault.wrong}"
        # Who put a record in chose what its chain is called.
        err.print(in_style(told, "red"), soft_wrap=True)
    if not found[0].records:
        err.print("[red]there is no record at all, and every gateway that started left one[/]")
    if found[0].leftovers:
        err.print(
            f"[red]{found[0].leftovers} records are there that a purge took by its own word: one that"
            " broke off left them, or somebody put them in. Nothing proves what they say;"
            " `audit purge` deletes them.[/]",
            soft_wrap=True,
        )
    if found[0].faults or found[0].leftovers or not found[0].records:
        sys.exit(1)
    out.print(f"{found[0].records} records in {len(found[0].heads)} chains are as they were written")
    if found[0].cuts:
        out.print(f"[dim]purges recorded where they cut {len(found[0].cuts)} chains[/]")


def _records(files: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the places and hashes in files of exports; raise CannotDo for what is none."""
    return [one for file in files for one in _records_of(file)]


def _records_of(file: Path) -> list[dict[str, Any]]:
    written = file.read_bytes()
    if written and not written.endswith(b"\n"):
        # What is appended to it would be lost with it.
        raise CannotDo(f"the last line of {file} broke off: cut it off, and export again after that")
    try:
        kept = [msgspec.json.decode(line, type=dict[str, Any]) for line in written.splitlines()]
        return [{"chain": str(one["chain"]), "number": int(one["number"]), "mac": one["mac"]} for one in kept]
    except (ValueError, KeyError, TypeError, msgspec.MsgspecError):
        raise CannotDo(f"{file} is not a file that `audit export` wrote") from None


async def _verify(settings: Settings, kept: list[dict[str, Any]], found: list[Checked]) -> None:
    seal, journal = open_seal(settings, SystemClock()), open_journal(settings.journal)
    found.append(await check(lambda: rows_of(journal), seal, exported=kept))


@audit.command()
@settings_options
@click.option(
    "--older-than", "days", type=click.IntRange(1, 36500), required=True, help="Days since it happened."
)
@click.pass_obj
def purge(environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool, days: int) -> None:
    """Delete old records, so that `verify` still holds for what is left.

    Never younger than journal.audit_retention_days, and nothing where `verify` finds a fault. Where it cut is
    recorded, with the user of the operating system who did.
    """
    settings = settings_with_keys(environ, file=file, is_sandbox=is_sandbox, data=data)
    least = settings.journal.audit_retention_days
    if days < least:
        raise CannotDo(f"--older-than {days} is less than journal.audit_retention_days, which is {least}")
    gone: list[int] = []
    loop.run(_purge(settings, days, gone))
    out.print(f"deleted {gone[0]:,.0f} records of what happened more than {days} days ago")


async def _purge(settings: Settings, days: int, gone: list[int]) -> None:
    clock, journal = SystemClock(), open_journal(settings.journal)
    await must_not_be_ahead(journal, clock)
    now = clock.now()
    before = now - timedelta(days=days)
    record = AuditRecord(
        at=now,
        act=AUDIT_PURGED,
        by=person(),
        sign_in=COMMAND,
        about=f"happened before {before:%Y-%m-%d}",
    )
    gone.append(await cut(journal, open_seal(settings, clock), clock, before=before, record=record))


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
