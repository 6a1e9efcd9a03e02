"""The layouts that are measured beside today's work, and one of them keeps what it must not lose."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from giftcard_gateway.journal.postgres.journal import Postgres
from tests.bench.history.layouts import APART, LAYOUTS, Layout
from tests.bench.history.life import BATCH, SETTINGS, Session, cost, fill, write
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer

pytestmark = pytest.mark.postgres

AT_US = 1_800_000_000 * 10**6
CONFIRMED = 3


async def laid_out(postgres_server: PostgresServer, layout: Layout) -> tuple[str, Session]:
    """Return a database with a layout, and a session in it."""
    url = await postgres_server.create_database()
    await Postgres(url).upgrade()
    session = await asyncpg.connect(url, server_settings=SETTINGS)
    if layout.script:
        await session.execute(layout.script)
    return url, session


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
async def test_each_layout_takes_a_life(postgres_server: PostgresServer, layout: Layout) -> None:
    """Each is filled, written in, claimed from and purged, and its first week is gone then."""
    _, session = await laid_out(postgres_server, layout)
    await fill(session, layout, 600)
    costs = await cost(session, layout, BATCH * 4)
    await session.close()
    assert costs.figures["WAL bytes a transaction"] > 0
    assert costs.figures["purge of a week, rows"] == pytest.approx(600 / 57.5, abs=1)


async def test_an_id_is_not_taken_again_while_it_is_moved(postgres_server: PostgresServer) -> None:
    """Who opens an id while its transaction is moved waits, and is told to try again; then it is known.

    Without the trigger both tables would have it, and the provider would be asked twice.
    """
    url, mover = await laid_out(postgres_server, APART)
    opener, watcher = await asyncpg.connect(url), await asyncpg.connect(url)
    for step in range(CONFIRMED):
        await write(opener, APART, ["x"], step, AT_US)
    ending = mover.transaction()
    await ending.start()
    await write(mover, APART, ["x"], CONFIRMED, AT_US)
    again = asyncio.create_task(write(opener, APART, ["x"], 0, AT_US))

    async def waits() -> bool:
        return bool(await watcher.fetchval("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)"))

    async with asyncio.timeout(PATIENCE_S):
        while not await waits():  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)
    await ending.commit()
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(asyncpg.SerializationError):
            await again
    with pytest.raises(AssertionError):
        await write(opener, APART, ["x"], 0, AT_US)
    assert [each["state"] for each in await watcher.fetch("SELECT state FROM transactions")] == ["CONFIRMED"]
    for session in (mover, opener, watcher):
        await session.close()
