"""The command that brings a journal to the schema this version knows: migrate."""

from __future__ import annotations

from pathlib import Path

import click

from giftcard_gateway.cli.console import out
from giftcard_gateway.cli.options import read_settings, settings_options
from giftcard_gateway.journal import schema, stores
from giftcard_gateway.process import serving


@click.command(short_help="Bring the journal to this version's schema.")
@settings_options
@click.option(
    "--check", "is_check", is_flag=True, help="Only tell; exit with 1 when there is something to do."
)
@click.pass_obj
def migrate(
    environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool, is_check: bool
) -> None:
    """Bring the journal to this version's schema, whole or not at all.

    Safe to repeat, and safe from several hosts at once: they take turns.
    """
    url = read_settings(environ, file=file, is_sandbox=is_sandbox, data=data).journal.url.reveal()
    serving.run(_migrate(url, is_check=is_check))


async def _migrate(url: str, *, is_check: bool) -> None:
    found = await stores.current(url)
    if found == schema.HEAD:
        out.print(f"the journal has schema {found}, as this version knows it")
    elif is_check:
        out.print(f"the journal has schema {found or 'none'}; this version knows {schema.HEAD}: run migrate")
        raise click.exceptions.Exit(1)
    else:
        await stores.upgrade(url)
        out.print(f"the journal went from schema {found or 'none'} to {schema.HEAD}")
