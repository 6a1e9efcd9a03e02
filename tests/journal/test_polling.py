"""Waking without LISTEN and NOTIFY, on PostgreSQL."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import asyncpg
import pytest

from giftcard_gateway.journal.contract import Journal
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.postgres.sessions import SessionLimits
from giftcard_gateway.journal.postgres.wake import CHANNEL
from tests.journal.conftest import server_place
from tests.journal.places import Server
from tests.journal.samples import event, opened, row
from tests.patience import PATIENCE_S
from tests.pooler import Pooler, pgbouncer
from tests.postgres import PostgresServer

pytestmark = pytest.mark.postgres

POLL_S = 0.02
LIMITS = SessionLimits(statement_timeout_s=PATIENCE_S)


@pytest.fixture
async def two(postgres_server: PostgresServer) -> AsyncIterator[tuple[Journal, Journal]]:
    """Give two journals on one database that look, and the database."""
    place = await server_place(postgres_server)
    journals = _looking(place.url), _looking(place.url)
    for each in journals:
        await each.start()
    yield journals
    for each in journals:
        await each.close()


def _looking(url: str, limits: SessionLimits = LIMITS) -> Postgres:
    return Postgres(url, limits, poll_s=POLL_S)


async def test_a_change_elsewhere_is_seen(two: tuple[Journal, Journal]) -> None:
    """A write in one journal wakes who waits in another, and so does an event."""
    here, there = two
    await _is_quiet(there)
    waiting = asyncio.ensure_future(_waits(there))
    await opened(here, row())
    await asyncio.wait_for(waiting, PATIENCE_S)
    await _is_quiet(there)
    waiting = asyncio.ensure_future(_waits(there))
    assert await here.add_event(event())
    await asyncio.wait_for(waiting, PATIENCE_S)


async def test_nobody_listens_or_notifies(postgres_server: PostgresServer) -> None:
    """Who listens to the channel hears nothing of a journal that looks, and hears one that notifies."""
    place = await server_place(postgres_server)
    heard: asyncio.Queue[object] = asyncio.Queue()
    listener = await asyncpg.connect(place.url)
    await listener.add_listener(CHANNEL, lambda *told: heard.put_nowait(told[-1]))
    looking, notifying = _looking(place.url), place.journal()
    await looking.start()
    await opened(looking, row())
    await looking.close()
    await listener.execute(f"NOTIFY {CHANNEL}, 'the end'")
    assert await asyncio.wait_for(heard.get(), PATIENCE_S) == "the end"
    await notifying.start()
    await opened(notifying, row())
    assert await asyncio.wait_for(heard.get(), PATIENCE_S) != "the end"
    await notifying.close()
    await listener.close()


async def test_a_server_that_comes_back_is_looked_at_again(fragile_server: PostgresServer) -> None:
    """While the server is away nobody is woken by others; once it is back they are, without a restart."""
    place: Server = await server_place(fragile_server)
    here, there = _looking(place.url), _looking(place.url)
    await here.start()
    await there.start()
    await _is_quiet(there)
    fragile_server.stop(signal.SIGQUIT)
    waiting = asyncio.ensure_future(_waits(there))
    fragile_server.start()
    await here.check()
    await opened(here, row())
    await asyncio.wait_for(waiting, PATIENCE_S)
    await here.close()
    await there.close()


@pytest.mark.skipif(not pgbouncer(), reason="pgbouncer is not on this machine")
async def test_a_pooler_needs_no_way_around_it(postgres_server: PostgresServer) -> None:
    """Journals that look need nothing but the pooler in transaction mode, to be woken too."""
    place = await server_place(postgres_server)
    with Pooler(postgres_server) as pooler:
        here, there = (_looking(pooler.url(place.url), SessionLimits(is_pooled=True)) for _ in range(2))
        await here.start()
        await there.start()
        await _is_quiet(there)
        waiting = asyncio.ensure_future(_waits(there))
        await opened(here, row())
        await asyncio.wait_for(waiting, PATIENCE_S)
        await here.close()
        await there.close()


async def _waits(journal: Journal) -> None:
    """Wait in a task of its own, whose first wait returns at once."""
    await journal.wait_changed(0)
    await journal.wait_changed(2 * PATIENCE_S)


async def _is_quiet(journal: Journal) -> None:
    """Wait until nobody is woken any more: the first look of all tells of what was there before."""
    loop = asyncio.get_running_loop()
    while True:
        began_s = loop.time()
        await journal.wait_changed(0.4)
        if loop.time() - began_s > 0.3:
            return
