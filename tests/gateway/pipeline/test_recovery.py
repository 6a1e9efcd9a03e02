"""The sweep, and who holds a transaction while: rules 8, 14 and 17."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from giftcard_adapters.calls import Call
from giftcard_adapters.values.advices import Acknowledgement, Advice, Receipt, ReversalReason
from giftcard_adapters.values.operations import MoneyOperation
from giftcard_adapters.values.outcomes import Outcome
from giftcard_gateway.errors import ProviderNotFound
from giftcard_gateway.journal.contract import Row
from giftcard_gateway.journal.records import Records
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.ledger.observer import Observer
from giftcard_gateway.pipeline.driver import LeaseLost
from giftcard_gateway.pipeline.recovery import Recovery
from giftcard_gateway.providers.connections import Terms
from giftcard_gateway.seal import KEY_BYTES, Seal, SealBroken
from tests.gateway.pipeline.outage import Unsteady, door_of, share, sweeping
from tests.gateway.pipeline.world import APPROVED, LOST, Scripted, World

DONE = Acknowledgement(receipt=Receipt.DONE)
AGAIN = Acknowledgement(receipt=Receipt.AGAIN, evidence="HTTP 503")
LONG = Terms(confirm_by_s=1e6)


class Faults(Observer):
    """Keeps what went wrong."""

    def __init__(self) -> None:
        """Have heard of nothing."""
        self.heard: list[tuple[str, BaseException]] = []

    def faulted(self, place: str, fault: BaseException) -> None:
        """Keep the fault."""
        self.heard.append((place, fault))


async def owing(world: World, count: int = 1) -> list[str]:
    """Leave so many reversals owed: promised, tried once for nothing, and due within a second."""
    ids = []
    for _ in range(count):
        entry = (await world.transactions.begin(world.redeem(), wait_s=30)).entry
        world.script.reactions.append(AGAIN)
        told = await world.transactions.reverse(
            entry.operation, entry.transaction_id, reason=ReversalReason.CANCELLED, wait_s=30
        )
        assert told.state is State.REVERSING
        ids.append(entry.transaction_id)
    world.script.advices.clear()
    return ids


def sent(world: World) -> Counter[str]:
    """Return how often each advice was sent."""
    return Counter(call.path for call, _ in world.script.advices)


async def states(world: World, ids: Sequence[str]) -> set[State]:
    """Return the states these transactions are in."""
    return {(await world.entry(one)).state for one in ids}


def test_sweep_wakes_for_what_becomes_due() -> None:
    """Work that this process makes due is picked up at once, however long the sweep meant to sleep."""

    async def story(_: Unsteady, world: World) -> None:
        world.recovery = Recovery(
            records=world.records,
            connections=world.connections,
            driver=world.driver,
            clock=world.clock,
            observer=world.observer,
            idle=timedelta(hours=10),
        )
        async with sweeping(world):
            await asyncio.sleep(1)
            (one,) = await owing(world)
            await asyncio.sleep(1.01)
            assert await states(world, [one]) == {State.REVERSED}
            (other,) = await owing(world)
            hurried = await world.transactions.redeliver(other, wait_s=0)
            assert hurried.due_at == world.clock.now()
            await asyncio.sleep(0.001)
            assert await states(world, [other]) == {State.REVERSED}

    share(story, terms=LONG)


def test_sweep_finds_what_another_process_left() -> None:
    """Work another process made due is found within the longest sleep of a second, without being told."""

    async def story(_: Unsteady, one: World, other: World) -> None:
        async with sweeping(other):
            await asyncio.sleep(5)
            ids = await owing(one)
            await asyncio.sleep(2.01)
            assert await states(one, ids) == {State.REVERSED}

    share(story, processes=2, terms=LONG)


def test_unreadable_row_keeps_nobody_waiting() -> None:
    """A due row that cannot be opened is told of, and the others of its batch are worked on."""
    faults = Faults()

    async def story(journal: Unsteady, world: World) -> None:
        stranger = Seal(
            keys={"k2": b"x" * KEY_BYTES},
            active="k2",
            hash_key=b"h" * KEY_BYTES,
            random_bytes=world.clock.random_bytes,
        )
        ids = await owing(world, 3)
        middle = await world.entry(ids[1])
        assert await Records(journal, stranger).write(middle) is not None
        async with sweeping(world):
            await asyncio.sleep(3)
        assert await states(world, [ids[0], ids[2]]) == {State.REVERSED}
        assert {(place, type(fault)) for place, fault in faults.heard} == {("recovery", SealBroken)}
        row = await journal.get(ids[1])
        assert isinstance(row, Row)
        assert row.state == "REVERSING"

    share(story, terms=LONG, observer=faults)


def test_provider_that_is_configured_no_more() -> None:
    """What is owed to a provider taken out of the configuration stays owed, told of and in nobody's way."""
    faults = Faults()

    async def story(_: Unsteady, world: World) -> None:
        ids = await owing(world, 2)
        gone = msgspec.structs.replace(await world.entry(ids[0]), provider="gone")
        assert await world.records.write(gone) is not None
        async with sweeping(world):
            await asyncio.sleep(100)
            told = len(faults.heard)
            await asyncio.sleep(100)
        assert await states(world, ids[:1]) == {State.REVERSING}
        assert await states(world, ids[1:]) == {State.REVERSED}
        assert {type(fault) for _, fault in faults.heard} == {ProviderNotFound}
        assert 1 <= told < len(faults.heard) < 10

    share(story, terms=LONG, observer=faults)


