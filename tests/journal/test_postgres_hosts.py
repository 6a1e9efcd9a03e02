"""Several hosts in a journal's URL: which URL each has, and that one that hangs holds nobody up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from urllib.parse import quote

import asyncpg
import pytest

from giftcard_gateway.journal.postgres.hosts import connect, each_host
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://u:p@one/db", ["postgresql://u:p@one/db"]),
        ("postgresql:///db?host=/run", ["postgresql:///db?host=/run"]),
        (
            "postgresql://u:p@one:5432,two:5433/db?application_name=x",
            [
                "postgresql://u:p@one:5432/db?application_name=x",
                "postgresql://u:p@two:5433/db?application_name=x",
            ],
        ),
        (
            "postgresql:///db?host=one,two&port=5432,5433",
            [
                "postgresql:///db?host=one,two&port=5432,5433&host=one&port=5432",
                "postgresql:///db?host=one,two&port=5432,5433&host=two&port=5433",
            ],
        ),
        (
            "postgresql:///db?host=one,two",
            ["postgresql:///db?host=one,two&host=one", "postgresql:///db?host=one,two&host=two"],
        ),
    ],
)
def test_each_host(url: str, hosts: list[str]) -> None:
    """Each host has a URL of its own, with everything else as it was."""
    assert each_host(url) == hosts


@pytest.fixture
async def mute() -> AsyncIterator[str]:
    """Give a host that takes connections and says nothing, as a machine that hangs."""

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await ended.wait()
        finally:
            writer.close()

    ended = asyncio.Event()
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    ended.set()
    server.close()


@pytest.mark.postgres
async def test_a_host_that_hangs(mute: str, postgres_server: PostgresServer) -> None:
    """The host behind it is used, long before the time to connect is over."""
    socket = quote(str(postgres_server.folder), safe="")
    began_s = time.monotonic()
    session = await connect(f"postgresql://postgres@{mute},{socket}/postgres", timeout=2 * PATIENCE_S)
    assert await session.fetchval("SELECT 1") == 1
    assert time.monotonic() - began_s < PATIENCE_S
    await session.close()


@pytest.mark.postgres
async def test_no_host_may_be_written(mute: str, postgres_server: PostgresServer) -> None:
    """When no host serves, what is told is why one did not, within the time to connect."""
    socket = quote(str(postgres_server.folder), safe="")
    with pytest.raises((asyncpg.InvalidCatalogNameError, TimeoutError)):
        await connect(f"postgresql://postgres@{mute},{socket}/nowhere", timeout=1)
