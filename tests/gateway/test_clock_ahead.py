"""A clock that is far ahead lets nobody erase or purge: by it a whole history is old."""

from __future__ import annotations

from datetime import timedelta

import pytest

from giftcard_adapters.values.secret import Secret
from giftcard_gateway.config.settings import Routing
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.journal.sqlite.journal import Sqlite
from giftcard_gateway.pipeline.hourly import ClockAhead, must_not_be_ahead
from giftcard_gateway.providers.connections import Connection, Connections, Terms
from tests.gateway.test_hourly import Hourly, confirmed
from tests.postgres import PostgresServer
from tests.world.app import open_app, settings
from tests.world.clock import ShiftedClock
from tests.world.provider import Scripted


@pytest.mark.postgres
async def test_a_gateway_years_ahead_purges_nothing(postgres_server: PostgresServer) -> None:
    """With PostgreSQL, which has a clock of its own; the passes fail by name, and the hour goes on."""
    clock = Hourly()
    url = Secret(await postgres_server.create_database())
    await Postgres(url.reveal()).upgrade()
    journal = JournalSettings(url=url, retention_days=100, card_number_retention_days=99)
    connections = Connections([Connection("first", Scripted.open(clock), Terms(), clock)])
    table = settings(journal=journal, routing=Routing(default="first"))
    async with open_app(table, clock, connections=connections) as app:
        kept = await confirmed(app, clock)
        before = await app.pipeline.records.get(kept)
        clock.skip(days=1000)
        await clock.strikes()
        await clock.strikes()
        assert await app.pipeline.records.get(kept) == before


@pytest.mark.postgres
async def test_an_hour_is_the_most(postgres_server: PostgresServer) -> None:
    """Less than an hour ahead, or any time behind, is taken for right; more is told with how far it is."""
    journal = Postgres(await postgres_server.create_database())
    await journal.upgrade()
    for ahead in (timedelta(), timedelta(minutes=59), timedelta(days=-1000)):
        clock = ShiftedClock()
        clock.skip(days=ahead.total_seconds() / 86_400)
        await must_not_be_ahead(journal, clock)
    clock.skip(days=1001)
    with pytest.raises(ClockAhead, match="ahead of the journal's: nothing is erased or purged"):
        await must_not_be_ahead(journal, clock)


async def test_a_file_has_no_clock_of_its_own() -> None:
    """With SQLite this machine's clock is the only one."""
    clock = ShiftedClock()
    clock.skip(days=1000)
    journal = Sqlite(":memory:")
    assert await journal.now() is None
    await must_not_be_ahead(journal, clock)
