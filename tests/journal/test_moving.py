"""A tenant goes from one journal into another, all of it, however often that was cut short."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Redeem
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.contract import Journal, Resealed, RowQuery
from giftcard_gateway.journal.moving import MoveStopped, TenantMove
from giftcard_gateway.journal.notes import KeyInUse
from giftcard_gateway.journal.places import place_of
from giftcard_gateway.journal.records import Records
from giftcard_gateway.journal.sqlite.journal import Sqlite
from giftcard_gateway.ledger.entry import Entry, State
from tests.journal.conftest import server_place
from tests.journal.samples import MICROSECOND, NOW, after, event
from tests.journal.samples import row as sample
from tests.postgres import PostgresServer
from tests.world.gateway import seal

MANY = 230
"""More than one batch."""
Pair = tuple[Journal, Journal]


class Killed(Exception):
    """Ends a move where a kill would."""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    """Give two started journals of each kind."""
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        both = [(await server_place(server)).journal() for _ in range(2)]
    else:
        both = [Sqlite(str(tmp_path / f"{name}.db")) for name in ("old", "new")]
    for one in both:
        await one.start()
    yield both[0], both[1]
    for one in both:
        await one.close()


def records(journal: Journal) -> Records:
    """Return the transactions of a journal, under one seal for both."""
    return Records(journal, seal(SystemClock()))


async def kept(journal: Journal, tenant: str, state: State = State.CONFIRMED, at: datetime = NOW) -> str:
    """Write down a redemption of a tenant, and return its id."""
    ask = Redeem(
        transaction_id=SystemClock().uuid4(),
        requested_at=NOW,
        amount=Money("ZAR", 100),
        card=CardRef(number=Secret("6045120000000017")),
        external_reference=f"order of {tenant}",
    )
    entry = Entry(
        transaction_id=ask.transaction_id,
        operation=ask.operation,
        state=state,
        created_at=at,
        updated_at=at,
        provider="shop",
        ask=ask,
        tenant=tenant,
    )
    assert await records(journal).open(entry) is None
    return ask.transaction_id


def mover(pair: Pair, tenant: str = "north") -> TenantMove:
    """Return what moves a tenant."""
    return TenantMove(tenant, *pair, seal(SystemClock()))


async def moved(pair: Pair, advance: Callable[[int], None] = lambda _: None) -> int:
    """Move the tenant north, as the command does."""
    moving = mover(pair)
    await moving.must_be_at_rest()
    count = await moving.copy(advance)
    await moving.compare()
    await moving.leave(advance)
    return count


async def whose(journal: Journal) -> dict[str, list[str]]:
    """Return the ids in a journal by tenant."""
    found: dict[str, list[str]] = {}
    last = ""
    while rows := await journal.rows_after(last, 100):
        for row in rows:
            found.setdefault(row.tenant, []).append(row.transaction_id)
        last = rows[-1].transaction_id
    return found


async def test_a_tenant_takes_everything_along(pair: Pair) -> None:
    """Its transactions, as they were, are found there as before by id, card and reference; others stay."""
    old, new = pair
    ids = sorted([await kept(old, "north") for _ in range(MANY)])
    others = sorted([await kept(old, "south") for _ in range(3)])
    rows = {one: await old.get(one) for one in ids}
    await old.use_keys([KeyInUse("seal", "2024", "f")])
    for tenant in ("north", "south"):
        assert await old.add_event(event(tenant=tenant, applied=True, event_id=f"of {tenant}"))
    assert await moved(pair) == MANY
    assert await whose(new) == {"north": ids}
    assert await whose(old) == {"south": others}
    for one in ids[:5]:
        there = await new.get(one)
        assert there == rows[one]
        entry = await records(new).get(one)
        assert entry is not None
        assert entry.ask is not None
    for index in {index for one in ids[:1] for index in await found_by(new, one)}:
        assert await new.list(RowQuery(blind_indexes=(index,), limit=1))
        assert len(await old.list(RowQuery(blind_indexes=(index,), tenant="north"))) == 0
    assert [one.event_id for one in await new.events(after="", limit=9)] == ["of north"]
    assert [one.event_id for one in await old.events(after="", limit=9)] == ["of south"]
    assert KeyInUse("seal", "2024", "f") in await new.keys_in_use()
    assert {one.state for one in await new.changes(after="", limit=999, tenant="north")} == {"CONFIRMED"}


async def found_by(journal: Journal, transaction_id: str) -> list[bytes]:
    """Return the blind indexes that a transaction has."""
    there = records(journal)
    entry = await there.get(transaction_id)
    assert entry is not None
    return list(there.indexes.all_of(entry))


@pytest.mark.parametrize("at", range(6))
async def test_a_move_that_is_cut_short_is_run_again(pair: Pair, at: int) -> None:
    """Killed at any step, every transaction is still whole in one journal or both; run again it is moved."""
    ids = sorted([await kept(pair[0], "north") for _ in range(MANY)])
    steps = 0

    def cut(_: int) -> None:
        nonlocal steps
        if steps == at:
            raise Killed
        steps += 1

    try:
        await moved(pair, cut)
    except Killed:
        old, new = await whose(pair[0]), await whose(pair[1])
        assert sorted({*old.get("north", []), *new.get("north", [])}) == ids
        assert not set(ids) - set(new.get("north", [])) or old["north"] == ids
    await moved(pair)
    assert await whose(pair[0]) == {}
    assert await whose(pair[1]) == {"north": ids}


@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED, State.CONFIRMING, State.UNRESOLVED])
async def test_what_is_open_stops_a_move(pair: Pair, state: State) -> None:
    """While anything is owed or a person is needed, nothing is copied, and the refusal names it."""
    await kept(pair[0], "north")
    one = await kept(pair[0], "north", state)
    with pytest.raises(MoveStopped, match=one):
        await mover(pair).must_be_at_rest()


async def test_a_refusal_names_the_id_that_its_caller_made(pair: Pair) -> None:
    """Of a tenant's transaction people know the id that was asked for, and not the one that it is kept by."""
    asked = SystemClock().uuid4()
    assert await pair[0].open(sample(tenant="north", asked_id=asked)) is None
    with pytest.raises(MoveStopped, match=asked):
        await mover(pair).must_be_at_rest()


