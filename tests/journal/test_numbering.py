"""Changes and events get their places after they were committed, by whoever looks: PostgreSQL only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import groupby
from operator import attrgetter

import asyncpg
import pytest

from giftcard_gateway.journal.contract import Change, JournalClosed
from giftcard_gateway.journal.postgres import numbering
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.postgres.numbering import NUMBER_CHANGES
from tests.journal.conftest import server_place
from tests.journal.places import Server
from tests.journal.samples import NOW, after, event, opened, row
from tests.journal.test_contract import SILENCE
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer

pytestmark = pytest.mark.postgres

STATES = ("PENDING", "APPROVED", "CONFIRMING", "CONFIRMED")
WRITERS, LIVES = 6, 12


@pytest.fixture
async def place(postgres_server: PostgresServer) -> Server:
    """Give a database with the schema in place."""
    return await server_place(postgres_server)


@pytest.fixture
async def journals(place: Server) -> AsyncIterator[Sequence[Postgres]]:
    """Give three journals on one database, as three processes have them."""
    started = [Postgres(place.url) for _ in range(3)]
    for one in started:
        await one.start()
    yield started
    for one in started:
        await one.close()


async def count(place: Server, table: str) -> int:
    """Return how many rows a table has."""
    session = await asyncpg.connect(place.url)
    found = await session.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - all of it is ours
    await session.close()
    return int(found)


async def test_readers_find_all_once_and_in_order(
    journals: Sequence[Postgres], place: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While many write and all number, each reader is told every change once, a transaction's in their order.

    Places are given five at a time, and a stranger takes turns and gives them back: whoever waited for it
    goes by a snapshot that is out of date.
    """
    monkeypatch.setattr(numbering, "AT_ONCE", 5)
    everything = WRITERS * LIVES * len(STATES)
    done = asyncio.Event()

    async def write(mine: int) -> None:
        for life in range(LIVES):
            (last,) = await opened(journals[(mine + life) % 3], row())
            for step, state in enumerate(STATES[1:]):
                last = after(last, state)
                assert await journals[(mine + step) % 3].write(last)

    async def read(journal: Postgres, limit: int) -> list[Change]:
        seen: list[Change] = []
        while len(seen) < everything:
            seen += await journal.changes(after=seen[-1].cursor if seen else "", limit=limit)
            await asyncio.sleep(0)
        return seen

    async def disturb() -> None:
        session = await asyncpg.connect(place.url)
        try:
            while not done.is_set():
                turn = session.transaction()
                await turn.start()
                await session.fetchval(NUMBER_CHANGES, 3)
                await asyncio.sleep(0.005)
                await turn.rollback()
                await asyncio.sleep(0.005)
        finally:
            await session.close()

    stranger = asyncio.create_task(disturb())
    readers = [
        asyncio.create_task(read(one, limit)) for one, limit in zip(journals, (3, 17, 400), strict=True)
    ]
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(write(mine) for mine in range(WRITERS)))
        told = [await reader for reader in readers]
    done.set()
    await stranger
    for feed in told:
        assert len(feed) == everything
        assert [one.cursor for one in feed] == [one.cursor for one in told[0]]
        lives = sorted(feed, key=attrgetter("transaction_id"))
        assert {
            tuple(one.state for one in life) for _, life in groupby(lives, attrgetter("transaction_id"))
        } == {STATES}
    assert await count(place, "fresh_changes") == 0


async def test_who_beats_numbers_what_nobody_reads(journals: Sequence[Postgres], place: Server) -> None:
    """Where nobody reads the feed, nothing piles up: every beat numbers what is there."""
    await opened(journals[0], *(row() for _ in range(3)))
    assert await journals[0].add_event(event())
    assert (await count(place, "fresh_changes"), await count(place, "changes")) == (3, 0)
    await journals[1].beat(NOW, silence=SILENCE)
    async with asyncio.timeout(PATIENCE_S):
        while await count(place, "fresh_changes") or await count(place, "events WHERE number IS NULL"):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
    assert await count(place, "changes") == 3


async def test_who_beats_waits_for_nobody_who_numbers(journals: Sequence[Postgres], place: Server) -> None:
    """A stranger who holds the ends of the feed keeps no gateway from beating, which would be an outage."""
    await opened(journals[0], row())
    session = await asyncpg.connect(place.url)
    async with session.transaction():
        await session.execute("SELECT 1 FROM feed_ends FOR UPDATE")
        for second in range(3):
            # Whoever waits for the stranger does so for longer than this.
            async with asyncio.timeout(2):
                await journals[0].beat(NOW + second * SILENCE / 2, silence=SILENCE)
    await session.close()
    assert len(await journals[0].changes(after="", limit=9)) == 1


async def test_more_than_one_turn_takes_is_numbered(
    journals: Sequence[Postgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much is fresh, one look gives all of it places."""
    monkeypatch.setattr(numbering, "AT_ONCE", 4)
    rows = await opened(journals[0], *(row() for _ in range(11)))
    for _ in range(9):
        await journals[0].add_event(event())
    assert len(await journals[1].changes(after="", limit=99)) == len(rows)
    assert len(await journals[1].events(after="", limit=99)) == 9


async def test_nothing_is_written_where_nothing_is_fresh(journals: Sequence[Postgres], place: Server) -> None:
    """A look at a feed that stands still writes nothing and waits for nobody who numbers."""
    await opened(journals[0], row())
    assert len(await journals[0].changes(after="", limit=9)) == 1
    session = await asyncpg.connect(place.url)
    async with session.transaction():
        await session.execute("SELECT 1 FROM feed_ends FOR UPDATE")
        async with asyncio.timeout(PATIENCE_S):
            assert len(await journals[1].changes(after="", limit=9)) == 1
    await session.close()


async def test_what_has_a_place_is_read_though_none_can_be_given(
    journals: Sequence[Postgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where numbering fails, as without the standby that it waits for, a reader gets what has its place."""
    journal = journals[0]
    (first,) = await opened(journal, row())
    assert len(await journal.changes(after="", limit=9)) == 1
    await opened(journal, row())

    async def fails(*_: object, **__: object) -> int:
        raise JournalClosed("no standby")

    with monkeypatch.context() as patched:
        patched.setattr(journal._changes, "_turns", fails)  # noqa: SLF001 - as the server fails it
        (told,) = await journal.changes(after="", limit=9)
        assert told.transaction_id == first.transaction_id
    assert len(await journal.changes(after=told.cursor, limit=9)) == 1


async def test_events_of_one_time_keep_their_order(journals: Sequence[Postgres]) -> None:
    """Events that one webhook brought are told in the order in which they stood in it."""
    given = [event(received_at=NOW, event_id=f"event-{number}") for number in (5, 3, 9, 1)]
    for one in given:
        assert await journals[0].add_event(one)
    read = await journals[1].events(after="", limit=9)
    assert [one.event_id for one in read] == [one.event_id for one in given]
