"""What a journal knows of its sealed documents: how they begin, which may be claimed, and replacing them."""

from __future__ import annotations

import msgspec

from giftcard_gateway.journal.contract import Journal, Resealed, Row, RowQuery
from giftcard_gateway.journal.rows import OPEN_STATES
from tests.journal.samples import LEASE, NOW, after, at, bare, event, ids, opened, row

K1, K2 = b"\x02\x02k1", b"\x01\x03key"
LATER = NOW + 2 * LEASE


async def test_only_what_opens_is_claimed(journal: Journal) -> None:
    """A claim takes rows whose document begins as told, however many others are due before them."""
    others = [row(document=K2 + b"x"), row(document=b""), row(document=b"\x02\x09k1")]
    mine = row(document=K1 + b"x")
    await opened(journal, *others, mine)

    async def claim(heads: frozenset[bytes] | None, limit: int) -> set[str]:
        rows = await journal.claim(
            now=LATER,
            lease_until=LATER + LEASE,
            driver="me",
            limit=limit,
            provider="spar-za",
            states=OPEN_STATES,
            heads=heads,
        )
        return {one.transaction_id for one in rows}

    assert await claim(frozenset({K1, b"\x02\x02k9"}), 1) == {mine.transaction_id}
    assert not await claim(frozenset({K1}), 9)
    assert not await claim(frozenset(), 9)
    assert await claim(None, 9) == {one.transaction_id for one in others}


async def test_only_events_that_open_wait_here(journal: Journal) -> None:
    """Of events to be applied those are told whose document begins as asked."""
    mine, other = event(document=K1 + b"x"), event(document=K2 + b"x")
    for one in (other, mine):
        assert await journal.add_event(one)
    (waiting,) = await journal.unapplied_events(1, [K1])
    assert waiting.event_id == mine.event_id
    assert len(await journal.unapplied_events(9)) == 2


async def test_documents_are_counted_by_their_key(journal: Journal) -> None:
    """Each table is counted by the beginning of its documents; or open transactions alone."""
    await opened(
        journal, row(document=K1 + b"x"), row(document=K1 + b"y"), row(document=K2 + b"x", state="REVERSED")
    )
    await journal.add_event(event(document=K2 + b"x"))
    counts = {(one.table, one.head): one.count for one in await journal.seals()}
    assert counts == {("transactions", K1): 2, ("transactions", K2): 1, ("events", K2): 1}
    assert {(one.head, one.count) for one in await journal.seals(OPEN_STATES)} == {(K1, 2)}


async def test_a_document_is_replaced_only_as_it_was_read(journal: Journal) -> None:
    """Replacing changes the document alone, and nothing of a row or event that was written meanwhile."""
    first, second = await opened(journal, row(document=K2 + b"1"), row(document=K2 + b"2"))
    told = event(document=K2 + b"3")
    assert await journal.add_event(told)
    stale = msgspec.structs.replace(second, document=K2 + b"old")
    anew = [Resealed(row=one, document=K1 + b"new") for one in (first, stale, told)]
    assert await journal.reseal(anew) == 2
    assert await journal.reseal([]) == 0
    assert await journal.get(first.transaction_id) == msgspec.structs.replace(first, document=K1 + b"new")
    assert await journal.get(second.transaction_id) == second
    assert [one.document for one in await journal.events(after="", limit=9)] == [K1 + b"new"]


async def test_everything_is_walked_once(journal: Journal) -> None:
    """Page after page gives every transaction and every event, in the order of their ids."""
    rows = await opened(journal, *(row() for _ in range(5)))
    events = [event() for _ in range(5)]
    for one in events:
        await journal.add_event(one)
    walked: list[Row] = []
    last = ""
    while page := await journal.rows_after(last, 2):
        walked += page
        last = page[-1].transaction_id
    assert walked == sorted(rows, key=lambda one: one.transaction_id)
    told, place = [], ("", "")
    while found := await journal.events_after(place, 2):
        told += [one.event_id for one in found]
        place = (found[-1].provider, found[-1].event_id)
    assert told == sorted(one.event_id for one in events)


