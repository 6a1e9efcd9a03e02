"""The command that tells the story: demo."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click
from rich.table import Table

import giftcard_demo as tale
from giftcard import Client, GiftcardError
from giftcard_gateway.cli.console import err, out
from giftcard_gateway.cli.faults import CannotDo
from giftcard_simulators.catalogue import HOST, PORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from giftcard_demo import Chapter

_HERE = {HOST, "localhost"}
_START_S = 20.0
_LOOK_EVERY_S = 0.1
_STOP_S = 40.0


class _Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _read_address(_context: click.Context, _option: click.Parameter, text: str) -> _Address:
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit()):
        raise click.BadParameter("it must be host:port.")
    return _Address(host, int(port))


@click.command()
@click.option(
    "--address",
    default=f"{HOST}:{PORT}",
    show_default=True,
    callback=_read_address,
    help="The gateway to play on.",
)
@click.pass_obj
def demo(environ: dict[str, str], address: _Address) -> None:
    """Tell what gift cards can go through, on a sandbox, step by step with balances.

    Plays on the sandbox that is running, or starts one for as long as the story lasts.
    """
    with _gateway(address, environ), Client(str(address), plaintext=True) as client:
        try:
            for chapter in tale.story(client, address.host, address.port):
                _tell(chapter)
        except tale.NoSandbox as fault:
            raise CannotDo(str(fault)) from None
        except GiftcardError as fault:
            raise CannotDo(f"the story ended early: {fault}") from None


def _tell(chapter: Chapter) -> None:
    out.print(f"\n[bold]{chapter.title}[/]  [dim]{chapter.provider}[/]")
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(overflow="fold")
    for _ in ("came to", "balance"):
        grid.add_column(no_wrap=True)
    with out.status("…") as status:
        for step in chapter.steps:
            status.update(f"[dim]{step.what}[/]")
            grid.add_row("", step.what, _coloured(step.came_to), f"[bold]{step.balance}[/]")
    out.print(grid)


def _coloured(state: str) -> str:
    colours = {"APPROVED": "green", "CONFIRMED": "green", "DECLINED": "yellow", "REVERSED": "cyan"}
    colour = colours.get(state.partition(" ")[0])
    return f"[{colour}]{state}[/]" if colour else state


@contextmanager
def _gateway(address: _Address, environ: Mapping[str, str]) -> Iterator[None]:
    """Use the gateway that listens on `address`; else start a sandbox there, and stop it afterwards."""
    if _listens(address):
        yield
        return
    if address.host not in _HERE:
        raise CannotDo(f"nothing answers on {address}")
    err.print("[dim]starting a sandbox for the story…[/]")
    with tempfile.TemporaryDirectory() as folder:
        gateway = subprocess.Popen(  # noqa: S603 - this very program
            [
                *(sys.executable, "-m", "giftcard_gateway", "serve"),
                *("--sandbox", "--port", str(address.port), "--data", folder),
            ],
            stdout=subprocess.DEVNULL,
            env={**environ, "GIFTCARD_GATEWAY__TELEMETRY__LOG_LEVEL": "error"},
        )
        try:
            _await_start(gateway, address)
            yield
        finally:
            gateway.terminate()
            gateway.wait(_STOP_S)


def _await_start(gateway: subprocess.Popen[bytes], address: _Address) -> None:
    for _ in range(int(_START_S / _LOOK_EVERY_S)):
        if _listens(address):
            return
        try:
            gateway.wait(_LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            continue
        raise CannotDo("the sandbox did not start")
    raise CannotDo(f"the sandbox did not answer within {_START_S:.0f} seconds")


def _listens(address: _Address) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(address) == 0
