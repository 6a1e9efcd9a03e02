"""The journal goes away before or after a write took effect: what is kept, what is sent, what a caller hears.

Rules 2, 7, 15 and 17, at every write of begin, confirm and reverse.
"""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from giftcard_adapters.values.advices import Acknowledgement, Receipt, ReversalReason
from giftcard_adapters.values.operations import AnyOperation
from giftcard_gateway.errors import JournalUnavailable, TransactionReversed
from giftcard_gateway.journal.contract import Row
from giftcard_gateway.ledger.entry import UNSETTLED, Entry, State
from giftcard_gateway.ledger.observer import Observer
from giftcard_gateway.pipeline import in_doubt
from giftcard_gateway.providers.connections import Terms
from tests.gateway.pipeline.outage import Unsteady, share, sweeping
from tests.gateway.pipeline.world import APPROVED, LOST, World

DONE = Acknowledgement(receipt=Receipt.DONE)
AGAIN = Acknowledgement(receipt=Receipt.AGAIN, evidence="HTTP 503")
LONG = Terms(confirm_by_s=1e6)
OUTAGE_S = 10.0


class Watch(Observer):
    """Counts what was told as written, and keeps what went wrong."""

    def __init__(self) -> None:
        """Have heard of nothing."""
        self.written: list[State] = []
        self.faults: list[BaseException] = []

    def wrote(self, before: Entry | None, after: Entry) -> None:
        """Keep the state that was reached."""
        del before
        self.written.append(after.state)

    def faulted(self, place: str, fault: BaseException) -> None:
        """Keep the fault."""
        assert place
        self.faults.append(fault)


async def reverse(world: World, transaction_id: str, wait_s: float = 30) -> Entry:
    """Reverse a redemption."""
    operation = world.redeem().operation
    return await world.transactions.reverse(
        operation, transaction_id, reason=ReversalReason.CANCELLED, wait_s=wait_s
    )


async def decide(world: World, entry: Entry, promise: str) -> Entry:
    """Confirm or reverse."""
    if promise == "REVERSING":
        return await reverse(world, entry.transaction_id)
    return await world.transactions.confirm(entry.operation, entry.transaction_id, wait_s=30)


async def settled(world: World, transaction_id: str) -> Entry:
    """Return an entry once nothing is being found out about it."""
    for _ in range(7_200):
        entry = await world.entry(transaction_id)
        if entry.state not in UNSETTLED:
            break
        await asyncio.sleep(0.5)
    return entry


def test_nothing_is_accepted_while_the_journal_is_away() -> None:
    """Without a journal a request is refused as surely not sent, and the same id is good afterwards."""

    async def story(journal: Unsteady, world: World) -> None:
        ask = world.redeem()
        journal.away = {"all"}
        with pytest.raises(JournalUnavailable):
            await world.transactions.begin(ask, wait_s=30)
        assert not world.script.requests
        journal.away = set()
        await asyncio.sleep(5)
        assert await world.records.get(ask.transaction_id) is None
        begun = await world.transactions.begin(ask, wait_s=30)
        assert (begun.entry.state, begun.is_replayed) == (State.APPROVED, False)
        assert len(world.script.requests) == 1

    share(story, terms=LONG)


@pytest.mark.parametrize("name", ["redeem", "load", "issue", "void"])
def test_intent_in_doubt_is_not_sent_and_no_persons_business(name: str) -> None:
    """An intent whose write was not answered is found to be ours and FAILED, however an unknown ends."""
    watch = Watch()

    async def story(journal: Unsteady, world: World) -> None:
        ask: AnyOperation = getattr(world, name)()
        journal.lost = ["open"]
        async with sweeping(world):
            with pytest.raises(JournalUnavailable):
                await world.transactions.begin(ask, wait_s=30)
            again = await world.transactions.begin(ask, wait_s=30)
            assert (again.entry.state, again.is_replayed) == (State.FAILED, True)
            assert again.entry.evidence.endswith("nothing was sent")
            await asyncio.sleep(1_000)
        assert (await world.entry(ask.transaction_id)).state is State.FAILED
        assert not world.script.requests
        assert not world.script.advices
        assert watch.written == [State.FAILED]
        assert not watch.faults

    share(story, terms=LONG, observer=watch)


