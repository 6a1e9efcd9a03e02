"""The same tests on both event loops and both engines: what is promised does not depend on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import uvloop

from giftcard_adapters.engine import Engine, PoolLimits
from giftcard_adapters.transport import open_transport
from tests.adapters.transport.wire import Whole


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every asynchronous test here on both loops: uvloop serves, asyncio is what others use."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=["own", "httpx"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Name each engine in turn."""
    return "own" if request.param == "own" else "httpx"


@pytest.fixture(params=["own", "own, whole", "httpx"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """Open a transport with two connections, and close it afterwards; our own in both ways it is used."""
    engine: Engine = "httpx" if request.param == "httpx" else "own"
    opened = open_transport(engine=engine, limits=PoolLimits(connections=2))
    yield Whole(opened) if request.param == "own, whole" else opened
    await opened.aclose()
