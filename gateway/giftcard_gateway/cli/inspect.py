"""Commands that tell something and change nothing: check-config, providers, route."""

from __future__ import annotations

from pathlib import Path

import click
from rich.markup import escape
from rich.text import Text

from giftcard_adapters.contract import Provider, traits_of
from giftcard_adapters.stanza import find_adapter
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import Operation
from giftcard_gateway import config
from giftcard_gateway.cli.console import complain, out, table, tell
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.options import read_settings, settings_options
from giftcard_gateway.config import Settings
from giftcard_gateway.errors import NoRoute
from giftcard_gateway.loading import loading
from giftcard_gateway.providers.capabilities import LEGEND, capabilities, markdown
from giftcard_gateway.providers.routing import Router, RoutingFacts


@click.command("check-config")
@settings_options
@click.option(
    "--connect",
    "is_connecting",
    is_flag=True,
    help="Also connect to every provider, issuer of tokens and the journal; nothing is sent or changed.",
)
@click.pass_obj
def check_config(
    environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool, is_connecting: bool
) -> None:
    """Check the configuration and show every setting in force, secrets hidden.

    Exits with 2 and one sentence for each fault.
    """
    settings = read_settings(environ, file=file, is_sandbox=is_sandbox, data=data)
    out.print(config.describe(settings), markup=False)
    if is_connecting:
        with loading():
            from giftcard_gateway.process import loop  # noqa: PLC0415 - few ask for it

        loop.run(_connect(settings))


async def _connect(settings: Settings) -> None:
    from giftcard_gateway.process.trying import trials  # noqa: PLC0415 - as above

    faults = []
    out.print()
    async for trial in trials(settings):
        if trial.works:
            out.print(f"[green]works[/] {trial.setting}: {escape(trial.told)}")
        else:
            faults.append(f"{trial.setting}: {trial.told}")
    if faults:
        raise CannotDo(*faults)


@click.command()
@settings_options
@click.option("--markdown", "is_markdown", is_flag=True, help="Print the table as README and docs have it.")
@click.pass_obj
def providers(
    environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool, is_markdown: bool
) -> None:
    """Show what every configured provider can do, and how an unknown outcome ends there."""
    settings = read_settings(environ, file=file, is_sandbox=is_sandbox, data=data)
    adapters = {name: find_adapter(stanza.adapter) for name, stanza in settings.providers.items()}
    if is_markdown:
        out.print(markdown(adapters.values()), markup=False)
        return
    columns = {name: capabilities(adapter) for name, adapter in adapters.items()}
    rows = next(iter(columns.values()), {})
    table(["", *columns], [[row, *(cells[row] for cells in columns.values())] for row in rows], is_prose=True)
    tell(f"\n[dim]{LEGEND}[/]\n")
    table(
        ["if unknown", *adapters],
        [[names_of(operation).words, *_endings(adapters, operation)] for operation in Operation],
        is_prose=True,
    )
    for name, adapter in adapters.items():
        tell(f"\n[bold]{name}[/]  {escape(adapter.facts)}")


def _endings(adapters: dict[str, type[Provider]], operation: Operation) -> list[str]:
    declared = [traits_of(adapter, operation) for adapter in adapters.values()]
    return [one.unknown.value.lower() if one else "–" for one in declared]


@click.command()
@settings_options
@click.option("--card", default="", help="A card number, or as much of its beginning as rules look at.")
@click.option("--operation", type=click.Choice([names_of(one).method for one in Operation]))
@click.option("--merchant", default="", help="The merchant's id.")
@click.option("--currency", default="", help="An ISO 4217 code, such as ZAR.")
@click.option("--product", default="", help="The product's id.")
@click.pass_obj
def route(
    environ: dict[str, str],
    /,
    file: Path | None,
    data: Path,
    *,
    is_sandbox: bool,
    operation: str | None,
    **asked: str,
) -> None:
    """Say where a request would go and why, without sending anything.

    Exits with 1 when no rule routes it.
    """
    settings = read_settings(environ, file=file, is_sandbox=is_sandbox, data=data)
    wanted = Operation(operation.upper()) if operation else None
    facts = RoutingFacts(
        number=asked["card"],
        merchant=asked["merchant"],
        currency=asked["currency"],
        product=asked["product"],
        operation=wanted,
    )
    try:
        chosen = Router(settings.rules(), settings.routing.default).choose(facts)
    except NoRoute as refusal:
        complain([str(refusal)])
        raise click.exceptions.Exit(1) from None
    out.print(Text.assemble((chosen.provider, "bold"), f", because {chosen.because}"))
    if chosen.failover:
        out.print(f"an issue that was surely not sent goes to {chosen.failover}")
    for warning in _in_doubt(settings, chosen.provider, wanted):
        out.print(Text.assemble(("but", "yellow"), f" {warning}"))


def _in_doubt(settings: Settings, provider_id: str, operation: Operation | None) -> list[str]:
    """Return why the chosen provider would refuse all the same."""
    stanza = settings.providers[provider_id]
    doubts = [] if stanza.enabled else ["the operator has switched this provider off"]
    if operation is not None and traits_of(find_adapter(stanza.adapter), operation) is None:
        doubts.append(f"it has no {names_of(operation).method}")
    return doubts
