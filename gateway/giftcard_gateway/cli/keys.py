"""Commands for API keys: create, list, revoke. They work on the journal, beside whoever serves from it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from giftcard_adapters.values.operations import Operation
from giftcard_gateway.access import api_keys
from giftcard_gateway.audit.records import COMMAND, KEY_CREATED, KEY_REVOKED, AuditRecord
from giftcard_gateway.audit.trail import tell_once
from giftcard_gateway.cli.console import err, out, table
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.options import read_settings, settings_options, settings_with_keys
from giftcard_gateway.cli.person import person
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.config.access import Grant, Scope
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.process import loop
from giftcard_gateway.process.sealing import open_seal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from giftcard_gateway.access.api_keys import ApiKey
    from giftcard_gateway.config import Settings
    from giftcard_gateway.journal.contract import Journal

_SCOPES = [scope.value.removeprefix("giftcard.") for scope in Scope]
_OPERATIONS = [operation.value.lower() for operation in Operation]


@click.group()
def keys() -> None:
    """Look after the API keys that callers sign in with.

    Every gateway on the same journal knows within two seconds what was made or revoked.
    """


@keys.command()
@settings_options
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(_SCOPES), help="What for.")
@click.option("--tenant", default="default", show_default=True, help="Whose transactions.")
@click.option("--merchant", "merchants", multiple=True, help="Only for these merchants, by their id.")
@click.option("--provider", "providers", multiple=True, help="Only with these providers.")
@click.option("--operation", "operations", multiple=True, type=click.Choice(_OPERATIONS), help="Only these.")
@click.option(
    "--days", type=click.IntRange(1, 3650), help="How long it lets anybody in; without it, until revoked."
)
@click.pass_obj
def create(
    environ: dict[str, str],
    /,
    file: Path | None,
    data: Path,
    *,
    is_sandbox: bool,
    days: int | None,
    **given: Any,  # noqa: ANN401 - click's values
) -> None:
    """Make a key for the caller NAME and show it, this once."""
    settings = settings_with_keys(environ, file=file, is_sandbox=is_sandbox, data=data)
    grant = _grant(given)
    if unknown := sorted(set(grant.providers) - settings.providers.keys()):
        raise click.UsageError(f"No provider is configured as {', '.join(unknown)}.")
    clock = SystemClock()
    expires_at = None if days is None else clock.now() + timedelta(days=days)
    key, text = api_keys.make(grant, clock, expires_at=expires_at)
    loop.run(_put(settings, key, KEY_CREATED))
    # Alone on standard output, so that it can be piped to where it is kept.
    click.echo(text)
    err.print(f"[dim]key {key.key_id} for {grant.name}; it is not shown again[/]")
    if not settings.access.api_keys:
        err.print("[yellow]access.api_keys is not true in this configuration: no key is taken yet[/]")


def _grant(given: dict[str, Any]) -> Grant:
    """Return the grant that the options of `create` mean, by their names."""
    raw = {
        **given,
        "scopes": [f"giftcard.{scope}" for scope in given["scopes"]],
        "operations": [operation.upper() for operation in given["operations"]],
    }
    try:
        return msgspec.convert(raw, Grant, strict=False)
    except msgspec.ValidationError:
        raise click.UsageError(
            "NAME and --tenant are up to 128 letters, digits and . _ : / @ + - each."
        ) from None


@keys.command("list")
@settings_options
@click.option("--tenant", help="Only one tenant's; without it, every tenant's.")
@click.pass_obj
def list_(
    environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool, tenant: str | None
) -> None:
    """List the keys; their secrets are kept nowhere."""
    settings = read_settings(environ, file=file, is_sandbox=is_sandbox, data=data)
    found = [key for key in _read(settings) if tenant in {None, key.grant.tenant}]
    columns = ["key", "name", "tenant", "scopes", "only", "made", "ends"]
    table(columns, [_shown(key) for key in found])
    if not found:
        err.print("[dim]none[/]")


def _shown(key: ApiKey) -> list[str]:
    grant = key.grant
    only = [*grant.merchants, *grant.providers, *(operation.value for operation in grant.operations)]
    ends = f"{key.expires_at:%Y-%m-%d}" if key.expires_at else "–"
    return [
        key.key_id,
        grant.name,
        grant.tenant,
        ", ".join(scope.value.removeprefix("giftcard.") for scope in grant.scopes),
        ", ".join(only) or "–",
        f"{key.created_at:%Y-%m-%d}",
        f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else ends,
    ]


@keys.command()
@settings_options
@click.argument("key_id")
@click.option("--tenant", help="Only if the key is this tenant's.")
@click.pass_obj
def revoke(
    environ: dict[str, str],
    key_id: str,
    file: Path | None,
    data: Path,
    *,
    is_sandbox: bool,
    tenant: str | None,
) -> None:
    """Let a key let nobody in any more, by its id or by its text."""
    settings = settings_with_keys(environ, file=file, is_sandbox=is_sandbox, data=data)
    wanted = key_id.removeprefix(api_keys.PREFIX).partition("_")[0]
    key = next((one for one in _read(settings) if one.key_id == wanted), None)
    if key is None or tenant not in {None, key.grant.tenant}:
        raise CannotDo("there is no such key")
    loop.run(_put(settings, api_keys.revoked(key, SystemClock().now()), KEY_REVOKED))
    out.print(f"key {key.key_id} of {key.grant.name} lets nobody in any more")


async def _put(settings: Settings, key: ApiKey, act: str) -> None:
    """Write a key, and down in the audit who did so: first, so that no key comes or goes unrecorded."""
    journal, clock = open_journal(settings.keys_at), SystemClock()
    record = AuditRecord(
        at=clock.now(),
        act=act,
        by=person(),
        sign_in=COMMAND,
        tenant=key.grant.tenant,
        about=key.key_id,
    )
    await tell_once(journal, open_seal(settings, clock), clock, record)
    await journal.put_api_key(api_keys.row_of(key))


def _read(settings: Settings) -> Sequence[ApiKey]:
    found: list[ApiKey] = []
    loop.run(_gather(open_journal(settings.keys_at), found))
    return found


async def _gather(journal: Journal, into: list[ApiKey]) -> None:
    into += api_keys.keys_of(await journal.api_keys())
