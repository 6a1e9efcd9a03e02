"""What only the PostgreSQL journal meets: lost answers, a server that goes away, standbys, poolers."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.contract import Journal, JournalClosed
from giftcard_gateway.journal.keys_in_use import KeysInUse
from giftcard_gateway.journal.notes import PauseRow
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.postgres.sessions import SessionLimits
from tests.journal.conftest import server_place
from tests.journal.places import Server
from tests.journal.samples import NOW, after, at, claim, event, ids, opened, row
from tests.journal.severing import Wire, wire
from tests.journal.test_audit import rows as audit_rows
from tests.patience import PATIENCE_S
from tests.pooler import Pooler, pgbouncer
from tests.postgres import PostgresServer
from tests.world.gateway import seal

pytestmark = pytest.mark.postgres

HURRY = SessionLimits(statement_timeout_s=0.5)
"""For what never succeeds; what has to is asked of a journal with time, or asked again."""
LATER = at(3_600_000_000)
SILENCE = timedelta(seconds=5)


@pytest.fixture
async def fragile(fragile_server: PostgresServer) -> Server:
    """Give a database on a server that a test may harm."""
    return await server_place(fragile_server)


@pytest.fixture
async def cuttable(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[tuple[Journal, Wire]]:
    """Give a journal whose wire to the server can be cut."""
    place = await server_place(postgres_server)
    async with wire(tmp_path, postgres_server.folder) as line:
        journal = Postgres(place.url.replace(str(postgres_server.folder), str(tmp_path)))
        await journal.start()
        yield journal, line
        await journal.close()


@pytest.mark.parametrize("before", [True, False], ids=["before the commit", "after the commit"])
async def test_an_open_in_doubt_is_found_out(cuttable: tuple[Journal, Wire], *, before: bool) -> None:
    """An open whose connection breaks in mid-commit opens the row once and says so, whichever came first."""
    journal, line = cuttable
    first = row()
    line.cut_at(first.transaction_id.encode(), before=before)
    assert await journal.open(first) is None
    assert line.cuts == 1
    assert await journal.open(first) == first
    assert ids(await journal.changes(after="", limit=9)) == [first.transaction_id]


@pytest.mark.parametrize("before", [True, False], ids=["before the commit", "after the commit"])
async def test_a_write_in_doubt_is_found_out(cuttable: tuple[Journal, Wire], *, before: bool) -> None:
    """A write whose connection breaks in mid-commit is done once and answered True, whichever came first."""
    journal, line = cuttable
    (first,) = await opened(journal, row())
    second = after(first, "APPROVED")
    line.cut_at(second.document, before=before)
    assert await journal.write(second)
    assert line.cuts == 1
    assert await journal.get(first.transaction_id) == second
    assert [each.state for each in await journal.changes(after="", limit=9)] == ["PENDING", "APPROVED"]


@pytest.mark.parametrize("before", [True, False], ids=["before the commit", "after the commit"])
async def test_an_event_in_doubt_is_new(cuttable: tuple[Journal, Wire], *, before: bool) -> None:
    """An event whose connection breaks in mid-commit is added once and counts as new."""
    journal, line = cuttable
    first = event()
    line.cut_at(first.document, before=before)
    assert await journal.add_event(first)
    assert line.cuts == 1
    assert not await journal.add_event(first)


async def test_a_claim_in_doubt_is_not_repeated(cuttable: tuple[Journal, Wire]) -> None:
    """A claim whose answer is lost is refused; its rows stay taken until their lease ends, then come due."""
    journal, line = cuttable
    await opened(journal, row(due_at=NOW))
    line.cut_at(b"the-sweep", before=False)
    with pytest.raises(JournalClosed):
        await claim(journal, now=NOW, lease_until=LATER, driver="the-sweep", limit=9)
    assert not await claim(journal, now=NOW, lease_until=LATER, driver="next", limit=9)
    assert len(await claim(journal, now=LATER, lease_until=LATER, driver="next", limit=9)) == 1


async def test_sessions_that_are_ended_are_replaced(fragile: Server, fragile_server: PostgresServer) -> None:
    """When an administrator ends every session, the next calls work and nobody notices."""
    journal = fragile.journal()
    await journal.start()
    await asyncio.gather(*(journal.open(row()) for _ in range(50)))
    await fragile_server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"
    )
    outcomes = await asyncio.gather(*(journal.open(row()) for _ in range(50)), journal.get("x"))
    assert outcomes == [None] * 51
    await journal.close()


async def test_a_server_that_dies_closes_the_journal_until_it_is_back(
    fragile: Server, fragile_server: PostgresServer
) -> None:
    """While the server is away every call says so; when it is back all that was promised is there."""
    journal = fragile.journal()
    await journal.start()
    rows = await opened(journal, row(), row())
    fragile_server.stop(signal.SIGQUIT)
    calls = (
        journal.open(row()),
        journal.write(after(rows[0], "APPROVED")),
        journal.get("x"),
        journal.check(),
    )
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [JournalClosed] * 4
    fragile_server.start()
    await journal.check()
    assert await journal.get(rows[1].transaction_id) == rows[1]
    assert await journal.write(after(rows[0], "APPROVED"))
    await journal.close()


async def test_a_commit_that_its_standby_never_got_is_not_believed(
    fragile: Server, fragile_server: PostgresServer
) -> None:
    """With a synchronous standby away nothing is acknowledged, though the server itself has committed.

    It is asked of a database whose own setting is to wait for nothing, which our statements overrule.
    """
    journal, hurried = fragile.journal(), Postgres(fragile.url, HURRY)
    database = urlsplit(fragile.url).path[1:]
    await fragile_server.execute(f"ALTER DATABASE {database} SET synchronous_commit = off")
    await journal.start()
    await _start_when_it_answers(hurried)
    (first,) = await opened(journal, row())
    await _name_standby(fragile_server, "nobody")
    try:
        second = after(first, "APPROVED")
        opening, news = row(), event()
        calls = (hurried.open(opening), hurried.write(second), hurried.check(), hurried.add_event(news))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [JournalClosed] * 4
        # Asked again, each is found as committed here; that is no safer than before.
        again = (hurried.open(opening), hurried.write(second), hurried.add_event(news))
        asked_again = await asyncio.gather(*again, return_exceptions=True)
        assert [type(outcome) for outcome in asked_again] == [JournalClosed] * 3
    finally:
        await _name_standby(fragile_server, "")
    assert await journal.write(second)
    assert await journal.get(first.transaction_id) == second
    await hurried.close()
    await journal.close()


async def test_a_commit_whose_wait_is_cut_short_is_not_believed(
    fragile: Server, fragile_server: PostgresServer
) -> None:
    """When an administrator cancels a commit's wait for its standby, the server's "done" is not believed."""
    journal = fragile.journal()
    await journal.start()
    await _name_standby(fragile_server, "nobody")
    try:
        opening = asyncio.ensure_future(journal.open(row()))
        while not opening.done():
            await fragile_server.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            )
        with pytest.raises(JournalClosed, match="standby"):
            await opening
    finally:
        await _name_standby(fragile_server, "")
    await journal.close()


async def test_a_beat_that_no_standby_has_hides_no_outage(
    fragile: Server, fragile_server: PostgresServer
) -> None:
    """While a standby is away no beat is told, and none given up on moves the time of the last one."""
    journal, hurried = fragile.journal(), Postgres(fragile.url, HURRY)
    await journal.start()
    await _start_when_it_answers(hurried)
    assert await journal.beat(NOW, silence=SILENCE) is None
    await _name_standby(fragile_server, "nobody")
    try:
        for second in range(1, 6):
            with pytest.raises(JournalClosed):
                await hurried.beat(NOW + second * SILENCE, silence=SILENCE)
    finally:
        await _name_standby(fragile_server, "")
    told = await journal.beat(NOW + 60 * SILENCE, silence=SILENCE)
    assert told is not None
    # The first beat was committed, which is all that may stand there; it waited for the standby in vain.
    assert told.lost_in_all >= 59 * SILENCE
    await hurried.close()
    await journal.close()


async def test_a_place_that_no_standby_has_is_not_told(
    fragile: Server, fragile_server: PostgresServer
) -> None:
    """While a standby is away, no process tells a place that another server would give to another change."""
    journal, hurried = fragile.journal(), Postgres(fragile.url, HURRY)
    late = Postgres(fragile.url, HURRY)
    await journal.start()
    for started in (hurried, late):
        await _start_when_it_answers(started)
    (first,) = await opened(journal, row())
    await journal.add_event(event())
    (safe,) = await journal.changes(after="", limit=9)
    (come,) = await journal.events(after="", limit=9)
    assert await hurried.changes(after="", limit=9) == [safe]
    assert await hurried.events(after="", limit=9) == [come]
    assert await journal.write(after(first, "APPROVED"))
    await journal.add_event(event())
    await _name_standby(fragile_server, "nobody")
    try:
        # Each of these commits here what it gives a place, and is told that no standby has it.
        for _ in range(3):
            assert await hurried.changes(after="", limit=9) == [safe]
            assert await hurried.events(after="", limit=9) == [come]
        assert await hurried.changes(after=await hurried.last_cursor(), limit=9) == []
        for asked in (late.changes, late.events):
            with pytest.raises(JournalClosed):
                await asked(after="", limit=9)
        with pytest.raises(JournalClosed):
            await late.last_cursor()
        cursors = await hurried.last_cursor(), await hurried.last_event_cursor()
    finally:
        await _name_standby(fragile_server, "")
    both: tuple[Journal, ...] = (journal, hurried, late)
    for one in both:
        assert len(await one.changes(after="", limit=9)) == 2
        assert len(await one.events(after="", limit=9)) == 2
        assert len(await one.changes(after=cursors[0], limit=9)) == 1
        assert len(await one.events(after=cursors[1], limit=9)) == 1
        await one.close()


async def _name_standby(server: PostgresServer, name: str) -> None:
    await server.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
    await server.execute("SELECT pg_reload_conf()")
    session = await asyncpg.connect(server.url())
    async with asyncio.timeout(PATIENCE_S):
        while await session.fetchval("SHOW synchronous_standby_names") != name:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    await session.close()


async def test_a_row_that_a_stranger_locks_does_not_hang(fragile: Server) -> None:
    """A lock that is never let go ends in JournalClosed within the time allowed; then all is well."""
    journal, hurried = fragile.journal(), Postgres(fragile.url, HURRY)
    await journal.start()
    await _start_when_it_answers(hurried)
    (first,) = await opened(journal, row())
    stranger = await asyncpg.connect(fragile.url)
    async with stranger.transaction():
        await stranger.execute("SELECT * FROM transactions FOR UPDATE")
        with pytest.raises(JournalClosed):
            await asyncio.wait_for(hurried.write(after(first, "APPROVED")), PATIENCE_S)
    await stranger.close()
    assert await journal.write(after(first, "APPROVED"))
    await hurried.close()
    await journal.close()


async def test_a_change_not_yet_committed_is_never_passed(postgres_server: PostgresServer) -> None:
    """A change that is committed late is told after what was told before, and holds nothing back."""
    place = await server_place(postgres_server)
    journal = place.journal()
    await journal.start()
    slow = await asyncpg.connect(place.url)
    async with slow.transaction():
        await slow.execute(
            "INSERT INTO fresh_changes (at_us, transaction_id, version, created_us, state, tenant)"
            " VALUES (1, 'slow', 1, 1, 'PENDING', 'default')"
        )
        (first,) = await opened(journal, row())
        (told,) = await journal.changes(after="", limit=9)
        assert told.transaction_id == first.transaction_id
        assert await journal.last_cursor() == told.cursor
    await slow.close()
    assert ids(await journal.changes(after=told.cursor, limit=9)) == ["slow"]
    assert ids(await journal.changes(after="", limit=9)) == [first.transaction_id, "slow"]
    await journal.close()


async def test_processes_that_lock_rows_crosswise_both_finish(postgres_server: PostgresServer) -> None:
    """Two journals that write the same rows at once neither hang nor lose a row; each row has one winner."""
    place = await server_place(postgres_server)
    journals = [place.journal(), place.journal()]
    for each in journals:
        await each.start()
    rows = await opened(journals[0], *(row() for _ in range(100)))
    forth, back = (
        asyncio.gather(*(journal.write(after(each, "APPROVED")) for each in order))
        for journal, order in zip(journals, (rows, rows[::-1]), strict=True)
    )
    won, lost = await forth, (await back)[::-1]
    assert [one != other for one, other in zip(won, lost, strict=True)] == [True] * 100
    for each in journals:
        await each.close()


async def test_the_first_host_may_be_away(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """Of several hosts in the URL the one that answers and can be written is used."""
    place = await server_place(postgres_server)
    journal = Postgres(place.url.replace("?host=", f"?host={tmp_path},"))
    await journal.start()
    await opened(journal, row())
    await journal.close()


async def test_a_plain_role_can_serve(fragile: Server, fragile_server: PostgresServer) -> None:
    """Whoever may read and write the tables can run a gateway; only migrating needs their owner."""
    database = urlsplit(fragile.url).path[1:]
    await fragile_server.execute("CREATE ROLE clerk LOGIN")
    await fragile_server.execute(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON"
        " transactions, open_transactions, ended_transactions, transaction_ids, handles, changes, events,"
        " fresh_changes, feed_ends, heartbeat, keys_in_use, pauses TO clerk;"
        "GRANT SELECT ON schema_version, api_keys, dropped_months TO clerk;"
        "GRANT SELECT, INSERT ON audit TO clerk",
        database,
    )
    journal = Postgres(fragile.url.replace("postgres@", "clerk@"))
    await journal.start()
    await KeysInUse(journal, seal(SystemClock())).must_be_known()
    (first,) = await opened(journal, row(blind_indexes=(b"h",)))
    assert await journal.write(after(first, "DECLINED"))
    assert await journal.add_event(event())
    assert await journal.beat(NOW, silence=SILENCE) is None
    await journal.check()
    await journal.add_audit(audit_rows("a", 1))
    assert [one.number for one in await journal.audit_heads(9)] == [1]
    assert await journal.api_keys() == []
    await journal.put_pause(PauseRow(provider="spar-za", document=b"{}"))
    assert [one.provider for one in await journal.pauses()] == ["spar-za"]
    assert await journal.purge(before=LATER, limit=1) == 1
    await journal.close()


@pytest.mark.skipif(not pgbouncer(), reason="pgbouncer is not on this machine")
async def test_a_pooler_may_be_between(postgres_server: PostgresServer) -> None:
    """Through pgbouncer, which gives each statement another session, everything works, waking included."""
    place = await server_place(postgres_server)
    with Pooler(postgres_server) as pooler:
        journal = Postgres(pooler.url(place.url), SessionLimits(is_pooled=True), listen_url=place.url)
        await _start_when_it_answers(journal)
        rows = [row(due_at=NOW) for _ in range(200)]
        assert await asyncio.gather(*(journal.open(each) for each in rows)) == [None] * 200
        taken = await claim(journal, now=NOW, lease_until=LATER, driver="me", limit=500)
        assert len(taken) == 200
        assert all(await asyncio.gather(*(journal.write(after(each, "APPROVED")) for each in taken)))
        await journal.check()
        await journal.close()


LOOK = """
import asyncio, sys
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.postgres.sessions import SessionLimits
print(asyncio.run(Postgres(sys.argv[1], SessionLimits(is_pooled=True)).schema()).sql)
"""
"""What `migrate --print` asks of a journal."""


@pytest.mark.skipif(not pgbouncer(), reason="pgbouncer is not on this machine")
async def test_one_command_after_another_goes_through_a_pooler(postgres_server: PostgresServer) -> None:
    """Commands look at the journal through pgbouncer after each other, in sessions that others used before.

    A statement that the driver keeps by name would be found there under the same name, from another process.
    """
    place = await server_place(postgres_server)
    with Pooler(postgres_server) as pooler:
        pooled = Postgres(pooler.url(place.url), SessionLimits(is_pooled=True))
        await _start_when_it_answers(pooled, begin=pooled.upgrade)
        for _ in range(3):
            ran = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", LOOK, pooler.url(place.url)),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            told, faults = await ran.communicate()
            assert told == b"\n", faults.decode()


async def _start_when_it_answers(
    journal: Journal, begin: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Start a journal whose server is only just coming, or whose time for a statement is short."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(JournalClosed):
                return await (begin or journal.start)()
            await asyncio.sleep(0.05)


async def test_what_is_written_while_it_is_purged_stays(postgres_server: PostgresServer) -> None:
    """A row that a purge has found and that is written before it is deleted owes something: it stays."""
    place = await server_place(postgres_server)
    journal = place.journal()
    await journal.start()
    kept, gone = await opened(
        journal, row(state="CONFIRMED", due_at=None), row(state="CONFIRMED", due_at=None)
    )
    writer = await asyncpg.connect(place.url)
    async with writer.transaction():
        await writer.execute(
            "UPDATE transactions SET state = 'REVERSING' WHERE transaction_id = $1", kept.transaction_id
        )
        purging = asyncio.create_task(journal.purge(before=LATER, limit=10))
        looker = await asyncpg.connect(place.url)
        async with asyncio.timeout(PATIENCE_S):
            while not await looker.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 - another process waits
                await asyncio.sleep(0.01)
        await looker.close()
    await writer.close()
    assert await purging == 1
    assert await journal.get(kept.transaction_id) is not None
    assert await journal.get(gone.transaction_id) is None
    await journal.close()
