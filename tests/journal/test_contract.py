"""What every journal promises about rows, on each kind of journal: opening, writing, claiming, listing.

The feed, events and purging are in `test_contract_feed`, faults and crashes in modules of their own.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import msgspec
import pytest

from giftcard_gateway.journal.contract import Backlog, Journal, RowQuery
from giftcard_gateway.ledger.grace import Outage
from tests.journal.places import Place
from tests.journal.samples import NOW, after, at, bare, claim, ids, opened, row
from tests.world.app import until
from tests.world.journal import InlineSqlite

LATER = at(3_600_000_000)
SILENCE = timedelta(seconds=5)


async def test_a_row_is_read_back_as_it_was_opened(journal: Journal) -> None:
    """Every column of a row survives, and its blind indexes are not read back."""
    first = row(blind_indexes=(b"a" * 32, b"b" * 32))
    assert await journal.open(first) is None
    assert await journal.get(first.transaction_id) == bare(first)


async def test_whoever_measures_hears_of_each_write(journal: Journal) -> None:
    """After a batch it is told how long it took, and for whom each of its rows was."""
    if isinstance(journal, InlineSqlite):
        pytest.skip("it has no batches")
    told = list[tuple[str, float, float, list[object]]]()
    journal.caller = lambda: "till-1"
    journal.on_batch = lambda system, waited_s, took_s, callers: told.append(
        (system, waited_s, took_s, [*callers])
    )
    (first,) = await opened(journal, row())
    assert await journal.write(after(first, "APPROVED"))
    # It hears on the thread of the commit, perhaps after who waited for it.
    await until(lambda: sum(len(callers) for *_, callers in told) == 2)
    assert {system for system, *_ in told} == {journal.system}
    assert all(waited_s >= 0 and took_s >= 0 for _, waited_s, took_s, _ in told)
    assert {caller for *_, callers in told for caller in callers} == {"till-1"}


async def test_an_unknown_id_is_none(journal: Journal) -> None:
    """Asking for a row that was never opened gives None."""
    assert await journal.get("no such id") is None


async def test_of_a_hundred_callers_with_one_id_one_opens_it(journal: Journal) -> None:
    """A hundred concurrent opens of one id make one row, and every other caller gets that row."""
    first = row()
    contenders = [msgspec.structs.replace(first, document=b"%d" % number) for number in range(100)]
    outcomes = await asyncio.gather(*(journal.open(each) for each in contenders))
    assert outcomes.count(None) == 1
    winner = contenders[outcomes.index(None)]
    assert all(outcome == winner for outcome in outcomes if outcome is not None)
    assert await journal.get(first.transaction_id) == winner


async def test_opening_again_changes_nothing(journal: Journal) -> None:
    """A second open gives the row as last written, and adds no change and no blind index."""
    (first,) = await opened(journal, row())
    second = after(first, "APPROVED")
    assert await journal.write(second)
    assert await journal.open(msgspec.structs.replace(first, blind_indexes=(b"other" * 6,))) == second
    assert [change.state for change in await journal.changes(after="", limit=10)] == ["PENDING", "APPROVED"]
    assert not await journal.list(RowQuery(blind_indexes=(b"other" * 6,)))


async def test_a_write_replaces_the_version_before_it(journal: Journal) -> None:
    """A write with the next version replaces the row."""
    (first,) = await opened(journal, row())
    second = after(first, "APPROVED", due_at=LATER, fence=2, driver="there")
    assert await journal.write(second)
    assert await journal.get(first.transaction_id) == second


async def test_of_concurrent_writes_one_wins(journal: Journal) -> None:
    """Of twenty hands that write the same next version, one does; the others learn that they did not."""
    (first,) = await opened(journal, row())
    contenders = [after(first, "APPROVED") for _ in range(20)]
    outcomes = await asyncio.gather(*(journal.write(each) for each in contenders))
    assert outcomes.count(True) == 1
    assert await journal.get(first.transaction_id) == contenders[outcomes.index(True)]


@pytest.mark.parametrize("version", [1, 3, 99])
async def test_a_write_of_any_other_version_is_refused(journal: Journal, version: int) -> None:
    """A write whose version does not follow the recorded one changes nothing."""
    (first,) = await opened(journal, row())
    assert not await journal.write(after(first, "APPROVED", version=version))
    assert await journal.get(first.transaction_id) == first


async def test_a_write_of_an_unknown_id_is_refused(journal: Journal) -> None:
    """A row that was never opened cannot be written."""
    assert not await journal.write(after(row(), "APPROVED"))


async def test_a_write_can_be_repeated(journal: Journal) -> None:
    """The very write that is recorded is answered True again: whoever lost the answer may ask again."""
    (first,) = await opened(journal, row())
    second = after(first, "APPROVED")
    assert await journal.write(second)
    assert await journal.write(second)
    assert not await journal.write(msgspec.structs.replace(second, document=b"another hand's"))
    assert [change.state for change in await journal.changes(after="", limit=10)] == ["PENDING", "APPROVED"]


async def test_calls_on_one_id_in_one_batch_keep_their_order(journal: Journal) -> None:
    """An open and its writes may wait together; each sees those before it."""
    first = row()
    second = after(first, "APPROVED")
    third = after(second, "CONFIRMING")
    outcomes = await asyncio.gather(
        journal.open(first), journal.write(second), journal.open(first), journal.write(third)
    )
    assert outcomes[0] is None
    assert outcomes[1] is True
    assert outcomes[2] in {second, third}
    assert outcomes[3] is True
    assert await journal.get(first.transaction_id) == third


async def test_many_rows_in_one_batch_each_get_their_own_answer(journal: Journal) -> None:
    """Among a thousand calls that wait together, exactly the refused ones are refused."""
    rows = await opened(journal, *(row() for _ in range(20)))
    fresh = [row() for _ in range(480)]
    good = [after(each, "APPROVED") for each in rows]
    bad = [after(each, "APPROVED", version=7) for each in rows]
    outcomes = await asyncio.gather(
        *(journal.open(each) for each in (*fresh, *rows)), *(journal.write(each) for each in (*bad, *good))
    )
    assert outcomes[:480] == [None] * 480
    assert ids(outcome for outcome in outcomes[480:500] if not isinstance(outcome, bool | None)) == ids(rows)
    assert outcomes[500:] == [False] * 20 + [True] * 20


async def test_one_that_cannot_be_written_fails_alone(journal: Journal) -> None:
    """A row that no database can hold is refused by itself; those that wait with it are written."""
    rows = [row() for _ in range(5)]
    impossible = row(fence=2**70)
    outcomes = await asyncio.gather(
        *(journal.open(each) for each in (*rows, impossible)), return_exceptions=True
    )
    assert outcomes[:5] == [None] * 5
    assert isinstance(outcomes[5], ValueError)


async def test_a_cancelled_callers_write_is_kept(journal: Journal) -> None:
    """A caller that goes away while its row waits does not take the row with it, nor disturb the others."""
    rows = [row() for _ in range(10)]
    tasks = [asyncio.ensure_future(journal.open(each)) for each in rows]
    await asyncio.sleep(0)
    tasks[3].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await journal.open(row())
    assert [await journal.get(each.transaction_id) for each in rows] == rows


async def test_claiming_takes_what_is_due_oldest_first(journal: Journal) -> None:
    """A claim takes due rows only, the oldest due first, up to its limit, one fence and version higher."""
    rows = await opened(journal, *(row(due_at=at(minute * 60_000_000)) for minute in (5, 1, 3, 9)))
    await opened(journal, row(due_at=None))
    now = at(6 * 60_000_000)
    taken = await claim(journal, now=now, lease_until=LATER, driver="sweep", limit=2)
    assert ids(taken) == ids([rows[1], rows[2]])
    assert taken[0] == msgspec.structs.replace(rows[1], due_at=LATER, driver="sweep", fence=2, version=2)
    assert await journal.get(rows[1].transaction_id) == taken[0]
    taken = await claim(journal, now=now, lease_until=LATER, driver="sweep", limit=2)
    assert ids(taken) == ids([rows[0]])


async def test_concurrent_claims_share_nothing(journal: Journal) -> None:
    """Rows claimed at the same time by many go to one each, and none is left over."""
    rows = await opened(journal, *(row(due_at=NOW) for _ in range(60)))
    claims = await asyncio.gather(
        *(claim(journal, now=NOW, lease_until=LATER, driver=f"d{number}", limit=7) for number in range(12))
    )
    taken = [each for claimed in claims for each in ids(claimed)]
    assert sorted(taken) == sorted(ids(rows))


async def test_two_journals_on_one_database_share_nothing(place: Place) -> None:
    """Two processes' journals that claim at the same time never get the same row."""
    if not place.allows_many:
        pytest.skip("this journal allows one writer; test_sqlite proves that it refuses a second")
    first, second = place.journal(), place.journal()
    await first.start()
    await second.start()
    rows = await opened(first, *(row(due_at=NOW) for _ in range(200)))
    taken: list[str] = []

    async def sweep(journal: Journal, driver: str) -> None:
        while claimed := await claim(journal, now=NOW, lease_until=LATER, driver=driver, limit=9):
            taken.extend(ids(claimed))

    await asyncio.gather(*(sweep(journal, "d") for journal in (first, second) for _ in range(4)))
    assert sorted(taken) == sorted(ids(rows))
    await first.close()
    await second.close()


