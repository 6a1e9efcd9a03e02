"""Runs one gateway process: telemetry, start, drain, exit.

What is assembled is in `app`; the event loop is in `loop`; several processes on one port are in `workers`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.process.app import App
from giftcard_gateway.process.loop import Stopping, hear_no_more, on_hangup, settle
from giftcard_gateway.telemetry import handshakes, open_telemetry
from giftcard_gateway.telemetry.exporters import scraped
from giftcard_gateway.telemetry.logs import set_up as set_up_logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from giftcard_gateway.config.origin import SettingsOrigin
    from giftcard_gateway.config.settings import Settings
    from giftcard_gateway.telemetry import Telemetry


@contextmanager
def telemetry(settings: Settings, environ: Mapping[str, str], *, worker: int = 0) -> Iterator[Telemetry]:
    """Set up logs, traces and metrics for this process, and export what is left at its end.

    `worker` counts from 0, and is the same for one that takes a dead one's place.
    """
    opened = open_telemetry(
        environ,
        SystemClock(),
        # What a replica is called for as long as it is that one, however often it starts.
        instance_id=f"{socket.gethostname()}:{settings.server.listen.rpartition(':')[2]}/{worker}",
        scraping=scraped(environ, settings.telemetry.prometheus or "", worker=worker),
    )
    opened.stand_for_all()
    is_all_shown = settings.telemetry.log_level == "debug"
    heard = (
        handshakes.told(opened.observer.handshake_failed, is_all_shown=is_all_shown)
        if settings.server.tls
        else nullcontext(sys.stderr)
    )
    with heard as stream:
        set_up_logs(settings.telemetry, stream, opened.log_copies)
        try:
            yield opened
        finally:
            opened.close()


async def serve(
    settings: Settings,
    watched: Telemetry,
    *,
    origin: SettingsOrigin | None = None,
    started: Callable[[App], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then for the lame duck's time, then drain.

    `started` hears when calls are answered. SIGINT and a second SIGTERM leave the lame duck out.

    With an `origin`, SIGHUP has the settings read again.

    Raises OperatorError when it cannot start.
    """
    stopping = Stopping()
    app = App(settings, SystemClock(), watched, name=process_name(), origin=origin)
    if app.reloading is not None:
        on_hangup(app.reloading.ask)
    try:
        await app.start()
        settle()
        started(app)
        await stopping.told.wait()
        await app.leave(stopping.hurried)
    finally:
        await app.stop()
        hear_no_more(asyncio.get_running_loop())


def process_name() -> str:
    """Return this process's name: host, pid and a random part, unique among those that share a journal."""
    return f"{socket.gethostname()}-{os.getpid()}-{SystemClock().uuid4()[:8]}"
