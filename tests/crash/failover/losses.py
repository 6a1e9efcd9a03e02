"""How a primary is lost, and what must follow: the standby leads by itself, the lost machine comes back.

These are strikes like those of `tests.crash.processes.strikes`, on a cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

from tests.crash.failover.cluster import LOOP_S, RETRY_S, TTL_S, Cluster, Machine
from tests.crash.processes.gateways import Restart
from tests.crash.processes.strikes import Scene, Strike, kill_one
from tests.patience import PATIENCE_S

_POLL_S = 0.05
_LONG_ENOUGH_S = TTL_S + LOOP_S + RETRY_S
"""A machine that hung for so long has lost its lead."""


def losses(cluster: Cluster) -> Mapping[str, tuple[int, Strike]]:
    """Return what can befall a cluster and the gateways on it."""
    return {
        "primary lost": (3, partial(_lose, cluster)),
        "primary and a gateway lost": (1, partial(_lose_with_gateway, cluster)),
        "primary hung": (1, partial(_hang, cluster)),
    }


async def _lose(cluster: Cluster, scene: Scene) -> None:
    primary = await _pair(cluster, scene)
    await asyncio.to_thread(primary.kill)
    await _follow(cluster, scene, primary)
    primary.start()
    await asyncio.to_thread(cluster.wait_until_paired)


async def _lose_with_gateway(cluster: Cluster, scene: Scene) -> None:
    await asyncio.gather(_lose(cluster, scene), kill_one(scene))


async def _hang(cluster: Cluster, scene: Scene) -> None:
    """Freeze the primary until another leads, and let it wake up believing that it still does."""
    primary = await _pair(cluster, scene)
    primary.freeze()
    try:
        await asyncio.gather(_follow(cluster, scene, primary), asyncio.sleep(_LONG_ENOUGH_S))
    finally:
        primary.thaw()
    await asyncio.to_thread(cluster.wait_until_paired)


async def _pair(cluster: Cluster, scene: Scene) -> Machine:
    primary = await asyncio.to_thread(cluster.wait_until_paired)
    scene.losses.append(datetime.now(UTC))
    return primary


async def _follow(cluster: Cluster, scene: Scene, lost: Machine) -> None:
    """Wait until the other machine leads, and remember when."""
    (other,) = (machine for machine in cluster.machines if machine is not lost)
    await wait_for(partial(other.is_, "primary"))
    scene.database_restarts.append(Restart(scene.losses[-1], datetime.now(UTC)))


async def wait_for(is_so: Callable[[], bool]) -> None:
    """Wait until another process has done something, such as taken the lead."""
    async with asyncio.timeout(PATIENCE_S):
        while not await asyncio.to_thread(is_so):  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(_POLL_S)
