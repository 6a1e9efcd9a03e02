"""One world for a worker's whole run, opened anew for every test; and worlds of a test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio

from tests.providers.world import World, open_world


class OpenWorld(Protocol):
    """Opens a world of a test's own; the arguments are those of `open_world` without its folder."""

    async def __call__(self, *args: Any, **kwargs: Any) -> World: ...  # noqa: ANN401 - passed on as they come


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _shared_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Give the world that all tests of this worker share."""
    async with open_world(tmp_path_factory.mktemp("world")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def world(_shared_world: World) -> World:
    """Give the shared world with its providers as new."""
    for provider in _shared_world.providers.values():
        await provider.reset()
    return _shared_world


@pytest_asyncio.fixture(loop_scope="session")
async def own_world(tmp_path: Path) -> AsyncIterator[OpenWorld]:
    """Open worlds nobody else sees, for tests that turn the clock or the configuration."""
    async with AsyncExitStack() as stack:

        async def opening(*args: Any, **kwargs: Any) -> World:  # noqa: ANN401 - passed on as they come
            opened: AbstractAsyncContextManager[World] = open_world(tmp_path, *args, **kwargs)
            return await stack.enter_async_context(opened)

        yield opening
