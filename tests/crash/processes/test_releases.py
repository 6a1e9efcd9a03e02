"""Two releases of the gateway over one journal under load, forward and back: nothing lost or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.processes.releases import TELLS, upgrade_to
from tests.crash.processes.rounds import World, open_world, play
from tests.postgres import PostgresServer
from tests.world.release import newer_release

pytestmark = pytest.mark.crash


async def keeps_its_promises(world: World, name: str) -> None:
    """Play a round, and judge it by what callers were told and what the providers booked."""
    result = await play(world, f"releases/{name}", most_strikes=1)
    assert result.broken == [], result.seed
    assert result.strikes == {"release changed": 1}
    assert result.states["CONFIRMED"]
    for gateway in world.scene.gateways:
        assert TELLS in gateway.log
        assert "Traceback" not in gateway.log


async def test_sqlite(tmp_path: Path) -> None:
    """A journal on SQLite goes from one release to the next, back and forward again, with kills between."""
    async with open_world(strikes=upgrade_to(newer_release(tmp_path))) as world:
        await keeps_its_promises(world, "sqlite")


@pytest.mark.postgres
async def test_postgres(mortal_server: PostgresServer, tmp_path: Path) -> None:
    """Gateways of two releases share PostgreSQL, while one migrates it and each becomes the other."""
    strikes = upgrade_to(newer_release(tmp_path))
    async with open_world(mortal_server, workers=(1, 2), strikes=strikes) as world:
        await keeps_its_promises(world, "postgres")
