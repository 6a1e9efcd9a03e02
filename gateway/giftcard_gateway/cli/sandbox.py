"""The simulated providers on a terminal: the command sandbox, and what `serve --sandbox` plays and says."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from giftcard_gateway.cli.console import out, table, tell
from giftcard_gateway.cli.options import port_option
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.process import loop
from giftcard_gateway.process.sandbox import placed, simulators
from giftcard_simulators.catalogue import HOST, PORT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from giftcard_simulators.catalogue import Sandbox


@click.command()
@port_option
def sandbox(port: int) -> None:
    """Serve the simulated providers alone, for tests of your own."""
    loop.run(_simulate(placed(port)))


async def _simulate(sandboxes: tuple[Sandbox, ...]) -> None:
    stop = loop.stop_event()
    async with simulators(SystemClock(), sandboxes) as served:
        table(["provider", "at"], [[one.simulator.name, one.url] for one in served])
        explain_simulators()
        await stop.wait()


@asynccontextmanager
async def play(port: int) -> AsyncIterator[Callable[[str, str, Path], None]]:
    """Serve the simulators of the sandbox on `port`; yields what welcomes a person to its gateway."""
    sandboxes = placed(port)
    async with simulators(SystemClock(), sandboxes):
        yield lambda address, console, data: _welcome(address, console, sandboxes, data)


def _welcome(address: str, console: str, sandboxes: tuple[Sandbox, ...], data: Path) -> None:
    """Say what runs where, and what to paste into another terminal."""
    elsewhere = "" if address == f"{HOST}:{PORT}" else f" --address {address}"
    out.print(f"[bold]giftcard-gateway[/] serves on [bold green]{address}[/]; data in {data}")
    out.print(f"what is stuck, and why: [bold green]{console}[/]\n")
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
