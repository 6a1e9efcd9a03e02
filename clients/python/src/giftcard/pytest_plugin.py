"""Fixtures for users' own tests: `pytest_plugins = ["giftcard.pytest_plugin"]` in the outermost conftest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from giftcard.client import Client
from giftcard.testing import FakeGateway, serve


@pytest.fixture
def fake_gateway() -> FakeGateway:
    """Give a gateway that approves everything."""
    return FakeGateway()


@pytest.fixture
def giftcard_address(fake_gateway: FakeGateway) -> Iterator[str]:
    """Serve the gateway; give its address, for clients of either kind: both want `plaintext=True`."""
    address, stop = serve(fake_gateway)
    yield address
    stop()


@pytest.fixture
def giftcard_client(giftcard_address: str) -> Iterator[Client]:
    """Give a client of the gateway. An AsyncClient is made in the test, where its event loop runs."""
    with Client(giftcard_address, plaintext=True) as client:
        yield client
