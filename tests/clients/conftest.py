"""A scripted gateway, a clock that moves by itself, and either client before them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from giftcard import AsyncClient, Client
from tests.clients.scripted import Driver, ScriptedGateway, Time, serve


@pytest.fixture
def gateway() -> ScriptedGateway:
    """Give a gateway without a script."""
    return ScriptedGateway()


@pytest.fixture
def time() -> Time:
    """Give a clock that moves only by sleeping."""
    return Time()


@pytest.fixture
async def address(gateway: ScriptedGateway) -> AsyncIterator[str]:
    """Serve the gateway."""
    async with serve(gateway) as address:
        yield address


@pytest.fixture(params=["sync", "async"])
async def driver(request: pytest.FixtureRequest, address: str, time: Time) -> AsyncIterator[Driver]:
    """Give either client, on the gateway and in the test's own time."""
    if request.param == "sync":
        with Client(address, plaintext=True, policy=time.policy(), sleep=time.sleep) as client:
            yield Driver(client)
    else:
        async with AsyncClient(
            address, plaintext=True, policy=time.policy(), sleep=time.asleep
        ) as async_client:
            yield Driver(async_client)
