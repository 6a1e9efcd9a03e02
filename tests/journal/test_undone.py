"""What PostgreSQL undoes because of others (40001, 40P01) is done again, so often and no more."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.parse import urlsplit

import asyncpg
import pytest

from giftcard_gateway.journal.contract import Journal, JournalClosed, Row
from giftcard_gateway.journal.postgres.sessions import MOST_UNDONE
from tests.journal.conftest import server_place
from tests.journal.places import Server
from tests.journal.samples import NOW, after, at, claim, event, ids, row
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer

pytestmark = pytest.mark.postgres

LATER = at(3_600_000_000)
CODES = ("40001", "40P01")
FEW = MOST_UNDONE - 1
# A sequence counts on when what drew from it is undone.
CONFLICTS = """
CREATE SEQUENCE conflicts;
CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('conflicts') <= {most} THEN RAISE EXCEPTION 'a conflict' USING ERRCODE = '{code}'; END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER conflict AFTER INSERT OR UPDATE OR DELETE ON {table}
    DEFERRABLE {when} FOR EACH ROW EXECUTE FUNCTION conflict()
"""


@pytest.fixture
async def server(postgres_server: PostgresServer) -> Server:
    """Give a database with the schema in place."""
    return await server_place(postgres_server)


@pytest.mark.parametrize("when", ["INITIALLY IMMEDIATE", "INITIALLY DEFERRED"], ids=["at once", "at COMMIT"])
@pytest.mark.parametrize("code", CODES)
async def test_a_write_that_was_undone_is_done_once(server: Server, code: str, when: str) -> None:
    """Opening, writing and claiming go through after some conflicts, each once, and say so."""
    journal = server.journal()
    await journal.start()
    for step in (_opens, _writes, _claims):
        await server.execute(CONFLICTS.format(most=FEW, code=code, table="transactions", when=when))
        await step(journal)
        assert await _conflicts(server) == FEW + 1
        await server.execute("DROP FUNCTION conflict() CASCADE; DROP SEQUENCE conflicts")
    await journal.close()


async def _opens(journal: Journal) -> None:
    first = row(due_at=NOW)
    assert await journal.open(first) is None
    assert await journal.get(first.transaction_id) == first
    assert ids(await journal.changes(after="", limit=9)) == [first.transaction_id]


async def _writes(journal: Journal) -> None:
    (there,) = await _all(journal)
    assert await journal.write(after(there, "REVERSING", due_at=NOW))
    assert [each.state for each in await journal.changes(after="", limit=9)] == ["PENDING", "REVERSING"]


async def _claims(journal: Journal) -> None:
    (there,) = await _all(journal)
    (taken,) = await claim(journal, now=NOW, lease_until=LATER, driver="me", limit=9)
    assert (taken.version, taken.fence) == (there.version + 1, there.fence + 1)


async def _all(journal: Journal) -> list[Row]:
    return [*await journal.rows_after("", 9)]


@pytest.mark.parametrize("code", CODES)
async def test_an_event_that_was_undone_is_new(server: Server, code: str) -> None:
    """An event that goes through after some conflicts is there once and counts as new."""
    journal = server.journal()
    await journal.start()
    await server.execute(CONFLICTS.format(most=FEW, code=code, table="events", when=""))
    first = event()
    assert await journal.add_event(first)
    assert not await journal.add_event(first)
    await journal.close()


@pytest.mark.parametrize("code", CODES)
async def test_what_is_always_undone_is_refused(server: Server, code: str) -> None:
    """Who meets nothing but conflicts gets JournalClosed after five tries, and nothing is written."""
    journal = server.journal()
    await journal.start()
    first = row()
    await server.execute(CONFLICTS.format(most=1_000_000, code=code, table="transactions", when=""))
    with pytest.raises(JournalClosed):
        await journal.open(first)
    assert await _conflicts(server) == MOST_UNDONE
    assert await journal.get(first.transaction_id) is None
    await server.execute("DROP FUNCTION conflict() CASCADE")
    assert await journal.open(first) is None
    await journal.close()


async def test_serializable_journals_share_the_work(server: Server) -> None:
    """Two journals under SERIALIZABLE that open and claim at once lose nothing and do nothing twice."""
    database = urlsplit(server.url).path[1:]
    await server.execute(f"ALTER DATABASE {database} SET default_transaction_isolation = 'serializable'")
    journals = server.journal(), server.journal()
    for each in journals:
        await each.start()
    async with asyncio.timeout(PATIENCE_S):
        rows = [row(due_at=NOW) for _ in range(60)]
        await asyncio.gather(*(_insist(journals[place % 2], each) for place, each in enumerate(rows)))
        taken = [each for some in await asyncio.gather(*map(_take_all, journals)) for each in some]
    assert sorted(each.transaction_id for each in taken) == sorted(each.transaction_id for each in rows)
    assert len(await journals[0].changes(after="", limit=99)) == len(rows)
    beats = await asyncio.gather(*(each.beat(NOW, silence=timedelta(seconds=5)) for each in journals))
    assert beats == [None, None]
    for each in journals:
        await each.close()


async def _insist(journal: Journal, wanted: Row) -> None:
    """Open a row, however often the journal says no: so do callers."""
    while True:
        try:
            # Refused before, it may be there all the same: then the recorded one is answered.
            assert await journal.open(wanted) in {None, wanted}
        except JournalClosed:
            continue
        return


async def _take_all(journal: Journal) -> list[Row]:
    """Claim in small pieces until nothing is due."""
    taken: list[Row] = []
    while True:
        try:
            some = await claim(journal, now=NOW, lease_until=LATER, driver="me", limit=5)
        except JournalClosed:
            continue
        if not some:
            return taken
        taken += some


async def _conflicts(server: Server) -> int:
    connection = await asyncpg.connect(server.url)
    try:
        return int(await connection.fetchval("SELECT last_value FROM conflicts"))
    finally:
        await connection.close()