async def test_whoever_lost_a_row_cannot_write_it(journal: Journal) -> None:
    """After another hand claimed a row, the hand that drove it before is refused (rule 14)."""
    (first,) = await opened(journal, row(due_at=NOW))
    (taken,) = await claim(journal, now=NOW, lease_until=LATER, driver="next", limit=1)
    assert not await journal.write(after(first, "APPROVED"))
    assert await journal.write(after(taken, "REVERSING"))


async def test_the_next_due_time_is_the_earliest_of_each_kind(journal: Journal) -> None:
    """Whoever sleeps learns when each provider has something due in each state, and nothing else."""
    assert not await journal.next_due()
    first, *_ = await opened(
        journal,
        row(due_at=at(5)),
        row(due_at=at(9)),
        row(due_at=at(7), state="REVERSING"),
        row(due_at=at(3), provider="gift-uk"),
        row(due_at=None, provider="cards-fr"),
    )
    kinds = {(due.provider, due.state): due.due_at for due in await journal.next_due()}
    reversing = ("spar-za", "REVERSING")
    assert kinds == {("gift-uk", "PENDING"): at(3), ("spar-za", "PENDING"): at(5), reversing: at(7)}
    assert await journal.write(after(first, "DECLINED"))
    kinds = {(due.provider, due.state): due.due_at for due in await journal.next_due()}
    assert kinds == {("gift-uk", "PENDING"): at(3), ("spar-za", "PENDING"): at(9), reversing: at(7)}


