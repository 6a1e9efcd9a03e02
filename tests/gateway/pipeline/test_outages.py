"""The journal goes away before or after a write took effect: what is kept, what is sent, what a caller hears.

Rules 2, 7, 15 and 17, at every write of begin, confirm and reverse.
"""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from giftcard_adapters.values.operations import AnyOperation
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import JournalUnavailable, TransactionReversed
from giftcard_gateway.journal.contract import Row
from giftcard_gateway.ledger.entry import UNSETTLED, Entry, State
from giftcard_gateway.pipeline import in_doubt
from tests.gateway.pipeline.conftest import Start
from tests.world.gateway import LONG, World, sweeping
from tests.world.journal import Unsteady
from tests.world.provider import AGAIN, APPROVED, DONE, LOST

OUTAGE_S = 10.0


@pytest.fixture
async def world(start: Start) -> World:
    """Give a gateway that sweeps only while a test lets it, and that nobody is too late for."""
    return await start(terms=LONG)


async def decide(world: World, entry: Entry, promise: str) -> Entry:
    """Confirm or reverse."""
    if promise == "REVERSING":
        return await world.reverse(entry)
    return await world.confirm(entry)


async def settled(world: World, transaction_id: str) -> Entry:
    """Return an entry once nothing is being found out about it."""
    for _ in range(7_200):
        entry = await world.entry(transaction_id)
        if entry.state not in UNSETTLED:
            break
        await asyncio.sleep(0.5)
    return entry


async def test_nothing_is_accepted_while_the_journal_is_away(journal: Unsteady, world: World) -> None:
    """Without a journal a request is refused as surely not sent, and the same id is good afterwards."""
    ask = world.redeem()
    journal.away = {"all"}
    with pytest.raises(JournalUnavailable):
        await world.transactions.begin(ask, wait_s=30, by=LOCAL)
    assert not world.script.requests
    journal.away = set()
    await asyncio.sleep(5)
    assert await world.records.get(ask.transaction_id) is None
    begun = await world.transactions.begin(ask, wait_s=30, by=LOCAL)
    assert (begun.entry.state, begun.is_replayed) == (State.APPROVED, False)
    assert len(world.script.requests) == 1


@pytest.mark.parametrize("name", ["redeem", "load", "issue", "void"])
async def test_intent_in_doubt_is_not_sent_and_no_persons_business(
    journal: Unsteady, world: World, name: str
) -> None:
    """An intent whose write was not answered is found to be ours and FAILED, however an unknown ends."""
    ask: AnyOperation = getattr(world, name)()
    journal.lost = ["open"]
    async with sweeping(world):
        with pytest.raises(JournalUnavailable):
            await world.transactions.begin(ask, wait_s=30, by=LOCAL)
        again = await world.transactions.begin(ask, wait_s=30, by=LOCAL)
        assert (again.entry.state, again.is_replayed) == (State.FAILED, True)
        assert again.entry.evidence.endswith("nothing was sent")
        await asyncio.sleep(1_000)
    assert (await world.entry(ask.transaction_id)).state is State.FAILED
    assert not world.script.requests
    assert not world.script.advices
    assert world.heard.written == [State.FAILED]
    assert not world.heard.faults


async def test_intent_in_doubt_outlives_a_long_outage(journal: Unsteady, world: World) -> None:
    """The doubt is kept until the journal is back, and its own write may be lost too."""
    ask = world.void()
    journal.lost = ["open", "write FAILED"]
    with pytest.raises(JournalUnavailable):
        await world.transactions.begin(ask, wait_s=30, by=LOCAL)
    journal.away = {"all"}
    await asyncio.sleep(600)
    journal.away = set()
    await asyncio.sleep(2)
    assert (await world.entry(ask.transaction_id)).state is State.FAILED
    assert not world.script.requests


async def test_doubt_touches_no_other_callers_row(journal: Unsteady, world: World) -> None:
    """An intent that did not take effect leaves alone what a second call under the same id wrote and sent."""
    ask = world.redeem()
    journal.away = {"all"}
    with pytest.raises(JournalUnavailable):
        await world.transactions.begin(ask, wait_s=30, by=LOCAL)
    journal.away = set()
    world.script.reactions.append(20.0)
    begun = await world.transactions.begin(ask, wait_s=30, by=LOCAL)
    assert (begun.entry.state, begun.is_replayed) == (State.APPROVED, False)
    assert len(world.script.requests) == 1


