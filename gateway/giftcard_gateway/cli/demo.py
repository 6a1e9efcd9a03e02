"""The command that tells the story: demo."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.table import Table

from giftcard import Client, GiftcardError
from giftcard_gateway import demo as tale
from giftcard_gateway.cli.console import err, out
from giftcard_gateway.cli.faults import CannotDo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from giftcard_gateway.demo import Chapter

_ADDRESS = "127.0.0.1:50051"
_START_S = 20.0
_LOOK_EVERY_S = 0.1
_STOP_S = 40.0


@click.command()
@click.option("--address", default=_ADDRESS, show_default=True, help="The gateway to play on.")
def demo(address: str) -> None:
    """Tell what gift cards can go through, on a sandbox, step by step with balances.

    Plays on the sandbox that is running, or starts one for as long as the story lasts.
    """
    with _gateway(address), Client(address, plaintext=True) as client:
        try:
            for chapter in tale.story(client):
                _tell(chapter)
        except GiftcardError as fault:
            raise CannotDo(f"the story ended early: {fault}") from None


def _tell(chapter: Chapter) -> None:
    out.print(f"\n[bold]{chapter.title}[/]  [dim]{chapter.provider}[/]")
    grid = Table.grid(padding=(0, 2))
    with out.status("…") as status:
        for step in chapter.steps:
            status.update(f"[dim]{step.what}[/]")
            grid.add_row(f"  {step.what}", _coloured(step.came_to), f"[bold]{step.balance}[/]")
    out.print(grid)


def _coloured(state: str) -> str:
    colours = {"APPROVED": "green", "CONFIRMED": "green", "DECLINED": "yellow", "REVERSED": "cyan"}
    colour = colours.get(state.partition(" ")[0])
    return f"[{colour}]{state}[/]" if colour else state


@contextmanager
def _gateway(address: str) -> Iterator[None]:
    """Use the gateway that listens on `address`; else start a sandbox there, and stop it afterwards."""
    if _listens(address):
        yield
        return
    if address != _ADDRESS:
        raise CannotDo(f"nothing answers on {address}")
    err.print("[dim]starting a sandbox for the story…[/]")
    with tempfile.TemporaryDirectory() as folder:
        gateway = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "giftcard_gateway", "serve", "--sandbox", "--data", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            _await_start(gateway, address)
            yield
        finally:
            gateway.terminate()
            gateway.wait(_STOP_S)


def _await_start(gateway: subprocess.Popen[bytes], address: str) -> None:
    for _ in range(int(_START_S / _LOOK_EVERY_S)):
        if _listens(address):
            return
        try:
            gateway.wait(_LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            continue
        raise CannotDo("the sandbox did not start")
    raise CannotDo(f"the sandbox did not answer within {_START_S:.0f} seconds")


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, int(port))) == 0
