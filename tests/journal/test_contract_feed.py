"""What every journal promises about its feed, its events, waking up and purging, on each kind of journal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from giftcard_gateway.journal.contract import Change, EventRow, Journal, RowQuery
from tests.journal.places import Place
from tests.journal.samples import after, at, event, ids, opened, row
from tests.patience import PATIENCE_S

LATER = at(3_600_000_000)


async def test_the_feed_tells_each_change_of_state_once(journal: Journal) -> None:
    """Opening and changes of state are in the feed in order; a write that keeps the state is not."""
    (first,) = await opened(journal, row())
    second = after(first, "PENDING")
    third = after(second, "APPROVED")
    assert await journal.write(second)
    assert await journal.write(third)
    feed = await journal.changes(after="", limit=10)
    assert [(each.transaction_id, each.state, each.at) for each in feed] == [
        (first.transaction_id, "PENDING", first.updated_at),
        (first.transaction_id, "APPROVED", third.updated_at),
    ]


async def test_a_watcher_resumes_where_it_stopped(journal: Journal) -> None:
    """Reading on from each cursor gives the whole feed, nothing twice."""
    rows = await opened(journal, *(row() for _ in range(25)))
    seen: list[Change] = []
    cursor = ""
    while page := await journal.changes(after=cursor, limit=4):
        seen += page
        cursor = page[-1].cursor
    assert ids(seen) == ids(rows)
    assert await journal.last_cursor() == cursor


async def test_a_watcher_may_want_only_what_comes(journal: Journal) -> None:
    """After the newest cursor comes nothing, until something is written."""
    await opened(journal, row())
    cursor = await journal.last_cursor()
    assert not await journal.changes(after=cursor, limit=10)
    (next_one,) = await opened(journal, row())
    assert ids(await journal.changes(after=cursor, limit=10)) == [next_one.transaction_id]


async def test_nothing_is_inserted_behind_a_reader(place: Place) -> None:
    """A reader that follows the feed while many write, through two journals where allowed, misses nothing."""
    journals = [place.journal() for _ in range(2 if place.allows_many else 1)]
    for each in journals:
        await each.start()
    rows = [row() for _ in range(400)]

    async def write(journal: Journal, mine: int) -> None:
        for each in rows[mine::8]:
            await journal.open(each)

    seen: list[str] = []

    async def follow() -> None:
        cursor = ""
        while len(seen) < len(rows):
            page = await journals[0].changes(after=cursor, limit=50)
            seen.extend(ids(page))
            cursor = page[-1].cursor if page else cursor
            await asyncio.sleep(0)

    writers = (write(journals[mine % len(journals)], mine) for mine in range(8))
    await asyncio.wait_for(asyncio.gather(follow(), *writers), PATIENCE_S)
    assert sorted(seen) == sorted(ids(rows))
    for each in journals:
        await each.close()


@pytest.mark.parametrize("cursor", ["x", "1;2", "-1", "9" * 30, "1.2", "1.2.3", "٣"])
async def test_a_made_up_cursor_is_refused(journal: Journal, cursor: str) -> None:
    """Text that no feed gave is refused, not read as some place."""
    with pytest.raises(ValueError, match="cursor"):
        await journal.changes(after=cursor, limit=1)
    with pytest.raises(ValueError, match="cursor"):
        await journal.events(after=cursor, limit=1)


async def test_a_cursor_ahead_of_the_feed_is_refused(journal: Journal) -> None:
    """A place that the feed has not come to is of a journal that was lost: nothing is passed over."""
    (first,) = await opened(journal, row())
    await journal.add_event(event())
    (told,) = await journal.changes(after="", limit=9)
    (come,) = await journal.events(after="", limit=9)
    ahead = "900000000"
    for tenant in (None, "default"):
        assert await journal.changes(after=told.cursor, limit=9, tenant=tenant) == []
        assert await journal.events(after=come.cursor, limit=9, tenant=tenant) == []
        with pytest.raises(ValueError, match="cursor"):
            await journal.changes(after=ahead, limit=9, tenant=tenant)
        for provider in (None, come.provider):
            with pytest.raises(ValueError, match="cursor"):
                await journal.events(after=ahead, limit=9, tenant=tenant, provider=provider)
    assert await journal.write(after(first, "DECLINED"))
    await journal.changes(after=told.cursor, limit=9)
    assert await journal.purge(before=LATER, limit=9) == 1
    assert await journal.changes(after=told.cursor, limit=9) == []


async def test_a_write_wakes_those_who_wait(journal: Journal) -> None:
    """Whoever waits for a change is woken by the next write, long before the time-out."""

    async def look_then_wait() -> None:
        # A task's first wait returns at once, whatever happens; the second is one.
        await journal.wait_changed(0)
        await journal.wait_changed(2 * PATIENCE_S)

    # A journal that just began to listen to others tells so; that is not the write meant here.
    loop = asyncio.get_running_loop()
    is_quiet = False
    while not is_quiet:
        began_s = loop.time()
        await journal.wait_changed(0.4)
        is_quiet = loop.time() - began_s > 0.3
    waiting = [asyncio.ensure_future(look_then_wait()) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert not any(one.done() for one in waiting)
    await opened(journal, row())
    await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE_S)


async def test_a_write_between_a_look_and_a_wait_is_not_missed(journal: Journal) -> None:
    """A write that came after a task last waited ends that task's next wait at once."""
    await journal.wait_changed(0)
    await opened(journal, row())
    await asyncio.wait_for(journal.wait_changed(2 * PATIENCE_S), PATIENCE_S)


