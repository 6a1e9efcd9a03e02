"""The command that serves the gateway: serve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from giftcard_gateway.cli.console import complain, err
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.options import port_option, read_settings, settings_options
from giftcard_gateway.config import pin_grpc
from giftcard_gateway.config.origin import SettingsOrigin
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.loading import loading
from giftcard_gateway.process import loop
from giftcard_gateway.process.sealing import with_open_keys

if TYPE_CHECKING:
    from giftcard_gateway.config import Settings
    from giftcard_gateway.process.app import App
    from giftcard_gateway.telemetry import Telemetry


@click.command()
@settings_options
@port_option
@click.option("--workers", "count", type=click.IntRange(1, 128), help="Processes that share the port.")
@click.pass_obj
def serve(
    environ: dict[str, str],
    file: Path | None,
    data: Path,
    port: int,
    *,
    is_sandbox: bool,
    count: int | None,
) -> None:
    """Serve the gateway until SIGTERM or Ctrl-C, then drain.

    With --sandbox it starts simulated providers beside itself and needs no configuration. Otherwise SIGHUP
    has the configuration read again, and taken whole or not at all.
    """
    if count is not None:
        environ = {**environ, "GIFTCARD_GATEWAY__SERVER__WORKERS": str(count)}
    if file is not None:
        loop.hold_hangups()
    as_read = read_settings(environ, file=file, is_sandbox=is_sandbox, data=data, port=port)
    settings = with_open_keys(as_read)
    origin = None if file is None else SettingsOrigin(file=file, environ=dict(environ), as_read=as_read)
    pin_grpc(settings)
    try:
        with loading():
            from giftcard_gateway.process import serving, workers  # noqa: PLC0415 - gRPC, its suites pinned
    except ValueError as fault:
        # The OpenTelemetry SDK reads some of its variables at its import.
        raise CannotDo(str(fault)) from None
    if settings.server.workers > 1 and is_sandbox:
        raise click.UsageError(
            "A sandbox is one process; for more, run `giftcard-gateway sandbox` beside them."
        )
    if settings.server.workers > 1 and origin is not None:
        workers.supervise(settings, origin, started=_announce, complain=complain)
    else:
        with serving.telemetry(settings, environ) as watched:
            loop.run(
                _play(settings, watched, port, data)
                if origin is None
                else serving.serve(settings, watched, origin=origin, started=_announce)
            )


async def _play(settings: Settings, watched: Telemetry, port: int, data: Path) -> None:
    """Serve beside the simulators of the sandbox on `port`."""
    from giftcard_gateway.process import serving  # noqa: PLC0415 - gRPC, its suites pinned

    with loading():
        from giftcard_gateway.cli.sandbox import play  # noqa: PLC0415 - the simulators are an extra

    async with play(port) as welcome:
        # Nobody else depends on a sandbox's journal, so nobody is asked before it is brought up to date.
        await open_journal(settings.journal).upgrade()
        await serving.serve(
            settings, watched, started=lambda app: welcome(_address(app), _console(app), data)
        )


def _announce(app: App) -> None:
    err.print(f"giftcard-gateway serves on {_address(app)}")


def _address(app: App) -> str:
    """Return where this process is called, with the port that port 0 was given."""
    return f"{app.settings.server.listen.rpartition(':')[0]}:{app.server.port}"


def _console(app: App) -> str:
    """Return where a browser finds the console, or that it is off."""
    console = app.settings.console
    if app.console is None or console.listen is None:
        return "off"
    scheme = "https" if console.tls else "http"
    return console.origin or f"{scheme}://{console.listen.rpartition(':')[0]}:{app.console.port}"