async def test_claims_are_for_one_provider_and_its_states(journal: Journal) -> None:
    """A claim takes nothing of another provider and nothing in another state, however long overdue."""
    mine, _, _ = await opened(
        journal,
        row(due_at=at(9), state="REVERSING"),
        row(due_at=at(1)),
        row(due_at=at(2), state="REVERSING", provider="gift-uk"),
    )
    taken = await journal.claim(
        now=LATER,
        lease_until=LATER,
        driver="d",
        limit=9,
        provider="spar-za",
        states=["REVERSING", "APPROVED"],
    )
    assert ids(taken) == ids([mine])


async def test_an_outage_is_told_to_all(place: Place) -> None:
    """Silence that lasts too long is told by every later beat, also to a process that starts."""
    first = place.journal()
    await first.start()
    assert await first.beat(NOW, silence=SILENCE) is None
    assert await first.beat(NOW + SILENCE, silence=SILENCE) is None
    since, until = NOW + SILENCE, NOW + 60 * SILENCE
    outage = Outage(since=since, until=until, lost_in_all=until - since)
    assert await first.beat(until, silence=SILENCE) == outage
    assert await first.beat(until - SILENCE, silence=SILENCE) == outage
    await first.close()
    second = place.journal()
    await second.start()
    assert await second.beat(until + SILENCE, silence=SILENCE) == outage
    await second.close()