def test_sweep_outlives_the_journal() -> None:
    """While the journal is away the sweep waits without alarm; when it is back the work goes on."""
    faults = Faults()

    async def story(journal: Unsteady, world: World) -> None:
        ids = await owing(world, 3)
        journal.away = {"all"}
        async with sweeping(world):
            await asyncio.sleep(60)
            journal.away = set()
            await asyncio.sleep(1)
            assert await states(world, ids) == {State.REVERSED}
        assert not faults.heard

    share(story, terms=LONG, observer=faults)


def test_sweep_outlives_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails in the sweep is told of, and what is owed goes on being done."""
    faults = Faults()

    async def story(_: Unsteady, world: World) -> None:
        ids = await owing(world)
        claim, tries = world.records.claim, 0

        async def fail_twice(**options: object) -> Sequence[Entry]:
            nonlocal tries
            tries += 1
            if tries <= 2:
                raise ZeroDivisionError
            return await claim(**options)  # type: ignore[arg-type]  # passed on as they came

        monkeypatch.setattr(world.records, "claim", fail_twice)
        async with sweeping(world):
            await asyncio.sleep(3)
        assert await states(world, ids) == {State.REVERSED}
        assert [type(fault) for _, fault in faults.heard] == [ZeroDivisionError] * 2

    share(story, terms=LONG, observer=faults)


def test_no_more_in_hand_than_agreed() -> None:
    """A process takes no more in hand than `max_driven`, and gets through everything all the same."""

    async def story(_: Unsteady, world: World) -> None:
        ids = await owing(world, 12)
        recovery = Recovery(
            records=world.records,
            connections=world.connections,
            driver=world.driver,
            clock=world.clock,
            observer=world.observer,
            max_driven=3,
        )
        world.recovery = recovery
        world.script.reactions.extend([2.0, DONE] * 12)
        loads = []
        async with sweeping(world):
            for _turn in range(400):
                await asyncio.sleep(0.1)
                loads.append(world.driver.load)
        assert max(loads) == 3
        assert await states(world, ids) == {State.REVERSED}
        assert set(sent(world).values()) == {1}

    share(story, terms=LONG)


def test_two_sweeps_share_the_work() -> None:
    """Two processes on one journal never drive one transaction at a time: each advice goes out once."""

    async def story(_: Unsteady, one: World, other: World) -> None:
        ids = await owing(one, 40)
        one.script.reactions.extend([0.5, DONE] * 40)
        await asyncio.sleep(2)
        async with sweeping(one, other):
            await asyncio.sleep(30)
        assert await states(one, ids) == {State.REVERSED}
        assert len(sent(one)) == 40
        assert set(sent(one).values()) == {1}
        drivers = {fence for id_ in ids for fence in [(await one.entry(id_)).fence]}
        assert drivers == {3}

    share(story, processes=2, terms=LONG)


def test_paused_process_loses_its_hand_and_writes_nothing() -> None:
    """A process that stood still beyond its lease finds another hand on the transaction and leaves it be."""
    faults = Faults()

    async def story(_: Unsteady, one: World, other: World) -> None:
        one.script.reactions.append(20.0)
        ask = one.load()
        call = asyncio.create_task(one.transactions.begin(ask, wait_s=600))
        await asyncio.sleep(1)
        door_of(one).opened.clear()
        task = one.driver.driving(ask.transaction_id)
        assert task is not None
        async with sweeping(other):
            await asyncio.sleep(60)
            taken = await other.entry(ask.transaction_id)
            assert (taken.state, taken.fence) == (State.APPROVED, 2)
            door_of(one).opened.set()
            await asyncio.sleep(1)
        assert isinstance(task.exception(), LeaseLost)
        assert await other.entry(ask.transaction_id) == taken
        assert (await call).entry == taken
        assert not faults.heard

    share(story, processes=2, terms=LONG, observer=faults)


def test_dead_process_is_replaced_when_its_lease_ends() -> None:
    """What a process held that died is taken over once its lease is over, and not before (rule 17)."""

    async def story(_: Unsteady, one: World, other: World) -> None:
        one.script.reactions.append(1e6)
        ask = one.redeem()
        call = asyncio.create_task(one.transactions.begin(ask, wait_s=0.1))
        await call
        await one.driver.drain(0)
        async with sweeping(other):
            await asyncio.sleep(44)
            assert (await other.entry(ask.transaction_id)).fence == 1
            await asyncio.sleep(3)
            assert (await other.entry(ask.transaction_id)).state is State.REVERSED

    share(story, processes=2, terms=LONG)


def test_waiting_for_a_turn_keeps_the_hand() -> None:
    """An advice that waits longer for its turn than a lease lasts is still sent by one hand, once."""
    terms = Terms(confirm_by_s=1e6, advice_concurrency=1)

    async def story(_: Unsteady, one: World, other: World) -> None:
        ids = await owing(one, 8)
        one.script.reactions.extend([25.0, DONE] * 8)
        async with sweeping(one):
            await asyncio.sleep(2)
        async with sweeping(other):
            await asyncio.sleep(8 * 25 + 5)
        assert await states(one, ids) == {State.REVERSED}
        assert set(sent(one).values()) == {1}
        assert len(sent(one)) == 8

    share(story, processes=2, terms=terms)


def test_advice_of_several_calls_keeps_the_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """An advice whose calls together take longer than a lease is sent by one hand, each call once."""

    def reversal(
        _self: Scripted, ask: MoneyOperation, _outcome: Outcome | None, _advice: Advice
    ) -> tuple[Call, ...]:
        return tuple(Call(method="DELETE", path=f"/{ask.transaction_id}/{number}") for number in range(4))

    monkeypatch.setattr(Scripted, "reversal", reversal)

    async def story(_: Unsteady, one: World, other: World) -> None:
        ids = await owing(one)
        one.script.reactions.extend([25.0, DONE] * 4)
        async with sweeping(one, other):
            await asyncio.sleep(110)
        assert await states(one, ids) == {State.REVERSED}
        assert sorted(sent(one).values()) == [1, 1, 1, 1]
        assert (await one.entry(ids[0])).fence == 3

    share(story, processes=2, terms=LONG)


def test_caller_may_decide_while_a_lease_is_renewed() -> None:
    """A reversal wanted during a long request is not overwritten by a renewal, nor the renewal by it."""

    async def story(journal: Unsteady, one: World, other: World) -> None:
        one.script.reactions.extend([200.0, APPROVED])
        ask = one.redeem()
        call = asyncio.create_task(one.transactions.begin(ask, wait_s=600))
        async with sweeping(one, other):
            for _ in range(6):
                await asyncio.sleep(20)
                await one.transactions.reverse(
                    ask.operation, ask.transaction_id, reason=ReversalReason.CANCELLED, wait_s=0
                )
            assert len(one.script.requests) == 1
            await asyncio.sleep(100)
        assert (await call).entry.state is State.REVERSED
        assert len(one.script.requests) == len(one.script.advices) == 1
        assert journal.calls.count("write PENDING") > 5

    share(story, processes=2, terms=LONG)


def test_quick_work_renews_nothing() -> None:
    """A step that ends within half a lease costs no write besides its own two."""

    async def story(journal: Unsteady, world: World) -> None:
        world.script.reactions.append(20.0)
        await world.transactions.begin(world.redeem(), wait_s=30)
        await asyncio.sleep(100)
        assert [call for call in journal.calls if call != "get"] == ["open", "write APPROVED"]

    share(story, terms=LONG)


def test_stopped_gateway_leaves_an_unknown_to_the_next() -> None:
    """A process that starts again ends what it left open by the provider's own means and asks once."""

    async def story(_: Unsteady, one: World, other: World) -> None:
        one.script.reactions.extend([1e6])
        ask = one.issue()
        await one.transactions.begin(ask, wait_s=0.1)
        await one.driver.drain(0)
        one.script.found.append(APPROVED)
        async with sweeping(other):
            await asyncio.sleep(50)
        assert (await other.entry(ask.transaction_id)).state is State.APPROVED
        assert (len(one.script.requests), len(one.script.finds)) == (1, 1)

    share(story, processes=2, terms=LONG)


def test_retries_are_spread_and_capped() -> None:
    """Tries come at growing, random intervals up to the cap, and never all at once (rule 8)."""
    terms = Terms(confirm_by_s=1e6, retry_base_s=1.0, retry_cap_s=30.0, circuit_threshold=10_000)

    async def story(_: Unsteady, world: World) -> None:
        await owing(world, 20)
        world.script.reactions.extend([LOST] * 100_000)
        async with sweeping(world):
            await asyncio.sleep(600)
            many = len(world.script.advices)
        # Of twenty whose mean wait becomes 15 seconds.
        assert 20 * 600 / 30 < many < 20 * 600 / 10

    share(story, terms=terms)