async def test_rows_are_counted_by_their_hash_key(journal: Journal) -> None:
    """Each row counts for the hash key it says it is found by."""
    await opened(journal, row(), row(hash_key="second"), row(hash_key="second", state="REVERSED"))
    assert await journal.indexed() == {"first": 1, "second": 2}


async def found(journal: Journal, *indexes: bytes) -> list[str]:
    """Return the ids of the rows with any of these blind indexes."""
    return ids(await journal.list(RowQuery(blind_indexes=indexes)))


async def test_all_indexes_of_a_write_take_the_place_of_the_others(journal: Journal) -> None:
    """A write that carries all blind indexes leaves no other, and those of other rows as they are."""
    first, other = await opened(journal, row(blind_indexes=(b"a1", b"r1")), row(blind_indexes=(b"a1",)))
    anew = after(first, "APPROVED", hash_key="second", blind_indexes=(b"r1", b"a2"), are_all_indexes=True)
    assert await journal.write(anew)
    assert await found(journal, b"a1") == [other.transaction_id]
    for index in (b"r1", b"a2"):
        assert await found(journal, index) == [first.transaction_id]
    assert await journal.indexed() == {"first": 1, "second": 1}
    assert await journal.write(msgspec.structs.replace(anew, are_all_indexes=False))


async def test_a_write_under_another_hash_key_leaves_a_row_under_several(journal: Journal) -> None:
    """A write that adds blind indexes under another key takes none away; the row says that it is mixed."""
    (first,) = await opened(journal, row(blind_indexes=(b"a1",)))
    second = after(first, "APPROVED", hash_key="second", blind_indexes=(b"r2",))
    assert await journal.write(second)
    assert await journal.indexed() == {"": 1}
    assert await found(journal, b"a1") == await found(journal, b"r2") == [first.transaction_id]
    assert await journal.write(after(second, "APPROVED", hash_key="second"))
    assert await journal.indexed() == {"": 1}


async def test_a_row_found_under_two_keys_is_listed_once(journal: Journal) -> None:
    """Pages of what has either of two blind indexes are in order, whole and without a row twice."""
    kinds = [(b"1",), (b"2",), (b"1", b"2"), (b"3",)]
    rows = await opened(
        journal, *(row(created_at=at(number), blind_indexes=kinds[number % 4]) for number in range(12))
    )
    wanted = [each for each in reversed(rows) if each.blind_indexes != (b"3",)]
    listed: list[str] = []
    last = None
    while page := await journal.list(RowQuery(blind_indexes=(b"1", b"2"), after=last, limit=2)):
        listed += ids(page)
        last = (page[-1].created_at, page[-1].transaction_id)
    assert listed == ids(wanted)


async def test_a_row_is_indexed_anew_with_its_document(journal: Journal) -> None:
    """Indexing anew leaves no other blind index of a row; one that was written meanwhile stays as it was."""
    first, second = await opened(
        journal, row(blind_indexes=(b"a1", b"a2")), row(blind_indexes=(b"b1", b"b2"))
    )
    stale = msgspec.structs.replace(second, document=b"read before")
    anew = [
        Resealed(row=one, document=b"new", hash_key="second", blind_indexes=(b"a2", b"a3"))
        for one in (first, stale)
    ]
    assert await journal.reseal(anew) == 1
    assert await journal.indexed() == {"first": 1, "second": 1}
    for index, expected in ((b"a1", []), (b"a2", [first]), (b"a3", [first]), (b"b1", [second])):
        assert await found(journal, index) == ids(expected)
    there = await journal.get(first.transaction_id)
    assert there == msgspec.structs.replace(bare(first), document=b"new", hash_key="second")