async def test_outages_add_up(journal: Journal) -> None:
    """A later outage takes the place of an earlier one, and tells how long both were."""
    minute = timedelta(minutes=1)
    for minutes in (0, 1):
        await journal.beat(NOW + minutes * minute, silence=SILENCE)
    first = Outage(since=NOW, until=NOW + minute, lost_in_all=minute)
    assert await journal.beat(NOW + minute, silence=SILENCE) == first
    second = Outage(since=NOW + minute, until=NOW + 5 * minute, lost_in_all=5 * minute)
    assert await journal.beat(NOW + 5 * minute, silence=SILENCE) == second
    assert await journal.beat(NOW + 7 * minute, silence=3 * minute) == second


async def test_a_clock_that_was_put_right_ends_no_heartbeat(journal: Journal) -> None:
    """An outage that a wrong clock made is taken back, and later ones are noticed as ever."""
    minute, day = timedelta(minutes=1), timedelta(days=1)
    for now in (NOW, NOW + minute):
        await journal.beat(now, silence=SILENCE)
    untrue = await journal.beat(NOW + day, silence=SILENCE)
    assert untrue is not None
    assert untrue.lost_in_all == day
    right = NOW + 2 * minute
    none = await journal.beat(right, silence=SILENCE)
    assert none == Outage(since=right, until=right, lost_in_all=minute)
    after = Outage(since=right, until=right + minute, lost_in_all=2 * minute)
    assert await journal.beat(right + minute, silence=SILENCE) == after


