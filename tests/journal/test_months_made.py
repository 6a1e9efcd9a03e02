"""Months are made where clocks were wrong, while others write, and for a history from elsewhere."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.pipeline.hourly import purge
from tests.journal.conftest import server_place
from tests.journal.places import Server
from tests.journal.samples import MICROSECOND, opened
from tests.journal.test_months import AUGUST, ENDED, JUNE, count, journal, of, place, tables
from tests.journal.test_moving import kept, moved
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer

pytestmark = pytest.mark.postgres
__all__ = ("journal", "place")

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%add_month%'"


async def test_a_month_that_was_made_again_is_dropped_again(journal: Postgres, place: Server) -> None:
    """A clock set back over a month's end makes the tables of a dropped month anew, and they go as well."""
    for _ in range(2):
        await journal.tend(datetime(2020, 6, 30, 23, 59, tzinfo=UTC))
        (old,) = await opened(journal, of(JUNE, **ENDED))
        assert await count(place, "ended_transactions_2020_06") == 1
        await purge(journal, AUGUST, SystemClock(), lambda _: None)
        assert "ended_transactions_2020_06" not in await tables(place)
        assert await journal.open(of(AUGUST, transaction_id=old.transaction_id)) is None
    assert await count(place, "dropped_months") == 2


async def test_a_month_is_not_made_over_what_is_just_written(journal: Postgres, place: Server) -> None:
    """What comes to lie beside while its month is made lies there for good, and to make it fails nobody."""
    at = datetime(2020, 9, 5, tzinfo=UTC)
    (found,) = await opened(journal, of(at))
    hand, looker = await asyncpg.connect(place.url), await asyncpg.connect(place.url)
    async with hand.transaction():
        await hand.execute("UPDATE transactions SET state = 'CONFIRMED'")
        making = asyncio.create_task(journal.tend(at))
        async with asyncio.timeout(PATIENCE_S):
            while not await looker.fetchval(WAITING):
                assert not making.done()
    await making
    for session in (hand, looker):
        await session.close()
    assert "ended_transactions_2020_09" not in await tables(place)
    assert "ended_transactions_2020_10" in await tables(place)
    read = await journal.get(found.transaction_id)
    assert read is not None
    assert read.state == "CONFIRMED"


async def test_several_gateways_purge_at_a_month_s_end(place: Server) -> None:
    """What was created in a month's first microsecond stays when the last one goes, as does what is open."""
    july = datetime(2020, 7, 1, tzinfo=UTC)
    gateways = [Postgres(place.url) for _ in range(4)]
    for one in gateways:
        await one.start()
    rows = [of(july, **ENDED) for _ in range(60)] + [of(july + MICROSECOND) for _ in range(60)]
    rows += [of(july - MICROSECOND, **ENDED) for _ in range(60)]
    await asyncio.gather(*(opened(gateways[number % 4], one) for number, one in enumerate(rows)))
    for month in ("2020_06", "2020_07"):
        assert await count(place, f"ended_transactions_{month}") == 60
    for before, left in ((july, 120), (july + MICROSECOND, 120), (AUGUST + timedelta(days=1), 60)):
        await asyncio.gather(*(purge(one, before, SystemClock(), lambda _: None) for one in gateways))
        for table in ("transactions", "transaction_ids"):
            assert await count(place, table) == left
    assert await count(place, "open_transactions") == 60
    for one in gateways:
        await one.close()


async def test_a_tenant_that_is_moved_lies_by_months(
    journal: Postgres, place: Server, postgres_server: PostgresServer
) -> None:
    """Its history gets the tables of its months in the new cell, so that they are dropped whole there too."""
    old = Postgres((await server_place(postgres_server)).url)
    await old.start()
    at = datetime(2020, 2, 29, 23, 59, tzinfo=UTC)
    one = await kept(old, "north", at=at)
    assert await moved((old, journal)) == 1
    await old.close()
    assert await count(place, "ended_transactions_2020_02") == 1
    assert await count(place, "handles_other") == 0
    found = await journal.get(one)
    assert found is not None
    await purge(journal, JUNE, SystemClock(), lambda _: None)
    assert await journal.get(one) is None