async def test_an_event_to_be_carried_over_stops_a_move(pair: Pair) -> None:
    """An event that its transaction does not know yet is not left behind."""
    await pair[0].add_event(event(tenant="south", event_id="theirs"))
    await mover(pair).must_be_at_rest()
    await pair[0].add_event(event(tenant="north", event_id="ours"))
    with pytest.raises(MoveStopped, match="ours"):
        await mover(pair).must_be_at_rest()


async def test_an_id_of_another_transaction_stops_a_move(pair: Pair) -> None:
    """An id that is another transaction's there stays what it is in both, and nothing is deleted."""
    old, new = pair
    one = await kept(old, "north")
    row = await old.get(one)
    assert row is not None
    other = msgspec.structs.replace(row, document=b"another", created_at=row.created_at + MICROSECOND)
    assert await new.open(other) is None
    with pytest.raises(MoveStopped, match=one):
        await moved(pair)
    with pytest.raises(MoveStopped, match=one):
        await mover(pair).compare()
    assert await old.get(one) == row
    assert await new.get(one) == other


async def test_what_cannot_be_read_stops_a_move(pair: Pair) -> None:
    """A transaction that is not as it was written, or whose key is not there, is named, and stays."""
    old, _ = pair
    one = await kept(old, "north")
    row = await old.get(one)
    assert row is not None
    assert await old.reseal([Resealed(row=row, document=row.document[:-1])]) == 1
    with pytest.raises(MoveStopped, match=one):
        await moved(pair)
    assert (await whose(old))["north"] == [one]


@pytest.mark.parametrize("state", [State.PENDING, State.DECLINED])
async def test_what_came_meanwhile_is_not_left_behind(pair: Pair, state: State) -> None:
    """What a forgotten gateway writes during a move is found, open or ended, and stays until it is copied."""
    old, new = pair
    await kept(old, "north")
    moving = mover(pair)
    await moving.copy(lambda _: None)
    late = await kept(old, "north", state, at=SystemClock().now())
    with pytest.raises(MoveStopped, match=late):
        await moving.leave(lambda _: None)
    assert await old.get(late) is not None
    assert await new.get(late) is None


async def resealed(journal: Journal, transaction_id: str) -> None:
    """Seal a document anew, as erasing and rotation do: its columns stay what they were."""
    row = await journal.get(transaction_id)
    assert row is not None
    there = seal(SystemClock())
    document = there.close(there.open(row.document, place_of(row)), place_of(row))
    assert await journal.reseal([Resealed(row=row, document=document)]) == 1


