"""Commands that have keys wrapped by a key service (KMS); no key in the clear is shown or asked for."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from giftcard_gateway import config
from giftcard_gateway.audit.records import COMMAND, WRAPPED, AuditRecord
from giftcard_gateway.audit.trail import tell_once
from giftcard_gateway.cli.console import err, in_style
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.options import settings_options, settings_with_keys
from giftcard_gateway.cli.person import person
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.contract import JournalClosed, SchemaUnknown
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.kms.contract import KmsFault, WrappedKey
from giftcard_gateway.kms.services import open_service
from giftcard_gateway.process import loop
from giftcard_gateway.process.sealing import open_seal
from giftcard_gateway.seal import KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from giftcard_gateway.config import Settings
    from giftcard_gateway.kms.settings import Pkcs11Settings

_SETTINGS = re.compile(r"seal\.(hash_key|(keys|hash_keys)\.[ -~]{1,64})")

_kms_option = click.option("--kms", required=True, help="The key service that wraps it: ID for [kms.ID].")


@click.command("new-key")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="GIFTCARD_GATEWAY_CONFIG",
    show_envvar=True,
    required=True,
    help="The configuration; of it only [kms] is read.",
)
@_kms_option
@click.argument("setting")
@click.pass_obj
def new_key(environ: dict[str, str], file: Path, setting: str, kms: str) -> None:
    """Make a key and show it wrapped, to stand in SETTING: seal.keys.ID, seal.hash_key or seal.hash_keys.ID.

    It opens in no other setting. No journal is asked for, because the keys that its audit is made with may
    not be there yet: the key service's own log has who did it.
    """
    if not _SETTINGS.fullmatch(setting):
        raise click.UsageError("SETTING is seal.keys.ID, seal.hash_key or seal.hash_keys.ID.")
    _wrap(SystemClock().random_bytes(KEY_BYTES), setting, kms, config.load_kms(file, environ))


@click.command("wrap-key")
@settings_options
@_kms_option
@click.argument("setting")
@click.pass_obj
def wrap_key(
    environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool, setting: str, kms: str
) -> None:
    """Show the key that stands in SETTING wrapped anew, whether it is in the clear now or wrapped.

    The audit records the user of the operating system who did, if the journal can be written.
    """
    settings = settings_with_keys(environ, file=file, is_sandbox=is_sandbox, data=data)
    key = settings.seal.by_setting().get(setting)
    if key is None:
        raise CannotDo(f"there is no key in {setting}; there are {', '.join(settings.seal.by_setting())}")
    loop.run(_record(settings, f"{setting} by kms.{kms}"))
    _wrap(base64.b64decode(key.reveal()), setting, kms, settings.kms)


async def _record(settings: Settings, about: str) -> None:
    clock = SystemClock()
    record = AuditRecord(at=clock.now(), act=WRAPPED, by=person(), sign_in=COMMAND, about=about)
    try:
        await tell_once(open_journal(settings.journal), open_seal(settings, clock), clock, record)
    except (JournalClosed, SchemaUnknown) as fault:
        err.print(in_style(f"not in the audit: {fault}", "yellow"), soft_wrap=True)


def _wrap(key: bytes, setting: str, kms: str, services: Mapping[str, Pkcs11Settings]) -> None:
    if kms not in services:
        raise CannotDo(f"there is no [kms.{kms}] in the configuration")
    try:
        with open_service(services[kms]) as service:
            text = WrappedKey(kms, service.wrap(key, setting)).text()
    except KmsFault as fault:
        raise CannotDo(f"kms.{kms} cannot be used: {fault}") from None
    # Alone on standard output, so that it can be piped to where it is kept.
    click.echo(text)
    err.print(f"[dim]for {setting}[/]")
