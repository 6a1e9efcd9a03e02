"""What befalls a world of processes: each strike kills, pauses or cuts something and lets it come back.

A strike ends when everything it hit serves again. When strikes come is decided in `rounds`.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.crash.processes.counters import TIMEOUT_S
from tests.crash.processes.gateways import LEASE_MARGIN_S, Gateway, Restart
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer

_LONGEST_DEATH_S = 0.5
_PAUSE_S = TIMEOUT_S + LEASE_MARGIN_S + 0.5
"""Longer than a lease, so that others take over what a paused process holds."""


@dataclass
class Scene:
    """The processes that can be struck."""

    gateways: Sequence[Gateway]
    database: PostgresServer | None
    chance: random.Random
    database_restarts: list[Restart] = field(default_factory=list)
    losses: list[datetime] = field(default_factory=list)
    """When a database primary was lost, with nobody told to take its place."""

    @property
    def restarts(self) -> list[Restart]:
        """Every death so far that was followed by a new life."""
        return [*self.database_restarts, *(one for gateway in self.gateways for one in gateway.restarts)]

    def absence_s(self) -> float:
        """Draw how long something stays dead."""
        return self.chance.uniform(0.0, _LONGEST_DEATH_S)


async def kill_one(scene: Scene) -> None:
    """Kill one gateway, with all its workers."""
    await _kill(scene, [scene.chance.choice(scene.gateways)])


async def kill_all(scene: Scene) -> None:
    """Kill every gateway at the same moment."""
    await _kill(scene, scene.gateways)


async def kill_worker(scene: Scene) -> None:
    """Kill one worker; its supervisor puts another in its place."""
    gateway = _with_workers(scene)
    workers = gateway.workers_alive()
    if workers:
        died_at = datetime.now(UTC)
        os.kill(scene.chance.choice(workers), signal.SIGKILL)
        gateway.restarts.append(Restart(died_at, died_at))


async def kill_supervisor(scene: Scene) -> None:
    """Kill a supervisor and leave its workers alone in the world."""
    gateway = _with_workers(scene)
    died_at = await gateway.kill_alone()
    await gateway.come_back(died_at, scene.absence_s())


async def pause(scene: Scene) -> None:
    """Stop one gateway for longer than its leases last, then let it go on."""
    gateway = scene.chance.choice(scene.gateways)
    gateway.pause()
    await asyncio.sleep(_PAUSE_S)
    gateway.resume()


async def kill_database(scene: Scene) -> None:
    """Kill the database server, and start it again over what is on its disk."""
    if scene.database is None:
        raise ValueError("there is no database server in this world")
    died_at = datetime.now(UTC)
    await asyncio.to_thread(scene.database.stop, signal.SIGKILL)
    await asyncio.sleep(scene.absence_s())
    restarted_at = datetime.now(UTC)
    await start_database(scene.database)
    scene.database_restarts.append(Restart(died_at, restarted_at))


async def start_database(database: PostgresServer) -> None:
    """Start a server that was killed; it refuses as long as sessions of its last life are dying."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(RuntimeError):
                return await asyncio.to_thread(database.start)
            await asyncio.sleep(0.1)


Strike = Callable[[Scene], Awaitable[None]]

ALONE: Mapping[str, tuple[int, Strike]] = {"gateway killed": (1, kill_one)}
"""What can befall one gateway on SQLite, and how often compared with the others."""

SHARED: Mapping[str, tuple[int, Strike]] = {
    "gateway killed": (6, kill_one),
    "all gateways killed": (2, kill_all),
    "worker killed": (2, kill_worker),
    "supervisor killed": (2, kill_supervisor),
    "gateway paused": (2, pause),
    "database killed": (4, kill_database),
}
"""What can befall several gateways on one PostgreSQL."""


async def _kill(scene: Scene, gateways: Sequence[Gateway]) -> None:
    deaths = await asyncio.gather(*(gateway.kill() for gateway in gateways))
    await asyncio.gather(
        *(
            gateway.come_back(died_at, scene.absence_s())
            for gateway, died_at in zip(gateways, deaths, strict=True)
        )
    )


def _with_workers(scene: Scene) -> Gateway:
    return next(gateway for gateway in scene.gateways if gateway.workers > 1)