def test_intent_in_doubt_outlives_a_long_outage() -> None:
    """The doubt is kept until the journal is back, and its own write may be lost too."""

    async def story(journal: Unsteady, world: World) -> None:
        ask = world.void()
        journal.lost = ["open", "write FAILED"]
        with pytest.raises(JournalUnavailable):
            await world.transactions.begin(ask, wait_s=30)
        journal.away = {"all"}
        await asyncio.sleep(600)
        journal.away = set()
        await asyncio.sleep(2)
        assert (await world.entry(ask.transaction_id)).state is State.FAILED
        assert not world.script.requests

    share(story, terms=LONG)


def test_doubt_touches_no_other_callers_row() -> None:
    """An intent that did not take effect leaves alone what a second call under the same id wrote and sent."""

    async def story(journal: Unsteady, world: World) -> None:
        ask = world.redeem()
        journal.away = {"all"}
        with pytest.raises(JournalUnavailable):
            await world.transactions.begin(ask, wait_s=30)
        journal.away = set()
        world.script.reactions.append(20.0)
        begun = await world.transactions.begin(ask, wait_s=30)
        assert (begun.entry.state, begun.is_replayed) == (State.APPROVED, False)
        assert len(world.script.requests) == 1

    share(story, terms=LONG)


def test_doubt_is_left_to_who_took_over() -> None:
    """An intent in doubt that another process claimed meanwhile is that process's to end."""

    async def story(journal: Unsteady, one: World, other: World) -> None:
        ask = one.redeem()
        journal.lost = ["open"]
        journal.away = {"get"}
        with pytest.raises(JournalUnavailable):
            await one.transactions.begin(ask, wait_s=30)
        async with sweeping(other):
            await asyncio.sleep(60)
            journal.away = set()
            await asyncio.sleep(5)
        assert (await other.entry(ask.transaction_id)).state is State.REVERSED
        assert not one.script.requests

    share(story, processes=2, terms=LONG)


def test_doubts_have_an_end_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many an outage's doubts are left to the sweep instead of filling the memory."""
    monkeypatch.setattr(in_doubt, "_MOST", 2)

    async def story(journal: Unsteady, world: World) -> None:
        asks = [world.redeem() for _ in range(4)]
        journal.lost, journal.away = ["open"] * 4, {"get"}
        for ask in asks:
            with pytest.raises(JournalUnavailable):
                await world.transactions.begin(ask, wait_s=0)
        journal.away = set()
        async with sweeping(world):
            ended = [(await settled(world, ask.transaction_id)).state for ask in asks]
        assert ended == [State.FAILED, State.FAILED, State.REVERSED, State.REVERSED]
        assert not world.script.requests

    share(story, terms=LONG)


@pytest.mark.parametrize("is_effective", [False, True])
def test_outcome_is_kept_until_it_can_be_written(is_effective: bool) -> None:
    """An answer that cannot be written is kept until it can; the caller hears PENDING, never an error."""
    watch = Watch()

    async def story(journal: Unsteady, world: World) -> None:
        ask = world.redeem()
        world.script.reactions.append(1.0)
        call = asyncio.create_task(world.transactions.begin(ask, wait_s=5))
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
        assert watch.written.count(State.APPROVED) == 1
        assert not watch.faults

    share(story, terms=LONG, observer=watch)


@pytest.mark.parametrize("name", ["redeem", "void"])
def test_outcome_outlives_its_lease(name: str) -> None:
    """An answer kept longer than the lease is written under the new one: the own sweep loses nothing."""

    async def story(journal: Unsteady, world: World) -> None:
        ask: AnyOperation = getattr(world, name)()
        outcome = msgspec.structs.replace(APPROVED, approved=ask.amount)
        world.script.reactions.extend([1.0, outcome])
        async with sweeping(world):
            call = asyncio.create_task(world.transactions.begin(ask, wait_s=1))
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

    share(story, terms=LONG)