async def test_a_wait_ends_by_itself(journal: Journal) -> None:
    """With nothing written, a wait ends after its time-out."""
    await journal.wait_changed(0)
    await asyncio.wait_for(journal.wait_changed(0.01), PATIENCE_S)


async def test_another_process_is_woken(place: Place) -> None:
    """A write in one journal wakes those who wait in another on the same database."""
    if not place.allows_many:
        pytest.skip("this journal allows one writer")
    here, there = place.journal(), place.journal()
    await here.start()
    await there.start()
    # The first write proves that the other one listens: until then a wait could be in vain.
    while not await _is_woken(here, there):
        pass
    assert await _is_woken(here, there)
    await here.close()
    await there.close()


async def _is_woken(here: Journal, there: Journal) -> bool:
    loop = asyncio.get_running_loop()
    await there.wait_changed(0)
    until = loop.time() + 5
    waiting = asyncio.ensure_future(_wait_twice(there))
    await opened(here, row())
    await waiting
    return loop.time() < until


async def _wait_twice(journal: Journal) -> None:
    """Wait in a task of its own, whose first wait returns at once."""
    await journal.wait_changed(5)
    await journal.wait_changed(5)


async def test_an_event_is_kept_once(journal: Journal) -> None:
    """An event that comes again is told from a new one, by provider and id together."""
    first = event()
    assert await journal.add_event(first)
    assert not await journal.add_event(event(event_id=first.event_id))
    assert await journal.add_event(event(event_id=first.event_id, provider="gift-uk"))


async def test_of_concurrent_copies_of_an_event_one_is_new(journal: Journal) -> None:
    """When one event is delivered ten times at once, one delivery is told that it is new."""
    copies = [event(event_id="same", document=b"%d" % number) for number in range(10)]
    outcomes = await asyncio.gather(*(journal.add_event(each) for each in copies))
    assert outcomes.count(True) == 1


async def test_events_are_paged_in_order(journal: Journal) -> None:
    """Events are read from a cursor on, of all providers or of one, whole."""
    added = [event(provider=("spar-za", "gift-uk")[number % 2]) for number in range(10)]
    for each in added:
        await journal.add_event(each)
    page = await journal.events(after="", limit=6)
    assert [each.event_id for each in page] == [each.event_id for each in added[:6]]
    assert (page[0].document, page[0].name, page[0].received_at, page[0].applied) == (
        added[0].document,
        added[0].name,
        added[0].received_at,
        False,
    )
    rest = await journal.events(after=page[-1].cursor, limit=10)
    assert [each.event_id for each in rest] == [each.event_id for each in added[6:]]
    of_one = await journal.events(after=page[0].cursor, limit=3, provider="gift-uk")
    assert [each.event_id for each in of_one] == [each.event_id for each in added[1:6:2]]


def names(events: Sequence[EventRow]) -> list[tuple[str, str]]:
    """Return what tells these events from all others."""
    return [(each.provider, each.event_id) for each in events]


async def test_events_of_one_tenant_and_of_nobody_known(journal: Journal) -> None:
    """A tenant's events are read with those of no known tenant, page by page; no other's are among them."""
    tenants = ["shop", "shoq", "", "shoq", "shop", "shop"]
    added = [event(tenant=each) for each in tenants]
    other = event(tenant="shop", provider="gift-uk")
    for each in (*added, other):
        assert await journal.add_event(each)
    page = await journal.events(after="", limit=2, tenant="shop")
    assert names(page) == names([added[0], added[2]])
    rest = await journal.events(after=page[-1].cursor, limit=9, tenant="shop")
    assert names(rest) == names([added[4], added[5], other])
    of_one = await journal.events(after=page[0].cursor, limit=2, tenant="shop", provider=added[0].provider)
    assert names(of_one) == names([added[2], added[4]])
    assert {each.tenant for each in of_one} == {"", "shop"}


