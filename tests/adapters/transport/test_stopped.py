"""The engine in a process that stands still, as one does that is stopped or that a busy machine forgets."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import suppress

import httpx
import msgspec
import pytest

from giftcard_adapters.connection import Http1Connection
from giftcard_adapters.engine import PoolLimits
from giftcard_adapters.http1 import Http1
from giftcard_adapters.roundtrip import Origin, Outgoing
from tests.adapters.transport.wire import OK, Line, Wire, keep, serve
from tests.patience import PATIENCE_S


class Stopped(Http1):
    """An engine whose process stands still between connecting and sending, until the time is over."""

    async def _connect(self, origin: Origin, until_s: float | None) -> Http1Connection:
        connection = await super()._connect(origin, until_s)
        loop = asyncio.get_running_loop()
        while until_s is not None and loop.time() < until_s + 0.1:
            time.sleep(0.01)  # noqa: ASYNC251 - the loop stands still, as under SIGSTOP
        return connection


def sent(server: Wire, *, timeout_s: float = PATIENCE_S) -> Outgoing:
    """Return a request to a server."""
    return Outgoing(
        origin=Origin.of(httpx.URL(server.url)),
        method="POST",
        target="/",
        headers=[],
        body=b"x",
        name="exchange",
        timeout_s=timeout_s,
        connect_s=PATIENCE_S,
    )


def opened(kind: type[Http1] = Http1, **limits: float) -> Http1:
    """Return an engine; nothing is connected yet."""
    return kind(ssl.create_default_context(), msgspec.convert(limits, PoolLimits))


async def test_a_process_that_stood_still_sends_nothing_late() -> None:
    """Where the time is over once there is a connection, nothing is sent, and the fault says so."""
    async with serve(keep) as server:
        wire = opened(Stopped)
        with pytest.raises(httpx.ConnectTimeout):
            await wire.roundtrip(sent(server, timeout_s=0.5))
        await wire.aclose()
    assert server.heard == []


async def test_a_connection_that_grew_old_meanwhile_is_not_used() -> None:
    """One that was idle for too long is left, even before the timer that closes such had its turn."""
    async with serve(keep) as server:
        wire = opened(keepalive_s=0.2)
        await wire.roundtrip(sent(server))
        time.sleep(0.3)  # noqa: ASYNC251 - the loop stands still, as under SIGSTOP
        await wire.roundtrip(sent(server))
        await wire.aclose()
    assert server.connections == 2


async def test_the_time_of_one_exchange_does_not_end_the_next() -> None:
    """A kept connection is not given up on when the time of its last exchange is over."""
    first_s = 1.0
    later = asyncio.Event()

    async def script(line: Line) -> None:
        while True:
            await line.hear()
            if later.is_set():
                await asyncio.sleep(first_s)
            await line.say(OK)

    async with serve(script) as server:
        wire = opened()
        while not server.connections or not wire._idle:  # noqa: SLF001 - there is nothing else to see it by
            with suppress(httpx.TimeoutException):  # a machine that is too slow for it tries again
                await wire.roundtrip(sent(server, timeout_s=first_s))
        later.set()
        reply = await wire.roundtrip(sent(server))
        await wire.aclose()
    assert (reply.status, reply.body) == (200, b"ok")
