"""In PostgreSQL what is open lies apart from what ended, and that lies by months that are dropped whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from urllib.parse import urlsplit

import asyncpg
import pytest

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.contract import JournalClosed, Row, RowQuery
from giftcard_gateway.journal.postgres import months
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.pipeline.hourly import purge
from tests.journal.conftest import server_place
from tests.journal.places import Server
from tests.journal.samples import after, opened, row
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer

pytestmark = pytest.mark.postgres

JUNE, JULY, AUGUST = (datetime(2020, month, 10, tzinfo=UTC) for month in (6, 7, 8))
ENDED = {"state": "CONFIRMED", "due_at": None}
STATES = ("PENDING", "APPROVED", "CONFIRMING", "CONFIRMED")


@pytest.fixture
async def place(postgres_server: PostgresServer) -> Server:
    """Give a database with the schema in place, and the tables of three months of long ago."""
    place = await server_place(postgres_server)
    for one in (JUNE, JULY, AUGUST):
        await place.execute(f"SELECT add_month('{one:%Y-%m-%d}')")
    return place


@pytest.fixture
async def journal(place: Server) -> AsyncIterator[Postgres]:
    """Give a started journal."""
    started = Postgres(place.url)
    await started.start()
    yield started
    await started.close()


async def tables(place: Server) -> Sequence[str]:
    """Return the tables of months of long ago, by name."""
    session = await asyncpg.connect(place.url)
    found = await session.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE '%\\_2020\\___' ORDER BY 1"
    )
    await session.close()
    return [name for (name,) in found]


async def count(place: Server, table: str) -> int:
    """Return how many rows a table has."""
    session = await asyncpg.connect(place.url)
    found = await session.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - all of it is ours
    await session.close()
    return int(found)


def of(created_at: datetime, **differing: object) -> Row:
    """Make a row of a time."""
    return row(created_at=created_at, **differing)


async def test_a_row_lies_where_its_state_belongs(journal: Postgres, place: Server) -> None:
    """It is among the open ones until it ends, and in the table of its month from then on."""
    (found,) = await opened(journal, of(JUNE, blind_indexes=(b"h",)))
    for state in STATES[1:]:
        assert (await count(place, "open_transactions"), await count(place, "ended_transactions")) == (1, 0)
        assert await journal.write(after(found, state))
        read = await journal.get(found.transaction_id)
        assert read is not None
        found = read
    assert (await count(place, "open_transactions"), await count(place, "ended_transactions_2020_06")) == (
        0,
        1,
    )
    assert await count(place, "handles_2020_06") == 1
    assert [one.state for one in await journal.changes(after="", limit=99)] == list(STATES)
    assert await journal.list(RowQuery(blind_indexes=(b"h",))) == [found]
    assert await journal.list(RowQuery()) == [found]


async def test_a_row_that_is_final_at_once_lies_there_at_once(journal: Postgres, place: Server) -> None:
    """A tombstone was never open, and its id is taken like any other."""
    (found,) = await opened(journal, of(JUNE, **ENDED))
    assert await count(place, "ended_transactions_2020_06") == 1
    assert await journal.open(of(JULY, transaction_id=found.transaction_id)) == found


async def test_what_ended_is_still_written(journal: Postgres, place: Server) -> None:
    """A write of a row that ended is one like any other, with its blind indexes, and so is its repetition."""
    (first,) = await opened(journal, of(JUNE, **ENDED, blind_indexes=(b"h",)))
    second = after(first, "CONFIRMED", blind_indexes=(b"i",))
    assert await journal.write(second)
    assert await journal.write(second)
    assert not await journal.write(after(first, "CONFIRMED"))
    whole = after(second, "CONFIRMED", blind_indexes=(b"j",), are_all_indexes=True, hash_key="second")
    assert await journal.write(whole)
    for index, is_found in ((b"h", False), (b"i", False), (b"j", True)):
        assert bool(await journal.list(RowQuery(blind_indexes=(index,)))) == is_found
    back = after(whole, "REVERSING")
    assert await journal.write(back)
    assert (await count(place, "open_transactions"), await count(place, "ended_transactions")) == (1, 0)


async def test_an_id_is_taken_while_its_row_moves(journal: Postgres, place: Server) -> None:
    """Who opens an id as its transaction ends gets the recorded one: the provider is never asked twice."""
    (first,) = await opened(journal, of(JUNE))
    mover, looker = await asyncpg.connect(place.url), await asyncpg.connect(place.url)
    ending = mover.transaction()
    await ending.start()
    await mover.execute("UPDATE transactions SET state = 'CONFIRMED'")
    again = asyncio.create_task(journal.open(of(JULY, transaction_id=first.transaction_id)))
    read = asyncio.create_task(journal.get(first.transaction_id))
    assert (await read) == first
    async with asyncio.timeout(PATIENCE_S):
        assert await again == first
    await ending.commit()
    found = await journal.open(of(JULY, transaction_id=first.transaction_id))
    assert found is not None
    assert found.state == "CONFIRMED"
    assert await count(place, "transactions") == 1
    for session in (mover, looker):
        await session.close()


async def test_a_row_is_found_at_every_moment(journal: Postgres, place: Server) -> None:
    """However many end at once, whoever reads one finds it, and whoever opens it again is told of it."""
    other = Postgres(place.url)
    await other.start()
    rows = await opened(journal, *(of(JUNE + timedelta(hours=hour)) for hour in range(200)))
    ids = [one.transaction_id for one in rows]
    ended = asyncio.Event()

    async def watch() -> int:
        looks = 0
        while not ended.is_set() or not looks:
            for one in ids[looks % 7 :: 7]:
                assert await other.get(one) is not None
                assert await other.open(of(JULY, transaction_id=one)) is not None
            looks += 1
        return looks

    watching = asyncio.create_task(watch())
    done = await asyncio.gather(*(journal.write(after(one, "CONFIRMED")) for one in rows))
    ended.set()
    assert await watching > 0
    assert all(done)
    assert (await count(place, "open_transactions"), await count(place, "ended_transactions")) == (0, 200)
    await other.close()


async def test_two_writers_of_a_row_that_ends_do_not_both_write(journal: Postgres, place: Server) -> None:
    """Of two who write the same version, one ends it and the other is refused, whatever table it lies in."""
    other = Postgres(place.url)
    await other.start()
    for _ in range(30):
        (first,) = await opened(journal, of(JUNE))
        done = await asyncio.gather(
            journal.write(after(first, "CONFIRMED")), other.write(after(first, "CONFIRMING"))
        )
        assert sorted(done) == [False, True]
    assert await count(place, "transactions") == 30
    await other.close()


async def test_a_write_of_another_life_of_an_id_is_refused(journal: Postgres, place: Server) -> None:
    """Who still holds a row of a journal that was lost does not write over what came in its place."""
    lost = of(JUNE)
    (now,) = await opened(journal, of(JULY, transaction_id=lost.transaction_id))
    assert not await journal.write(after(lost, "CONFIRMED"))
    assert not await journal.write(after(lost, "APPROVED"))
    assert await journal.get(lost.transaction_id) == now
    assert await count(place, "open_transactions") == 1


async def test_a_month_goes_whole(journal: Postgres, place: Server) -> None:
    """An old month goes at once, with its blind indexes and changes, and then its ids are free."""
    old = await opened(journal, *(of(JUNE, **ENDED, blind_indexes=(b"h",)) for _ in range(5)))
    (kept,) = await opened(journal, of(JULY, **ENDED, blind_indexes=(b"h",)))
    assert len(await journal.changes(after="", limit=99)) == 6
    counted: list[int] = []
    await purge(journal, AUGUST, SystemClock(), counted.append)
    assert not [one for one in await tables(place) if one.endswith("2020_06")]
    assert sum(counted) == len(old) + 1
    assert await journal.get(kept.transaction_id) is None
    assert [await journal.get(one.transaction_id) for one in old] == [None] * 5
    assert await count(place, "transaction_ids") == 0
    assert await journal.list(RowQuery(blind_indexes=(b"h",))) == []
    assert await journal.changes(after="", limit=99) == []
    assert await journal.open(of(AUGUST, transaction_id=old[0].transaction_id)) is None


async def test_the_month_of_the_time_itself_stays(journal: Postgres) -> None:
    """What is purged by itself goes by whole months: nothing of the month that is only half over."""
    (first,) = await opened(journal, of(JUNE, **ENDED))
    assert await journal.drop(before=JUNE + timedelta(days=10)) == datetime(2020, 6, 1, tzinfo=UTC)
    counted: list[int] = []
    await purge(journal, JUNE + timedelta(days=10), SystemClock(), counted.append)
    assert await journal.get(first.transaction_id) == first
    assert counted == [0]


@pytest.mark.parametrize("why", ["it is open", "it was written late"])
async def test_a_month_stays_with_what_must_not_go(journal: Postgres, place: Server, why: str) -> None:
    """One that is open, or was written lately, keeps its month; what else is old there goes by itself."""
    late = {"updated_at": AUGUST + timedelta(days=1)}
    kept, gone = await opened(
        journal, of(JUNE) if why == "it is open" else of(JUNE, **ENDED, **late), of(JUNE, **ENDED)
    )
    await purge(journal, AUGUST, SystemClock(), lambda _: None)
    assert "ended_transactions_2020_06" in await tables(place)
    assert await journal.get(kept.transaction_id) == kept
    assert await journal.get(gone.transaction_id) is None
    assert await journal.open(of(JULY, transaction_id=gone.transaction_id)) is None
    if why == "it is open":
        assert await journal.write(after(kept, "CONFIRMED"))
    await purge(journal, AUGUST + timedelta(days=40), SystemClock(), lambda _: None)
    assert "ended_transactions_2020_06" not in await tables(place)
    assert await journal.get(kept.transaction_id) is None


async def test_an_id_is_not_free_before_all_of_it_is_gone(journal: Postgres, place: Server) -> None:
    """Between the drop of a month and the freeing of its ids an id is refused, and nothing is told of it."""
    (old,) = await opened(journal, of(JUNE, **ENDED))
    await journal.drop(before=AUGUST)
    assert await journal.get(old.transaction_id) is None
    with pytest.raises(JournalClosed, match="purged"):
        await journal.open(of(AUGUST, transaction_id=old.transaction_id))
    assert await journal.purge(before=JULY, limit=10) == 1
    assert await journal.purge(before=JULY, limit=10) == 0
    # A clock that is years behind opens in a month that was dropped: its id stays taken.
    (behind,) = await opened(journal, of(JUNE, **ENDED))
    assert await journal.purge(before=JUNE, limit=10) == 0
    assert await count(place, "ended_transactions_other") == 1
    assert await journal.open(of(AUGUST, transaction_id=behind.transaction_id)) == behind


async def test_a_row_that_is_not_where_it_belongs_is_told_damaged(journal: Postgres, place: Server) -> None:
    """A row that somebody took, or gave another time, is not told as one that never was."""
    taken, moved = await opened(journal, of(JUNE, **ENDED), of(JUNE, **ENDED))
    await place.execute(f"DELETE FROM transactions WHERE transaction_id = '{taken.transaction_id}'")  # noqa: S608 - all of it is ours
    await place.execute(
        f"UPDATE transactions SET created_us = 5 WHERE transaction_id = '{moved.transaction_id}'"  # noqa: S608 - all of it is ours
    )
    for one in (taken, moved):
        found = await journal.get(one.transaction_id)
        assert found is not None
        assert found.damaged
    assert [one.damaged != "" for one in await journal.rows_after("", 9)] == [True, True]


async def test_months_to_come_have_their_tables(place: Server, journal: Postgres) -> None:
    """Tables of the month it is and three more are made, once, and what is written there lies there."""
    now = datetime(2020, 9, 30, 23, 59, tzinfo=UTC)
    for _ in range(2):
        await journal.tend(now)
    made = [one[-7:] for one in await tables(place) if one.startswith("handles")]
    assert made == ["2020_06", "2020_07", "2020_08", "2020_09", "2020_10", "2020_11", "2020_12"]
    await opened(journal, of(datetime(2020, 12, 31, 23, 59, tzinfo=UTC), **ENDED))
    assert await count(place, "ended_transactions_2020_12") == 1


async def test_a_month_that_came_too_late_is_not_made_over_its_rows(place: Server, journal: Postgres) -> None:
    """Rows of a month without tables lie beside, are found there, and go one by one."""
    (found,) = await opened(journal, of(datetime(2020, 9, 5, tzinfo=UTC), **ENDED))
    await journal.tend(datetime(2020, 9, 6, tzinfo=UTC))
    assert "ended_transactions_2020_09" not in await tables(place)
    assert await journal.get(found.transaction_id) == found
    await purge(journal, datetime(2020, 11, 1, tzinfo=UTC), SystemClock(), lambda _: None)
    assert await journal.get(found.transaction_id) is None
    await journal.tend(datetime(2020, 9, 6, tzinfo=UTC))
    assert "ended_transactions_2020_09" in await tables(place)


async def test_a_long_look_is_not_waited_for(place: Server, journal: Postgres) -> None:
    """Who reads a month for long keeps it from being dropped, and keeps nobody else waiting."""
    (old,) = await opened(journal, of(JUNE, **ENDED))
    looker = await asyncpg.connect(place.url)
    async with looker.transaction():
        await looker.fetch("SELECT * FROM ended_transactions_2020_06")
        with pytest.raises(JournalClosed):
            await journal.drop(before=AUGUST)
        assert await journal.get(old.transaction_id) == old
    await looker.close()
    await journal.drop(before=AUGUST)
    assert await journal.get(old.transaction_id) is None


async def test_several_processes_drop_at_once(place: Server) -> None:
    """Gateways that purge at the same moment do not fail because another was first."""
    processes = [Postgres(place.url) for _ in range(6)]
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(one.drop(before=AUGUST) for one in processes))
    assert [one[-7:] for one in await tables(place)] == ["2020_08"] * 3
    assert await count(place, "dropped_months") == 2


async def test_a_drop_whose_session_is_ended_is_undone(place: Server, journal: Postgres) -> None:
    """A process that is cut off while it drops a month has dropped nothing, and the next one drops it."""
    (old,) = await opened(journal, of(JUNE, **ENDED, blind_indexes=(b"h",)))
    looker, ender = await asyncpg.connect(place.url), await asyncpg.connect(place.url)
    async with looker.transaction():
        await looker.fetch("SELECT * FROM ended_transactions_2020_06")
        dropping = asyncio.create_task(journal.drop(before=AUGUST))
        ended = 0
        async with asyncio.timeout(PATIENCE_S):
            while not ended:
                ended = await ender.fetchval(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE query LIKE '%drop_month%' AND state = 'active' AND datname = current_database()"
                    " AND pid <> pg_backend_pid()"
                )
        with pytest.raises(JournalClosed):
            await dropping
    await looker.close()
    await ender.close()
    (found,) = await journal.list(RowQuery(blind_indexes=(b"h",)))
    assert found.transaction_id == old.transaction_id
    assert await count(place, "dropped_months") == 0
    await journal.drop(before=AUGUST)
    assert await journal.get(old.transaction_id) is None


async def test_a_month_that_is_held_keeps_no_other(place: Server, journal: Postgres) -> None:
    """Who looks at one month for long, and never ends, keeps that one only."""
    looker = await asyncpg.connect(place.url)
    async with looker.transaction():
        await looker.fetch("SELECT * FROM ended_transactions_2020_06")
        with pytest.raises(JournalClosed):
            await journal.drop(before=AUGUST)
    await looker.close()
    there = await tables(place)
    assert "ended_transactions_2020_06" in there
    assert "ended_transactions_2020_07" not in there


async def test_a_month_is_dropped_between_lists(place: Server, journal: Postgres) -> None:
    """Readers of all months, one after the other all the time, neither keep a month from going nor fail."""
    old = await opened(journal, *(of(JUNE, **ENDED, blind_indexes=(b"h",)) for _ in range(30)))
    over = asyncio.Event()

    async def look() -> int:
        reader = Postgres(place.url)
        await reader.start()
        looks = 0
        while not over.is_set():
            for query in (RowQuery(), RowQuery(blind_indexes=(b"h",)), RowQuery(states=("CONFIRMED",))):
                assert len(await reader.list(query)) in {0, len(old)}
            looks += 1
        await reader.close()
        return looks

    looking = [asyncio.create_task(look()) for _ in range(4)]
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_S):
        await journal.drop(before=AUGUST)
    over.set()
    assert all([await one for one in looking])
    assert "ended_transactions_2020_06" not in await tables(place)


async def test_what_came_before_its_table_goes_with_the_month(place: Server, journal: Postgres) -> None:
    """Blind indexes and changes that lie beside, because they came before their tables, go with it."""
    await place.execute("DROP TABLE handles_2020_06, changes_2020_06")
    await opened(journal, of(JUNE, **ENDED, blind_indexes=(b"h",)))
    assert len(await journal.changes(after="", limit=9)) == 1
    await journal.drop(before=AUGUST)
    assert (await count(place, "handles"), await count(place, "changes")) == (0, 0)


async def test_only_who_may_delete_may_drop(place: Server, postgres_server: PostgresServer) -> None:
    """A role that may delete transactions makes and drops months without owning them; another may not."""
    database = urlsplit(place.url).path[1:]
    for role, rights in (("sweeper", "SELECT, INSERT, UPDATE, DELETE"), ("reader", "SELECT")):
        await postgres_server.execute(f"CREATE ROLE {role} LOGIN")
        await postgres_server.execute(f"GRANT {rights} ON transactions TO {role}", database)
    reader = await asyncpg.connect(place.url.replace("postgres@", "reader@"))
    for asked in ("add_month('2030-01-01')", "drop_month('2020-06-01', 9223372036854775807)"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.execute(f"SELECT {asked}")
    await reader.close()
    sweeper = await asyncpg.connect(place.url.replace("postgres@", "sweeper@"))
    assert await sweeper.fetchval("SELECT add_month('2030-01-01')")
    assert not await sweeper.fetchval("SELECT add_month('2030-01-01')")
    assert await sweeper.fetchval("SELECT drop_month('2020-06-01', 1893456000000000)")
    await sweeper.close()
    await postgres_server.execute("DROP OWNED BY sweeper, reader; DROP ROLE sweeper, reader", database)


@pytest.mark.parametrize(
    ("at", "first", "following"),
    [
        (datetime(2024, 2, 29, 23, 59, tzinfo=UTC), date(2024, 2, 1), date(2024, 3, 1)),
        (datetime(2024, 12, 31, tzinfo=UTC), date(2024, 12, 1), date(2025, 1, 1)),
        (
            datetime(2025, 1, 1, 1, tzinfo=UTC).astimezone(timezone(timedelta(hours=-5))),
            date(2025, 1, 1),
            date(2025, 2, 1),
        ),
    ],
)
def test_a_month_is_one_of_utc(at: datetime, first: date, following: date) -> None:
    """Months begin where they do in UTC, wherever a time was told."""
    assert months.month_of(at) == first
    assert months.next_month(first) == following
