"""Real gateways under load, killed with -9, and what callers and providers know of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.crash.processes.rounds import World, open_world, play
from tests.postgres import PostgresServer

pytestmark = pytest.mark.crash
ROUNDS = 3


@pytest.fixture
async def alone() -> AsyncIterator[World]:
    """Give one gateway on SQLite."""
    async with open_world() as world:
        yield world


@pytest.fixture
async def shared(mortal_server: PostgresServer) -> AsyncIterator[World]:
    """Give a gateway and another of two workers on one PostgreSQL."""
    async with open_world(mortal_server, workers=(1, 2)) as world:
        yield world


async def test_sqlite(alone: World) -> None:
    """A gateway on SQLite, killed under load, loses nothing and doubles nothing (rule 17)."""
    for number in range(ROUNDS):
        result = await play(alone, f"test/sqlite/{number}", most_strikes=1)
        assert result.broken == [], result.seed
        assert result.strikes.total() > 0
        assert result.states["CONFIRMED"] > 0


@pytest.mark.postgres
async def test_postgres(shared: World) -> None:
    """Gateways that share PostgreSQL, killed, paused and cut off, keep the same promises (rule 14)."""
    for number in range(ROUNDS):
        result = await play(shared, f"test/postgres/{number}", most_strikes=1)
        assert result.broken == [], result.seed
        assert result.strikes.total() > 0
        assert result.states["CONFIRMED"] > 0
