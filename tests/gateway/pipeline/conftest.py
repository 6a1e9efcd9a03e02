"""A gateway for each test, in an event loop whose time jumps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest

from tests.world.clock import VirtualClock, VirtualLoop
from tests.world.gateway import World, build, sweeping
from tests.world.journal import Door, Unsteady
from tests.world.provider import Script


class Start(Protocol):
    """Starts another process on the test's journal; the arguments are those of `build`."""

    async def __call__(self, *, is_sweeping: bool = False, **how: Any) -> World:  # noqa: ANN401 - passed on as they come
        """Start one; it sweeps until the test ends, or only while the test lets it."""


def pytest_asyncio_loop_factories() -> Mapping[str, type[VirtualLoop]]:
    """Let no test here wait."""
    return {"virtual": VirtualLoop}


@pytest.fixture
async def clock() -> VirtualClock:
    """Give the clock of the test's own loop."""
    return VirtualClock(asyncio.get_running_loop(), 1)


@pytest.fixture
async def journal() -> AsyncIterator[Unsteady]:
    """Give an empty journal that can be made to fail."""
    journal = Unsteady()
    await journal.start()
    yield journal
    await journal.close()


@pytest.fixture
async def start(clock: VirtualClock, journal: Unsteady) -> AsyncIterator[Start]:
    """Start processes on one journal and before the same providers."""
    scripts = dict[str, Script]()
    started: list[World] = []
    async with AsyncExitStack() as sweeps:

        async def start(*, is_sweeping: bool = False, **how: Any) -> World:  # noqa: ANN401 - passed on as they come
            door: Any = Door(journal)
            world = build(clock, door, name=f"gateway-{len(started) + 1}", scripts=scripts, **how)
            started.append(world)
            if is_sweeping:
                await sweeps.enter_async_context(sweeping(world))
            return world

        yield start
    for world in started:
        world.door.opened.set()
        await world.driver.drain(0)


@pytest.fixture
async def world(start: Start) -> World:
    """Give a gateway whose sweep is running."""
    return await start(is_sweeping=True)
