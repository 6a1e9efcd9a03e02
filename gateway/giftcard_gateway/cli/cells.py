"""What `cells` does: moves a tenant from its cell into another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from giftcard_gateway.access.cells import cell_of
from giftcard_gateway.audit.records import COMMAND, TENANT_MOVED, AuditRecord
from giftcard_gateway.audit.trail import tell_once
from giftcard_gateway.cli.console import err, out
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.options import settings_options, settings_with_keys
from giftcard_gateway.cli.person import person
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.errors import OperatorError
from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.journal.moving import TenantMove
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.process import loop
from giftcard_gateway.process.sealing import open_seal

if TYPE_CHECKING:
    from pathlib import Path

    from giftcard_gateway.config import Settings
    from giftcard_gateway.journal.contract import Journal


@click.group()
def cells() -> None:
    """Look after journals that tenants are spread over; what they are is in the settings."""


@cells.command()
@click.argument("tenant")
@click.option("--to", "target", required=True, help="The cell it goes to.")
@settings_options
@click.pass_obj
def move(
    environ: dict[str, str], tenant: str, target: str, file: Path | None, data: Path, *, is_sandbox: bool
) -> None:
    """Move all of a tenant's transactions and events into another cell.

    Before: set `leaving = true` for the tenant and restart all gateways, so that nobody serves it; wait until
    nothing of it is open. Afterwards: give it its new cell, take `leaving` away and restart all gateways,
    those of its old cell first. Everything is in both cells before anything is deleted, so it is safe to run
    again where it was cut short. The audit of both records the user of the operating system who did.
    """
    settings = settings_with_keys(environ, file=file, is_sandbox=is_sandbox, data=data)
    loop.run(_move(settings, tenant, _source(settings, tenant, target), target))


def _source(settings: Settings, tenant: str, target: str) -> str:
    """Return the cell that a tenant is to leave; raise CannotDo where it may not, or for no such cell."""
    cell = cell_of(settings)
    if cell is None or target not in settings.cells:
        raise CannotDo(f"--to names no cell; known are {', '.join(settings.cells) or 'none'}")
    if tenant not in cell.leaving:
        raise CannotDo(
            f"tenants.{tenant}.leaving is not true: set it and restart every gateway, so that none serves the"
            " tenant while it is moved"
        )
    source = cell.home_of(tenant)
    if source == target:
        raise CannotDo(f"{tenant} is in the cell {target} already")
    return source


async def _move(settings: Settings, tenant: str, source: str, target: str) -> None:
    clock = SystemClock()
    seal = open_seal(settings, clock)
    old, new = (open_journal(settings.cells[name]) for name in (source, target))
    marks_numbers = settings.cells[target].keeps_numbers is not None
    moving = TenantMove(tenant, old, new, seal, marks_numbers=marks_numbers)
    opened: list[Journal] = []
    try:
        for name, one in ((source, old), (target, new)):
            try:
                if not (await one.schema()).found:
                    # A start would make a file, and an empty one is soon moved.
                    raise CannotDo("there is no journal where its URL leads from this folder; see `migrate`")
                await one.start()
            except OperatorError as fault:
                raise CannotDo(f"the cell {name}: {fault}") from None
            opened.append(one)
        await moving.must_be_at_rest()
        # First, so that nothing goes unrecorded.
        about = f"from the cell {source} to the cell {target}"
        record = AuditRecord(
            at=clock.now(), act=TENANT_MOVED, by=person(), sign_in=COMMAND, for_tenant=tenant, about=about
        )
        for one in opened:
            await tell_once(one, seal, clock, record)
        columns = (TextColumn("{task.description} {task.completed:,.0f}"), TimeElapsedColumn())
        with Progress(*columns, console=err) as progress:
            task = progress.add_task("copied")
            count = await moving.copy(lambda done: progress.advance(task, done))
            await moving.compare()
            task = progress.add_task("deleted")
            await moving.leave(lambda done: progress.advance(task, done))
    except JournalClosed as fault:
        raise CannotDo(f"{fault}: run this again when both cells can be reached") from None
    finally:
        for one in opened:
            await one.close()
    out.print(f"moved {count:,} transactions of {tenant} {about}")
    out.print(
        f'now set tenants.{tenant}.cell = "{target}" and take leaving away, then restart the gateways of the'
        f" cell {source}, and after them those of {target}",
        soft_wrap=True,
    )