async def test_doubt_is_left_to_who_took_over(journal: Unsteady, start: Start) -> None:
    """An intent in doubt that another process claimed meanwhile is that process's to end."""
    one, other = await start(terms=LONG), await start(terms=LONG)
    ask = one.redeem()
    journal.lost = ["open"]
    journal.away = {"get"}
    with pytest.raises(JournalUnavailable):
        await one.transactions.begin(ask, wait_s=30, by=LOCAL)
    async with sweeping(other):
        await asyncio.sleep(60)
        journal.away = set()
        await asyncio.sleep(5)
    assert (await other.entry(ask.transaction_id)).state is State.REVERSED
    assert not one.script.requests


async def test_doubts_have_an_end_in_memory(
    journal: Unsteady, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond so many an outage's doubts are left to the sweep instead of filling the memory."""
    monkeypatch.setattr(in_doubt, "_MOST", 2)
    asks = [world.redeem() for _ in range(4)]
    journal.lost, journal.away = ["open"] * 4, {"get"}
    for ask in asks:
        with pytest.raises(JournalUnavailable):
            await world.transactions.begin(ask, wait_s=0, by=LOCAL)
    journal.away = set()
    async with sweeping(world):
        ended = [(await settled(world, ask.transaction_id)).state for ask in asks]
    assert ended == [State.FAILED, State.FAILED, State.REVERSED, State.REVERSED]
    assert not world.script.requests


@pytest.mark.parametrize("is_effective", [False, True])
async def test_outcome_is_kept_until_it_can_be_written(
    journal: Unsteady, world: World, is_effective: bool
) -> None:
    """An answer that cannot be written is kept until it can; the caller hears PENDING, never an error."""
    ask = world.redeem()
    world.script.reactions.append(1.0)
    call = asyncio.create_task(world.transactions.begin(ask, wait_s=5, by=LOCAL))
    await asyncio.sleep(0.5)
    if is_effective:
        journal.lost = ["write APPROVED"]
    journal.away = set() if is_effective else {"all"}
    begun = await call
    assert begun.entry.state is (State.APPROVED if is_effective else State.PENDING)
    await asyncio.sleep(OUTAGE_S)
    journal.away = set()
    await asyncio.sleep(1)
    assert (await world.entry(ask.transaction_id)).state is State.APPROVED
    assert len(world.script.requests) == 1
    assert world.heard.written.count(State.APPROVED) == 1
    assert not world.heard.faults


@pytest.mark.parametrize("name", ["redeem", "void"])
async def test_outcome_outlives_its_lease(journal: Unsteady, world: World, name: str) -> None:
    """An answer kept longer than the lease is written under the new one: the own sweep loses nothing."""
    ask: AnyOperation = getattr(world, name)()
    outcome = msgspec.structs.replace(APPROVED, approved=ask.amount)
    world.script.reactions.extend([1.0, outcome])
    async with sweeping(world):
        call = asyncio.create_task(world.transactions.begin(ask, wait_s=1, by=LOCAL))
        await asyncio.sleep(0.5)
        # Only what decides is away, so that the sweep claims before the outcome can be written.
        journal.away = {"write"}
        await call
        await asyncio.sleep(100)
        row = await journal.get(ask.transaction_id)
        assert isinstance(row, Row)
        assert row.fence > 1
        journal.away = set()
        await asyncio.sleep(1)
    entry = await world.entry(ask.transaction_id)
    assert entry.state is State.APPROVED
    assert [change.state for change in entry.changes] == [State.PENDING, State.APPROVED]
    assert len(world.script.requests) == 1
    assert not world.script.advices


async def test_unknown_outlives_an_outage(journal: Unsteady, world: World) -> None:
    """A lost answer that cannot be written down is reversed when the journal is back, and not asked again."""
    ask = world.redeem()
    world.script.reactions.extend([1.0, LOST])
    call = asyncio.create_task(world.transactions.begin(ask, wait_s=3, by=LOCAL))
    await asyncio.sleep(0.5)
    journal.away = {"all"}
    assert (await call).entry.state is State.PENDING
    assert not world.script.advices
    journal.away = set()
    await asyncio.sleep(1)
    assert (await world.entry(ask.transaction_id)).state is State.REVERSED
    assert (len(world.script.requests), len(world.script.advices)) == (1, 1)


@pytest.mark.parametrize(
    ("promise", "kept"), [("CONFIRMING", State.CONFIRMED), ("REVERSING", State.REVERSED)]
)
@pytest.mark.parametrize("is_effective", [False, True])
async def test_promise_in_doubt_is_made_once(
    journal: Unsteady, world: World, promise: str, kept: State, is_effective: bool
) -> None:
    """A promise that was not answered is refused; repeated, it is kept at once and told once."""
    entry = await world.begin(world.redeem())

    if is_effective:
        journal.lost = [f"write {promise}"]
    else:
        journal.away = {"write"}
    with pytest.raises(JournalUnavailable):
        await decide(world, entry, promise)
    journal.away = set()
    told = await decide(world, entry, promise)
    assert told.state is kept
    assert len(world.script.advices) == 1
    await asyncio.sleep(1)
    assert await world.entry(entry.transaction_id) == told


@pytest.mark.parametrize("is_effective", [False, True])
async def test_acknowledgement_is_kept_until_it_can_be_written(
    journal: Unsteady, world: World, is_effective: bool
) -> None:
    """What a provider acknowledged is not told it again because the journal was away for a while."""
    entry = await world.begin(world.redeem())
    world.script.reactions.extend([1.0, DONE])
    call = asyncio.create_task(
        world.transactions.confirm(entry.operation, entry.transaction_id, wait_s=3, by=LOCAL)
    )
    await asyncio.sleep(0.5)
    if is_effective:
        journal.lost = ["write CONFIRMED"]
    else:
        journal.away = {"all"}
    told = await call
    assert told.state is (State.CONFIRMED if is_effective else State.CONFIRMING)
    await asyncio.sleep(OUTAGE_S)
    journal.away = set()
    await asyncio.sleep(1)
    assert (await world.entry(entry.transaction_id)).state is State.CONFIRMED
    assert len(world.script.advices) == 1


@pytest.mark.parametrize("is_effective", [False, True])
async def test_tombstone_in_doubt(journal: Unsteady, world: World, is_effective: bool) -> None:
    """A reversal that comes first and was not answered is refused; repeated, it bars the request."""
    ask = world.redeem()
    if is_effective:
        journal.lost = ["open"]
    else:
        journal.away = {"open"}
    with pytest.raises(JournalUnavailable):
        await world.reverse(ask)
    journal.away = set()
    await asyncio.sleep(5)
    assert (await world.reverse(ask)).state is State.REVERSED
    with pytest.raises(TransactionReversed):
        await world.transactions.begin(ask, wait_s=30, by=LOCAL)
    assert not world.script.requests


async def test_reversal_wanted_of_an_intent_in_doubt(journal: Unsteady, world: World) -> None:
    """Reversing what may or may not have been written down ends as nothing, and nothing is ever sent."""
    ask = world.redeem()
    journal.lost = ["open"]
    async with sweeping(world):
        with pytest.raises(JournalUnavailable):
            await world.transactions.begin(ask, wait_s=30, by=LOCAL)
        told = await world.reverse(ask, wait_s=120)
        assert told.state in {State.FAILED, State.REVERSED}
    assert not world.script.requests


async def test_retry_in_doubt_is_tried_once_more_only(journal: Unsteady, world: World) -> None:
    """A try of an advice whose postponement was not answered is not doubled by it."""
    entry = await world.begin(world.redeem())
    world.script.reactions.append(AGAIN)
    write, is_lost = journal.write, False

    async def lose_the_postponement(row: Row) -> bool:
        nonlocal is_lost
        if row.driver == "" and not is_lost:
            is_lost = True
            journal.lost = ["write REVERSING"]
        return await write(row)

    journal.write = lose_the_postponement  # type: ignore[method-assign]  # the place of the fault is the subject
    async with sweeping(world):
        await world.reverse(entry)
        assert (await settled(world, entry.transaction_id)).state is State.REVERSED
    assert len(world.script.advices) == 2


@pytest.mark.parametrize("promise", ["CONFIRMING", "REVERSING"])
async def test_promise_in_doubt_is_kept_without_a_repeat(
    journal: Unsteady, world: World, promise: str
) -> None:
    """A promise found to be written is kept when the journal is back, also if its caller never returns."""
    kept = State.CONFIRMED if promise == "CONFIRMING" else State.REVERSED
    entry = await world.begin(world.redeem())
    journal.lost = [f"write {promise}"]
    with pytest.raises(JournalUnavailable):
        await decide(world, entry, promise)
    await asyncio.sleep(1)
    assert (await world.entry(entry.transaction_id)).state is kept
    assert len(world.script.advices) == 1
