"""The command that serves one simulator of somebody's own: simulate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from giftcard_adapters.errors import SettingsError
from giftcard_adapters.stanza import find_class
from giftcard_gateway.cli.console import out
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.sandbox import explain_simulators
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.process import loop
from giftcard_simulators.catalogue import HOST
from giftcard_simulators.sandbox import Simulator
from giftcard_simulators.serve import serve

if TYPE_CHECKING:
    from giftcard_conformance.subject import MakesSimulator

_HIGHEST_PORT = 65535


@click.command()
@click.argument("simulator")
@click.option("--port", type=click.IntRange(0, _HIGHEST_PORT), default=50080, show_default=True)
def simulate(simulator: str, port: int) -> None:
    """Serve one simulator, named as module:Class, from any installed package. Port 0 takes a free one."""
    try:
        kind = find_class("simulator", simulator, Simulator)  # type: ignore[type-abstract]  # a subclass is found
    except SettingsError as fault:
        raise CannotDo(str(fault)) from None
    if lacking := sorted(kind.__abstractmethods__):
        raise CannotDo(f"the simulator {simulator!r} is not whole yet: write {', '.join(lacking)}")
    loop.run(_serve(kind, port))


async def _serve(make: MakesSimulator, port: int) -> None:
    stop, clock = loop.stop_event(), SystemClock()
    served = await serve(make(now=clock.now, ids=clock.uuid4), HOST, port)
    try:
        out.print(f"[bold]{served.simulator.name}[/] is played on {served.url}")
        explain_simulators()
        await stop.wait()
    finally:
        await served.close()
