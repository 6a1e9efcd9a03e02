"""Runs one gateway process: signals, start, drain, exit.

What is assembled is in `app`; several processes on one port are in `workers`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvloop

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.contract import JournalBusy, JournalClosed, SchemaUnknown
from giftcard_gateway.process.app import App
from giftcard_gateway.rpc.server import PortTaken
from giftcard_gateway.telemetry import open_telemetry
from giftcard_gateway.telemetry.logs import set_up as set_up_logs

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping

    from giftcard_gateway.config.settings import Settings
    from giftcard_gateway.telemetry import Telemetry

CANNOT_START = (PortTaken, JournalBusy, JournalClosed, SchemaUnknown)
"""What can keep a gateway from starting, each with a sentence an operator can act on."""


def run(work: Coroutine[object, object, None]) -> None:
    """Run `work` on uvloop, which is 1.2 to 1.4 times the loop asyncio brings."""
    uvloop.run(work)


@contextmanager
def telemetry(settings: Settings, environ: Mapping[str, str]) -> Iterator[Telemetry]:
    """Set up logs, traces and metrics for this process, and export what is left at its end."""
    set_up_logs(settings.telemetry, sys.stderr)
    opened = open_telemetry(environ, SystemClock())
    try:
        yield opened
    finally:
        opened.close()


async def serve(
    settings: Settings,
    watched: Telemetry,
    *,
    started: Callable[[App], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; `started` hears when calls are answered.

    Raises one of CANNOT_START when it cannot start.
    """
    stop = stop_event()
    app = App(settings, SystemClock(), watched, name=process_name())
    try:
        await app.start()
        started(app)
        await stop.wait()
    finally:
        await app.stop()


def stop_event() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set, whenever they come from now on."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def process_name() -> str:
    """Return this process's name: host, pid and a random part, unique among those that share a journal."""
    return f"{socket.gethostname()}-{os.getpid()}-{SystemClock().uuid4()[:8]}"