async def test_lists_are_newest_first_and_page_by_key(journal: Journal) -> None:
    """Pages of a list follow each other without a gap or a repeat, also among rows of one instant."""
    times = [at(number // 4) for number in range(30)]
    rows = await opened(journal, *(row(created_at=each) for each in times))
    expected = sorted(rows, key=lambda each: (each.created_at, each.transaction_id), reverse=True)
    listed: list[str] = []
    last: tuple[datetime, str] | None = None
    while page := await journal.list(RowQuery(after=last, limit=7)):
        listed += ids(page)
        last = (page[-1].created_at, page[-1].transaction_id)
    assert listed == ids(expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (RowQuery(states=("APPROVED",)), {"b", "d"}),
        (RowQuery(states=("APPROVED", "PENDING")), {"a", "b", "c", "d"}),
        (RowQuery(operations=("LOAD",)), {"c", "d", "e"}),
        (RowQuery(providers=("gift-uk",)), {"b", "c"}),
        (RowQuery(providers=("gift-uk", "spar-za"), states=("DECLINED",)), {"e"}),
        (RowQuery(providers=("gift-uk",), operations=("LOAD",), states=("PENDING",)), {"c"}),
        (RowQuery(created_from=at(2), created_before=at(4)), {"c", "d"}),
        (RowQuery(blind_indexes=(b"h1",)), {"a", "d", "e"}),
        (RowQuery(blind_indexes=(b"h1",), states=("APPROVED",)), {"d"}),
        (RowQuery(blind_indexes=(b"h1",), after=(at(3), "d")), {"a"}),
        (RowQuery(blind_indexes=(b"h2",)), {"d"}),
        (RowQuery(blind_indexes=(b"h3",)), set()),
        (RowQuery(states=()), set()),
        (RowQuery(after=(at(2), "c")), {"a", "b"}),
        (RowQuery(limit=2), {"e", "d"}),
    ],
)
async def test_lists_filter(journal: Journal, query: RowQuery, expected: set[str]) -> None:
    """Each filter keeps what it says, alone and with others; a blind index added by a later write counts."""
    kinds = [("a", "REDEEM", "spar-za"), ("b", "REDEEM", "gift-uk"), ("c", "LOAD", "gift-uk")]
    kinds += [("d", "LOAD", "spar-za"), ("e", "LOAD", "spar-za")]
    indexes = {"a": (b"h1",), "d": (b"h1",), "e": (b"h1",)}
    rows = {
        name: row(
            transaction_id=name,
            operation=operation,
            provider=provider,
            created_at=at(number),
            blind_indexes=indexes.get(name, ()),
        )
        for number, (name, operation, provider) in enumerate(kinds)
    }
    await opened(journal, *rows.values())
    for name, state, found in (("b", "APPROVED", ()), ("d", "APPROVED", (b"h2",)), ("e", "DECLINED", ())):
        assert await journal.write(after(rows[name], state, blind_indexes=found))
    listed = ids(await journal.list(query))
    assert listed == sorted(expected, reverse=True)


async def test_the_backlog_counts_what_is_open(journal: Journal) -> None:
    """The backlog counts unfinished rows by provider and state; finished ones are not in it."""
    rows = await opened(
        journal, *(row(created_at=at(number)) for number in range(4)), row(provider="gift-uk")
    )
    assert await journal.write(after(rows[0], "UNRESOLVED"))
    assert await journal.write(after(rows[1], "DECLINED"))
    counted = {(each.provider, each.state): each for each in await journal.backlog()}
    assert counted["spar-za", "UNRESOLVED"] == Backlog(
        provider="spar-za", state="UNRESOLVED", count=1, oldest_at=NOW
    )
    assert counted["spar-za", "PENDING"].count == 2
    assert counted["spar-za", "PENDING"].oldest_at == at(2)
    assert set(counted) == {("spar-za", "UNRESOLVED"), ("spar-za", "PENDING"), ("gift-uk", "PENDING")}


async def test_the_backlog_of_one_tenant_is_its_own(journal: Journal) -> None:
    """Of a named tenant only its rows are counted, with the oldest of them; of an unknown one none."""
    await opened(journal, row(created_at=at(0)), *(row(tenant="shop", created_at=at(n)) for n in (1, 2)))
    assert [*await journal.backlog(tenant="shop")] == [
        Backlog(provider="spar-za", state="PENDING", count=2, oldest_at=at(1))
    ]
    (default,) = await journal.backlog(tenant="default")
    assert (default.count, default.oldest_at) == (1, at(0))
    assert [*await journal.backlog(tenant="sho")] == []
    assert [one.count for one in await journal.backlog()] == [3]


async def test_what_was_written_outlives_the_journal(place: Place) -> None:
    """A journal that is closed and opened again holds every row, its feed and its events."""
    before = place.journal()
    await before.start()
    rows = await opened(before, *(row(driver="", blind_indexes=(b"h",)) for _ in range(30)))
    cursor = await before.last_cursor()
    await before.close()
    again = place.journal()
    await again.start()
    assert {each.transaction_id: each for each in await again.list(RowQuery(blind_indexes=(b"h",)))} == {
        each.transaction_id: bare(each) for each in rows
    }
    assert await again.last_cursor() == cursor
    await again.close()


async def test_a_journal_that_answers_checks_well(journal: Journal) -> None:
    """The health check of a working journal returns, and leaves nothing behind."""
    await journal.check()
    assert await journal.last_cursor() == ""
    assert not await journal.list(RowQuery())
