"""A strike of its own kind: gateways of two releases over one journal, forward, back and forward again.

Each change of release is a kill -9 under load. `migrate` runs in the middle of it, as the newer release's.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.crash.processes.gateways import Gateway
from tests.crash.processes.strikes import Scene, Strike, kill_one, kill_worker
from tests.e2e.processes import PROGRAM, environment
from tests.patience import PATIENCE_S
from tests.world.release import NEWER, found_in

TELLS = f"has schema {NEWER}, newer than"
"""What an older gateway says as it starts on the newer one's schema."""
_BESIDE_S = 0.4
"""How long two releases serve beside each other before the next change."""
_POLL_S = 0.05


def upgrade_to(newer: Path) -> Mapping[str, tuple[int, Strike]]:
    """Return the one strike there is: to `newer` and back and there again."""

    async def changed(scene: Scene) -> None:
        await _all_run(scene, None)
        if scene.database is None:
            # SQLite has one process, which stops for its migration.
            (gateway,) = scene.gateways
            died_at = await gateway.kill()
            await _migrate(gateway, newer)
            await gateway.come_back(died_at, 0.0)
        else:
            await _migrate(scene.gateways[0], newer)
            await _replace_a_worker(scene)
        for release in (newer, None, newer):
            for gateway in scene.gateways:
                await _becomes(gateway, release)
                await asyncio.sleep(_BESIDE_S)
        await kill_one(scene)

    return {"release changed": (1, changed)}


async def _all_run(scene: Scene, release: Path | None) -> None:
    for gateway in scene.gateways:
        if gateway.release != release:
            await _becomes(gateway, release)


async def _becomes(gateway: Gateway, release: Path | None) -> None:
    """Kill a gateway, and start it as another release on whatever schema there is."""
    died_at = await gateway.kill()
    gateway.release = release
    await gateway.come_back(died_at, 0.0)


async def _migrate(gateway: Gateway, newer: Path) -> None:
    """Run the newer release's `migrate`, until it gets the tables it wants between the sales."""
    command = [*PROGRAM, "migrate", "--config", str(gateway.config)]
    async with asyncio.timeout(PATIENCE_S):
        while True:
            done = await asyncio.to_thread(
                subprocess.run, command, env=environment(found_in(newer)), capture_output=True, text=True
            )
            if done.returncode == 0:
                return
            if "Traceback" in done.stderr or "nothing was changed" not in done.stderr:
                raise AssertionError(done.stderr)
            await asyncio.sleep(_POLL_S)


async def _replace_a_worker(scene: Scene) -> None:
    """Kill a worker of the older release, and wait until another serves on the newer schema."""
    gateway = next(gateway for gateway in scene.gateways if gateway.workers > 1)
    before = gateway.log.count(TELLS)
    await _until(lambda: len(gateway.workers_alive()) == gateway.workers)
    await kill_worker(scene)
    await _until(lambda: gateway.log.count(TELLS) > before)


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(_POLL_S)
