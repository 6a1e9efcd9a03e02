"""A served gateway for each test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.gateway.services.served import Served, serve


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """Give a gateway of its own to a test."""
    async with serve() as gateway:
        yield gateway
