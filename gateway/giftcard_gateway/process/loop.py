"""The event loop a command runs on, and the signals that end it. What runs there is elsewhere."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import uvloop

if TYPE_CHECKING:
    from collections.abc import Coroutine


def run(work: Coroutine[object, object, None]) -> None:
    """Run `work` on uvloop, which is 1.2 to 1.4 times the loop asyncio brings."""
    uvloop.run(work)


def stop_event() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set, whenever they come from now on."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