def test_unknown_outlives_an_outage() -> None:
    """A lost answer that cannot be written down is reversed when the journal is back, and not asked again."""

    async def story(journal: Unsteady, world: World) -> None:
        ask = world.redeem()
        world.script.reactions.extend([1.0, LOST])
        call = asyncio.create_task(world.transactions.begin(ask, wait_s=3))
        await asyncio.sleep(0.5)
        journal.away = {"all"}
        assert (await call).entry.state is State.PENDING
        assert not world.script.advices
        journal.away = set()
        await asyncio.sleep(1)
        assert (await world.entry(ask.transaction_id)).state is State.REVERSED
        assert (len(world.script.requests), len(world.script.advices)) == (1, 1)

    share(story, terms=LONG)


@pytest.mark.parametrize(
    ("promise", "kept"), [("CONFIRMING", State.CONFIRMED), ("REVERSING", State.REVERSED)]
)
@pytest.mark.parametrize("is_effective", [False, True])
def test_promise_in_doubt_is_made_once(promise: str, kept: State, is_effective: bool) -> None:
    """A promise that was not answered is refused; repeated, it is kept at once and told once."""

    async def story(journal: Unsteady, world: World) -> None:
        entry = (await world.transactions.begin(world.redeem(), wait_s=30)).entry

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

    share(story, terms=LONG)


@pytest.mark.parametrize("is_effective", [False, True])
def test_acknowledgement_is_kept_until_it_can_be_written(is_effective: bool) -> None:
    """What a provider acknowledged is not told it again because the journal was away for a while."""

    async def story(journal: Unsteady, world: World) -> None:
        entry = (await world.transactions.begin(world.redeem(), wait_s=30)).entry
        world.script.reactions.extend([1.0, DONE])
        call = asyncio.create_task(
            world.transactions.confirm(entry.operation, entry.transaction_id, wait_s=3)
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

    share(story, terms=LONG)


@pytest.mark.parametrize("is_effective", [False, True])
def test_tombstone_in_doubt(is_effective: bool) -> None:
    """A reversal that comes first and was not answered is refused; repeated, it bars the request."""

    async def story(journal: Unsteady, world: World) -> None:
        ask = world.redeem()
        if is_effective:
            journal.lost = ["open"]
        else:
            journal.away = {"open"}
        with pytest.raises(JournalUnavailable):
            await reverse(world, ask.transaction_id)
        journal.away = set()
        await asyncio.sleep(5)
        assert (await reverse(world, ask.transaction_id)).state is State.REVERSED
        with pytest.raises(TransactionReversed):
            await world.transactions.begin(ask, wait_s=30)
        assert not world.script.requests

    share(story, terms=LONG)


def test_reversal_wanted_of_an_intent_in_doubt() -> None:
    """Reversing what may or may not have been written down ends as nothing, and nothing is ever sent."""

    async def story(journal: Unsteady, world: World) -> None:
        ask = world.redeem()
        journal.lost = ["open"]
        async with sweeping(world):
            with pytest.raises(JournalUnavailable):
                await world.transactions.begin(ask, wait_s=30)
            told = await reverse(world, ask.transaction_id, wait_s=120)
            assert told.state in {State.FAILED, State.REVERSED}
        assert not world.script.requests

    share(story, terms=LONG)


def test_retry_in_doubt_is_tried_once_more_only() -> None:
    """A try of an advice whose postponement was not answered is not doubled by it."""

    async def story(journal: Unsteady, world: World) -> None:
        entry = (await world.transactions.begin(world.redeem(), wait_s=30)).entry
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
            await reverse(world, entry.transaction_id)
            assert (await settled(world, entry.transaction_id)).state is State.REVERSED
        assert len(world.script.advices) == 2

    share(story, terms=LONG)


@pytest.mark.parametrize("promise", ["CONFIRMING", "REVERSING"])
def test_promise_in_doubt_is_kept_without_a_repeat(promise: str) -> None:
    """A promise found to be written is kept when the journal is back, also if its caller never returns."""
    kept = State.CONFIRMED if promise == "CONFIRMING" else State.REVERSED

    async def story(journal: Unsteady, world: World) -> None:
        entry = (await world.transactions.begin(world.redeem(), wait_s=30)).entry
        journal.lost = [f"write {promise}"]
        with pytest.raises(JournalUnavailable):
            await decide(world, entry, promise)
        await asyncio.sleep(1)
        assert (await world.entry(entry.transaction_id)).state is kept
        assert len(world.script.advices) == 1

    share(story, terms=LONG)
