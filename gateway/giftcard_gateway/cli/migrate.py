"""The command that brings a journal to the schema this version knows: migrate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from giftcard_gateway.cli.console import out
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.options import read_settings, settings_options
from giftcard_gateway.config.settings import DEFAULT_CELL
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.process import loop

if TYPE_CHECKING:
    from giftcard_gateway.journal.contract import Journal


@click.command()
@settings_options
@click.option(
    "--check", "is_check", is_flag=True, help="Only tell; exit with 1 when there is something to do."
)
@click.option(
    "--print", "is_print", is_flag=True, help="Only print the SQL that would run, to read or to run by hand."
)
@click.option("--cell", "only", help="Only this cell's journal; without it, every cell's in turn.")
@click.pass_obj
def migrate(
    environ: dict[str, str],
    file: Path | None,
    data: Path,
    *,
    is_sandbox: bool,
    is_check: bool,
    is_print: bool,
    only: str | None,
) -> None:
    """Bring the journal to this version's schema, whole or not at all.

    Safe to repeat, and safe from several hosts at once: they take turns. It says which gateways work with the
    schema before and after: those of the oldest schema named and later. They may go on, be started and be put
    in the new version's place.
    """
    settings = read_settings(environ, file=file, is_sandbox=is_sandbox, data=data)
    cells = settings.cells or {DEFAULT_CELL: settings.journal}
    if only is not None and only not in cells:
        raise CannotDo(f"--cell names no cell; known are {', '.join(cells)}")
    is_behind = False
    for name in cells if only is None else (only,):
        if settings.cells:
            click.echo(f"-- The cell {name}:")
        journal = open_journal(cells[name])
        if is_print:
            loop.run(_print(journal))
        else:
            behind: list[bool] = []
            loop.run(_migrate(journal, behind, is_check=is_check))
            is_behind = is_behind or bool(behind)
    if is_behind:
        raise click.exceptions.Exit(1)


async def _print(journal: Journal) -> None:
    state = await journal.schema()
    # Not through the console, which would break lines at the terminal's width.
    click.echo(state.sql or f"-- The journal has schema {state.found}: there is nothing to run.")


async def _migrate(journal: Journal, behind: list[bool], *, is_check: bool) -> None:
    """Bring one journal up, or tell how it stands; `behind` hears when only telling found something to do."""
    state = await journal.schema()
    if state.found > state.known:
        out.print(f"the journal has schema {state.found}, newer than this version's {state.known}")
        out.print(_told(state.oldest_reader, "nothing to do"))
    elif not state.sql:
        out.print(f"the journal has schema {state.found}, as this version knows it")
        out.print(_told(state.oldest_reader))
    elif is_check:
        out.print(
            f"the journal has schema {state.found or 'none'}; this version knows {state.known}: run migrate"
        )
        out.print(_told(state.oldest_reader_after, "then", before=state.oldest_reader))
        behind.append(True)
    else:
        await journal.upgrade()
        out.print(f"the journal went from schema {state.found or 'none'} to {state.known}")
        out.print(_told(state.oldest_reader_after, before=state.oldest_reader))


def _told(reader: str, word: str = "", *, before: str = "") -> str:
    """Say which gateways work with a schema, and with the one before it."""
    told = f"{word}: " if word else ""
    was = f" (before: from {before} on)" if before else ""
    return f"{told}gateways that know schema {reader} or a later one work with it{was}"
