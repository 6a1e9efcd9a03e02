"""Commands that run until they are told to stop: serve, sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from giftcard_gateway.cli.console import complain, err, out, table, tell
from giftcard_gateway.cli.options import port_option, read_settings, settings_options
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.process import serving, workers
from giftcard_gateway.process.sandbox import simulators
from giftcard_simulators.catalogue import HOST, PORT, sandboxes_at

if TYPE_CHECKING:
    from giftcard_gateway.config import Settings
    from giftcard_gateway.process.app import App
    from giftcard_gateway.telemetry import Telemetry
    from giftcard_simulators.catalogue import Sandbox


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

    With --sandbox it starts simulated providers beside itself and needs no configuration.
    """
    if count is not None:
        environ = {**environ, "GIFTCARD_GATEWAY__SERVER__WORKERS": str(count)}
    settings = read_settings(environ, file=file, is_sandbox=is_sandbox, data=data, port=port)
    if settings.server.workers > 1 and is_sandbox:
        raise click.UsageError(
            "A sandbox is one process; for more, run `giftcard-gateway sandbox` beside them."
        )
    if settings.server.workers > 1:
        workers.supervise(settings, environ, started=_announce, complain=complain)
    else:
        with serving.telemetry(settings, environ) as watched:
            sandboxes = sandboxes_at(port) if is_sandbox else ()
            serving.run(_serve(settings, watched, sandboxes, data))


async def _serve(settings: Settings, watched: Telemetry, sandboxes: tuple[Sandbox, ...], data: Path) -> None:
    async with simulators(SystemClock(), sandboxes):

        def welcome(app: App) -> None:
            _welcome(_address(app), sandboxes, data)

        await serving.serve(settings, watched, started=welcome if sandboxes else _announce)


def _announce(app: App) -> None:
    err.print(f"giftcard-gateway serves on {_address(app)}")


def _address(app: App) -> str:
    """Return where this process is called, with the port that port 0 was given."""
    return f"{app.settings.server.listen.rpartition(':')[0]}:{app.server.port}"


@click.command()
@port_option
def sandbox(port: int) -> None:
    """Serve the simulated providers alone, for tests of your own."""
    serving.run(_simulate(sandboxes_at(port)))


async def _simulate(sandboxes: tuple[Sandbox, ...]) -> None:
    stop = serving.stop_event()
    async with simulators(SystemClock(), sandboxes) as served:
        table(["provider", "at"], [[one.simulator.name, one.url] for one in served])
        explain_simulators()
        await stop.wait()


def _welcome(address: str, sandboxes: tuple[Sandbox, ...], data: Path) -> None:
    """Say what runs where, and what to paste into another terminal."""
    elsewhere = "" if address == f"{HOST}:{PORT}" else f" --address {address}"
    out.print(f"[bold]giftcard-gateway[/] serves on [bold green]{address}[/]; data in {data}\n")
    table(
        ["provider", "simulated at", "card numbers"],
        [
            [one.provider_id, f"http://{HOST}:{one.port}", ", ".join(f"{p}…" for p in one.prefixes) or "–"]
            for one in sandboxes
        ],
    )
    explain_simulators()
    out.print(
        "\nRedeem 100.00 from a demo card, in another terminal:\n\n"
        f"{_EXAMPLE.replace('ADDRESS', address).replace('FRESH', SystemClock().uuid4())}\n\n"
        f"[dim]giftcard-gateway demo{elsewhere}[/] tells the whole story. Ctrl-C stops.\n",
    )


def explain_simulators() -> None:
    """Say what every simulator has besides its provider's paths."""
    tell(
        "\n[dim]each has GET /_sandbox/cards, GET /_sandbox/effects, POST /_sandbox/faults, "
        "POST /_sandbox/reset[/]"
    )


_EXAMPLE = """\
  grpcurl -plaintext -d '{
    "transaction_id": "FRESH",
    "card": {"number": {"pan": "6045000000000061"}},
    "amount": {"currency_code": "ZAR", "units": 100}
  }' ADDRESS giftcard.v1.GiftCardService/Redeem"""