@pytest.mark.parametrize("where", ["old", "new", "both"])
async def test_a_copy_that_was_sealed_anew_is_no_other_transaction(pair: Pair, where: str) -> None:
    """Between two runs gateways of either cell erase numbers and rotate keys: the next run ends the move."""
    one = await kept(pair[0], "north")
    await mover(pair).copy(lambda _: None)
    for name, journal in zip(("old", "new"), pair, strict=True):
        if where in {name, "both"}:
            await resealed(journal, one)
    row = await pair[0].get(one)
    assert await moved(pair) == 1
    assert await pair[1].get(one) == row
    for index in await found_by(pair[1], one):
        assert await pair[1].list(RowQuery(blind_indexes=(index,)))
    assert await whose(pair[0]) == {}


@pytest.mark.parametrize("writes", [1, 3])
async def test_a_late_word_after_it_was_copied_goes_along(pair: Pair, writes: int) -> None:
    """What a provider says of it after it was copied is in the copy when the next run ends."""
    old, new = pair
    one = await kept(old, "north")
    await mover(pair).copy(lambda _: None)
    for _ in range(writes):
        entry = await records(old).get(one)
        assert entry is not None
        later = msgspec.structs.replace(entry, updated_at=SystemClock().now())
        assert await records(old).write(later) is not None
    with pytest.raises(MoveStopped, match=one):
        await mover(pair).compare()
    row = await old.get(one)
    assert await moved(pair) == 1
    assert await new.get(one) == row
    assert await records(new).get(one) is not None
    assert await whose(old) == {}


async def test_a_copy_that_was_written_further_is_left_to_a_person(pair: Pair) -> None:
    """What somebody wrote in the other cell, where nobody is served yet, is neither lost nor taken over."""
    old, new = pair
    one = await kept(old, "north")
    await mover(pair).copy(lambda _: None)
    copy, row = await new.get(one), await old.get(one)
    assert copy is not None
    further = after(copy, "CONFIRMED")
    assert await new.write(further)
    with pytest.raises(MoveStopped, match="a person has to decide"):
        await moved(pair)
    assert (await old.get(one), await new.get(one)) == (row, further)


async def test_an_event_that_came_meanwhile_is_not_left_behind(pair: Pair) -> None:
    """An event that a forgotten gateway takes during a move stops it, applied or not, and is not deleted."""
    old, _ = pair
    await kept(old, "north")
    moving = mover(pair)
    await moving.copy(lambda _: None)
    await old.add_event(event(tenant="north", event_id="late", received_at=SystemClock().now(), applied=True))
    with pytest.raises(MoveStopped, match="late"):
        await moving.leave(lambda _: None)
    assert [one.event_id for one in await old.events(after="", limit=9)] == ["late"]


@pytest.mark.parametrize("at", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)])
async def test_a_clock_that_was_wrong(pair: Pair, at: datetime) -> None:
    """What was written decades ago, or is yet to come by its times, is moved like any other."""
    one = await kept(pair[0], "north", at=at)
    assert await pair[0].add_event(event(tenant="north", event_id="ours", received_at=at, applied=True))
    assert await moved(pair) == 1
    assert (await whose(pair[0]), await whose(pair[1])) == ({}, {"north": [one]})
    assert [len(await one.events(after="", limit=9)) for one in pair] == [0, 1]


async def test_a_forgotten_gateway_with_a_slow_clock(pair: Pair) -> None:
    """What comes during a move stays where it is whatever time it bears: nothing goes that was not copied."""
    old, _ = pair
    await kept(old, "north")
    moving = mover(pair)
    await moving.copy(lambda _: None)
    await moving.compare()
    late = await kept(old, "north", at=NOW)
    await old.add_event(event(tenant="north", event_id="late", received_at=NOW, applied=True))
    with pytest.raises(MoveStopped, match=late):
        await moving.leave(lambda _: None)
    assert await whose(old) == {"north": [late]}
    assert [one.event_id for one in await old.events(after="", limit=9)] == ["late"]
    assert await moved(pair) == 1
    assert (await whose(old), len(await old.events(after="", limit=9))) == ({}, 0)


async def test_only_what_is_as_it_was_read_is_forgotten(pair: Pair) -> None:
    """A row that was written since, or is open, stays with all that finds it; another goes with all of it."""
    old, _ = pair
    gone, written = await kept(old, "north"), await kept(old, "north")
    still_open = await kept(old, "north", State.APPROVED)
    rows = [await old.get(one) for one in (gone, written, still_open)]
    assert rows[1] is not None
    assert await old.write(after(rows[1], "CONFIRMED"))
    assert await old.forget([row for row in rows if row is not None]) == 1
    assert sorted((await whose(old))["north"]) == sorted([written, still_open])
    assert {one.transaction_id for one in await old.changes(after="", limit=9)} == {written, still_open}
    assert await old.forget([]) == 0
