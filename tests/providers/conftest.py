"""Worlds that a worker's whole run shares, opened anew for every test; and worlds of a test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio

from tests.providers.world import World, open_world


class OpenWorld(Protocol):
    """Opens a world of a test's own; the arguments are those of `open_world` without its folder."""

    async def __call__(self, *args: Any, **kwargs: Any) -> World:  # noqa: ANN401 - passed on as they come
        """Open one; it is closed when the test ends."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _worlds(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[_Shelf]:
    """Keep this worker's shared worlds, each opened when it is first wanted."""
    async with AsyncExitStack() as stack:
        yield _Shelf(tmp_path_factory, stack)


class _Shelf(dict[str, World]):
    """Shared worlds by name."""

    def __init__(self, folders: pytest.TempPathFactory, stack: AsyncExitStack) -> None:
        super().__init__()
        self._folders = folders
        self._stack = stack

    async def take(self, name: str, **how: Any) -> World:  # noqa: ANN401 - passed on as they come
        """Return a world with its providers as new."""
        if name not in self:
            self[name] = await self._stack.enter_async_context(open_world(self._folders.mktemp(name), **how))
        for provider in self[name].providers.values():
            await provider.reset()
        return self[name]


@pytest_asyncio.fixture(loop_scope="session")
async def world(_worlds: _Shelf) -> World:
    """Give the shared world, whose clock no test turns and whose transactions no test leaves pending."""
    return await _worlds.take("world")


@pytest_asyncio.fixture(loop_scope="session")
async def turned(_worlds: _Shelf) -> World:
    """Give a shared world whose clock may be put forward, if everything in it is ended."""
    world = await _worlds.take("turned")
    # A clock put forward is no outage: nobody was away meanwhile.
    world.app.pipeline.heartbeat.silence = timedelta(days=1)
    return world


@pytest_asyncio.fixture(loop_scope="session")
async def hasty(_worlds: _Shelf) -> World:
    """Give a shared world like `turned` that waits only half a second for an answer."""
    return await _worlds.take("hasty", timeout_s=0.5)


@pytest_asyncio.fixture(loop_scope="session")
async def own_world(tmp_path: Path) -> AsyncIterator[OpenWorld]:
    """Open worlds nobody else sees, for tests that change the configuration or take a provider away."""
    async with AsyncExitStack() as stack:

        async def opening(*args: Any, **kwargs: Any) -> World:  # noqa: ANN401 - passed on as they come
            return await stack.enter_async_context(open_world(tmp_path, *args, **kwargs))

        yield opening
