"""One gateway process from its first line to its last: signals, start, drain, exit.

What is assembled is in `app`; several processes on one port are in `workers`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from typing import TYPE_CHECKING

import uvloop

from giftcard_gateway.app import App
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.journal import JournalBusy, JournalClosed, SchemaUnknown
from giftcard_gateway.server import PortTaken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from giftcard_gateway.config.settings import Settings
    from giftcard_gateway.telemetry import Telemetry

CANNOT_START = (PortTaken, JournalBusy, JournalClosed, SchemaUnknown)
"""What can keep a gateway from starting, each with a sentence an operator can act on."""


def run(work: Coroutine[object, object, None]) -> None:
    """Run `work` on uvloop, which is 1.2 to 1.4 times the loop asyncio brings (docs/performance.md)."""
    uvloop.run(work)


async def serve(
    settings: Settings,
    telemetry: Telemetry,
    *,
    started: Callable[[App], Awaitable[None] | None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; `started` hears when calls are answered.

    Raises one of CANNOT_START when it cannot start.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = App(settings, SystemClock(), telemetry, name=process_name())
    try:
        await app.start()
        if (announcement := started(app)) is not None:
            await announcement
        await stop.wait()
    finally:
        await app.stop()


def process_name() -> str:
    """Return a name no other process that shares a journal has, and that says where to look."""
    return f"{socket.gethostname()}-{os.getpid()}-{SystemClock().uuid4()[:8]}"
