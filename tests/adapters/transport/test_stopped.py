"""The engine in a process that stands still, as one does that is stopped or that a busy machine forgets."""

from __future__ import annotations

import asyncio
import ssl
import time

import httpx
import pytest

from giftcard_adapters.connection import Http1Connection
from giftcard_adapters.engine import PoolLimits
from giftcard_adapters.http1 import Http1
from giftcard_adapters.roundtrip import Origin, Outgoing
from tests.adapters.transport.wire import keep, serve
from tests.patience import PATIENCE_S


class Stopped(Http1):
    """An engine whose process stands still between connecting and sending, until the time is over."""

    async def _connect(self, origin: Origin, until_s: float | None) -> Http1Connection:
        connection = await super()._connect(origin, until_s)
        loop = asyncio.get_running_loop()
        while until_s is not None and loop.time() < until_s + 0.1:
            time.sleep(0.01)  # noqa: ASYNC251 - the loop stands still, as under SIGSTOP
        return connection


async def test_a_process_that_stood_still_sends_nothing_late() -> None:
    """Where the time is over once there is a connection, nothing is sent, and the fault says so."""
    async with serve(keep) as server:
        url = httpx.URL(server.url)
        wire = Stopped(ssl.create_default_context(), PoolLimits())
        with pytest.raises(httpx.ConnectTimeout):
            await wire.roundtrip(
                Outgoing(
                    origin=Origin.of(url),
                    method="POST",
                    target="/",
                    headers=[],
                    body=b"x",
                    name="exchange",
                    timeout_s=0.5,
                    connect_s=PATIENCE_S,
                )
            )
        await wire.aclose()
    assert server.heard == []
