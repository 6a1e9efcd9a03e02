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


async def keeps_its_promises(world: World, name: str) -> None:
    """Play rounds, and more of them where the machine is so slow that all it sold was given up."""
    confirmed = number = 0
    while number < ROUNDS or (not confirmed and number < 10 * ROUNDS):
        result = await play(world, f"test/{name}/{number}", most_strikes=1)
        assert result.broken == [], result.seed
        assert result.strikes.total() > 0
        assert result.states.total() > 0
        confirmed += result.states["CONFIRMED"]
        number += 1
    assert confirmed


async def test_sqlite(alone: World) -> None:
    """A gateway on SQLite, killed under load, loses nothing and doubles nothing (rule 17)."""
    await keeps_its_promises(alone, "sqlite")


@pytest.mark.postgres
async def test_postgres(shared: World) -> None:
    """Gateways that share PostgreSQL, killed, paused and cut off, keep the same promises (rule 14)."""
    await keeps_its_promises(shared, "postgres")