async def test_an_event_goes_to_whom_it_turns_out_to_be_of(journal: Journal) -> None:
    """An event that is applied is from then on its transaction's tenant's; without one it stays."""
    added = [event(tenant="shop"), event(tenant="shop")]
    for each in added:
        await journal.add_event(each)
    await journal.mark_event_applied(added[0].provider, added[0].event_id, tenant="shoq")
    await journal.mark_event_applied(added[1].provider, added[1].event_id)
    assert names(await journal.events(after="", limit=9, tenant="shop")) == names([added[1]])
    assert names(await journal.events(after="", limit=9, tenant="shoq")) == names([added[0]])


async def test_events_wait_until_they_are_applied(journal: Journal) -> None:
    """An event is listed as unapplied, oldest first, until what it proves was carried over."""
    added = [event() for _ in range(3)]
    for each in added:
        await journal.add_event(each)
    await journal.mark_event_applied(added[0].provider, added[0].event_id)
    waiting = await journal.unapplied_events(10)
    assert [each.event_id for each in waiting] == [each.event_id for each in added[1:]]
    assert [each.applied for each in await journal.events(after="", limit=10)] == [True, False, False]


async def test_purging_deletes_finished_rows_with_all_of_theirs(journal: Journal) -> None:
    """A purge deletes old finished rows, their blind indexes and their feed; open and younger ones stay."""
    rows = await opened(journal, *(row(blind_indexes=(b"card",)) for _ in range(8)))
    for each in rows[:5]:
        assert await journal.write(after(each, "DECLINED", updated_at=at(100)))
    assert await journal.write(after(rows[5], "CONFIRMED", updated_at=LATER))
    assert await journal.purge(before=at(100), limit=10) == 0
    assert await journal.purge(before=LATER, limit=3) == 3
    assert await journal.purge(before=LATER, limit=3) == 2
    assert await journal.purge(before=LATER, limit=3) == 0
    left = sorted(ids(rows[5:]))
    assert sorted(ids(await journal.list(RowQuery()))) == left
    assert sorted(ids(await journal.list(RowQuery(blind_indexes=(b"card",))))) == left
    assert sorted(set(ids(await journal.changes(after="", limit=100)))) == left
    assert await journal.get(rows[0].transaction_id) is None


async def test_a_purge_of_one_tenant_leaves_the_others(journal: Journal) -> None:
    """A purge for one tenant deletes its finished rows, and no other's however old."""
    rows = await opened(journal, row(), row(tenant="shop"), row(tenant="shop"), row(tenant="shoq"))
    for each in rows:
        assert await journal.write(after(each, "DECLINED"))
    assert await journal.purge(before=LATER, limit=1, tenant="shop") == 1
    assert await journal.purge(before=LATER, limit=9, tenant="shop") == 1
    assert await journal.purge(before=LATER, limit=9, tenant="shop") == 0
    assert sorted(ids(await journal.list(RowQuery()))) == sorted(ids([rows[0], rows[3]]))


async def test_purging_deletes_old_events(journal: Journal) -> None:
    """Events that were carried over are purged after the rows, in all at most `limit`; others are kept.

    So are those of other tenants where a purge is for one.
    """
    (done,) = await opened(journal, row())
    assert await journal.write(after(done, "DECLINED"))
    young = event(received_at=LATER, applied=True)
    old = [event(), event(applied=True), event(), event(applied=True), young, event(applied=True)]
    for each in old:
        assert await journal.add_event(each)
    await journal.mark_event_applied(old[0].provider, old[0].event_id, tenant="shop")
    left = [each.event_id for each in old]

    async def purged(limit: int, *gone: int, tenant: str | None = None, rows: int = 0) -> None:
        assert await journal.purge(before=LATER, limit=limit, tenant=tenant) == len(gone) + rows
        for number in gone:
            left.remove(old[number].event_id)
        assert [each.event_id for each in await journal.events(after="", limit=9)] == left

    await purged(9, 0, tenant="shop")
    await purged(2, 1, rows=1)
    await purged(9, 3, 5)
    await purged(9)
    await journal.mark_event_applied(old[2].provider, old[2].event_id)
    await purged(9, 2)


async def test_a_watcher_outlives_a_purge(journal: Journal) -> None:
    """A cursor whose change was purged still resumes after it, and numbers are not used again."""
    (first,) = await opened(journal, row())
    assert await journal.write(after(first, "DECLINED"))
    cursor = await journal.last_cursor()
    assert await journal.purge(before=LATER, limit=10) == 1
    (second,) = await opened(journal, row())
    assert ids(await journal.changes(after=cursor, limit=10)) == [second.transaction_id]


async def test_a_reader_of_what_comes_begins_after_the_newest_event(journal: Journal) -> None:
    """The newest event's cursor is that of the last one read, and nothing stands behind it."""
    assert await journal.last_event_cursor() == ""
    for _ in range(2):
        assert await journal.add_event(event())
    newest = await journal.last_event_cursor()
    assert newest == (await journal.events(after="", limit=10))[-1].cursor
    assert await journal.events(after=newest, limit=10) == []
