"""The sweep, and who holds a transaction while: rules 8, 14 and 17."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from giftcard_adapters.calls import Call
from giftcard_adapters.values.advices import Advice
from giftcard_adapters.values.operations import MoneyOperation
from giftcard_adapters.values.outcomes import Outcome
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import ProviderNotFound
from giftcard_gateway.journal.contract import Row
from giftcard_gateway.journal.records import Records
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.pipeline.leases import LeaseLost
from giftcard_gateway.providers.connections import Terms
from giftcard_gateway.seal import SealBroken
from tests.gateway.pipeline.conftest import Start
from tests.world.gateway import LONG, World, seal, sweeping
from tests.world.journal import Unsteady
from tests.world.provider import AGAIN, APPROVED, DONE, LOST, Scripted


@pytest.fixture
async def world(start: Start) -> World:
    """Give a gateway that sweeps only while a test lets it, and that nobody is too late for."""
    return await start(terms=LONG)


async def owing(world: World, count: int = 1) -> list[str]:
    """Leave so many reversals owed: promised, tried once for nothing, and due within a second."""
    ids = []
    for _ in range(count):
        entry = await world.begin(world.redeem())
        world.script.reactions.append(AGAIN)
        told = await world.reverse(entry)
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


async def test_sweep_wakes_for_what_becomes_due(world: World) -> None:
    """Work that this process makes due is picked up at once, however long the sweep meant to sleep."""
    world.recovery.idle = timedelta(hours=10)
    async with sweeping(world):
        await asyncio.sleep(1)
        (one,) = await owing(world)
        await asyncio.sleep(1.01)
        assert await states(world, [one]) == {State.REVERSED}
        (other,) = await owing(world)
        hurried = await world.transactions.redeliver(other, wait_s=0, by=LOCAL)
        assert hurried.due_at == world.clock.now()
        await asyncio.sleep(0.001)
        assert await states(world, [other]) == {State.REVERSED}


async def test_sweep_claims_nothing_without_room(world: World) -> None:
    """More may be in hand than there are places, where a row's provider is damaged: nothing is claimed."""
    one, other = await owing(world, 2)
    await asyncio.sleep(2)
    first = world.connections.get("first")
    in_hand = world.recovery._in_hand  # noqa: SLF001 - only a damaged row gets there otherwise
    in_hand["first"] = first.sweep_slots + 1
    await world.recovery.sweep()
    await asyncio.sleep(1)
    assert await states(world, [one, other]) == {State.REVERSING}
    in_hand["first"] = 0
    await world.recovery.sweep()
    await asyncio.sleep(1)
    assert await states(world, [one, other]) == {State.REVERSED}


async def test_sweep_finds_what_another_process_left(start: Start) -> None:
    """Work another process made due is found within the longest sleep of a second, without being told."""
    one, other = await start(terms=LONG), await start(terms=LONG)
    async with sweeping(other):
        await asyncio.sleep(5)
        ids = await owing(one)
        await asyncio.sleep(2.01)
        assert await states(one, ids) == {State.REVERSED}


async def test_unreadable_row_keeps_nobody_waiting(journal: Unsteady, world: World) -> None:
    """A due row that cannot be opened is told of, and the others of its batch are worked on."""
    stranger = seal(world.clock, key=b"x")
    ids = await owing(world, 3)
    middle = await world.entry(ids[1])
    assert await Records(journal, stranger).write(middle) is not None
    async with sweeping(world):
        await asyncio.sleep(3)
    assert await states(world, [ids[0], ids[2]]) == {State.REVERSED}
    assert {(place, type(fault)) for place, fault in world.heard.faults} == {("seal", SealBroken)}
    row = await journal.get(ids[1])
    assert isinstance(row, Row)
    assert row.state == "REVERSING"


async def test_provider_that_is_configured_no_more(world: World) -> None:
    """What is owed to a provider taken out of the configuration stays owed, told of and in nobody's way."""
    ids = await owing(world, 2)
    gone = msgspec.structs.replace(await world.entry(ids[0]), provider="gone")
    assert await world.records.write(gone) is not None
    async with sweeping(world):
        await asyncio.sleep(100)
        told = len(world.heard.faults)
        await asyncio.sleep(100)
    assert await states(world, ids[:1]) == {State.REVERSING}
    assert await states(world, ids[1:]) == {State.REVERSED}
    assert {type(fault) for _, fault in world.heard.faults} == {ProviderNotFound}
    assert 1 <= told < len(world.heard.faults) < 10


async def test_sweep_outlives_the_journal(journal: Unsteady, world: World) -> None:
    """While the journal is away the sweep waits without alarm; when it is back the work goes on."""
    ids = await owing(world, 3)
    journal.away = {"all"}
    async with sweeping(world):
        await asyncio.sleep(60)
        journal.away = set()
        await asyncio.sleep(1)
        assert await states(world, ids) == {State.REVERSED}
    assert not world.heard.faults


async def test_sweep_outlives_a_fault(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails in the sweep is told of, and what is owed goes on being done."""
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
    assert [type(fault) for _, fault in world.heard.faults] == [ZeroDivisionError] * 2


async def test_no_more_in_hand_than_agreed(start: Start) -> None:
    """The sweep has no more of a provider in hand than agreed, and gets through everything all the same."""
    world = await start(terms=msgspec.structs.replace(LONG, advice_concurrency=3))
    ids = await owing(world, 12)
    world.script.reactions.extend([2.0, DONE] * 12)
    loads = []
    async with sweeping(world):
        for _turn in range(400):
            await asyncio.sleep(0.1)
            loads.append(world.driver.load)
    assert max(loads) == 3
    assert await states(world, ids) == {State.REVERSED}
    assert set(sent(world).values()) == {1}


async def test_two_sweeps_share_the_work(start: Start) -> None:
    """Two processes on one journal never drive one transaction at a time: each advice goes out once."""
    one, other = await start(terms=LONG), await start(terms=LONG)
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


async def test_paused_process_loses_its_hand_and_writes_nothing(start: Start) -> None:
    """A process that stood still beyond its lease finds another hand on the transaction and leaves it be."""
    one, other = await start(terms=LONG), await start(terms=LONG)
    one.script.reactions.append(20.0)
    ask = one.load()
    call = asyncio.create_task(one.transactions.begin(ask, wait_s=600, by=LOCAL))
    await asyncio.sleep(1)
    one.door.opened.clear()
    task = one.driver.driving(ask.transaction_id)
    assert task is not None
    async with sweeping(other):
        await asyncio.sleep(60)
        taken = await other.entry(ask.transaction_id)
        assert (taken.state, taken.fence) == (State.APPROVED, 2)
        one.door.opened.set()
        await asyncio.sleep(1)
    assert isinstance(task.exception(), LeaseLost)
    assert await other.entry(ask.transaction_id) == taken
    assert (await call).entry == taken
    assert not one.heard.faults + other.heard.faults


async def test_dead_process_is_replaced_when_its_lease_ends(start: Start) -> None:
    """What a process held that died is taken over once its lease is over, and not before (rule 17)."""
    one, other = await start(terms=LONG), await start(terms=LONG)
    one.script.reactions.append(1e6)
    ask = one.redeem()
    call = asyncio.create_task(one.transactions.begin(ask, wait_s=0.1, by=LOCAL))
    await call
    await one.driver.drain(0)
    async with sweeping(other):
        await asyncio.sleep(44)
        assert (await other.entry(ask.transaction_id)).fence == 1
        await asyncio.sleep(3)
        assert (await other.entry(ask.transaction_id)).state is State.REVERSED


async def test_waiting_for_a_turn_keeps_the_hand(start: Start) -> None:
    """An advice that waits longer for its turn than a lease lasts is still sent by one hand, once."""
    terms = Terms(confirm_by_s=1e6, advice_concurrency=1)
    one, other = await start(terms=terms), await start(terms=terms)
    ids = await owing(one, 8)
    one.script.reactions.extend([25.0, DONE] * 8)
    async with sweeping(one):
        await asyncio.sleep(2)
    async with sweeping(other):
        await asyncio.sleep(8 * 25 + 5)
    assert await states(one, ids) == {State.REVERSED}
    assert set(sent(one).values()) == {1}
    assert len(sent(one)) == 8


async def test_advice_of_several_calls_keeps_the_hand(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """An advice whose calls together take longer than a lease is sent by one hand, each call once."""

    def reversal(
        _self: Scripted, ask: MoneyOperation, _outcome: Outcome | None, _advice: Advice
    ) -> tuple[Call, ...]:
        return tuple(Call(method="DELETE", path=f"/{ask.transaction_id}/{number}") for number in range(4))

    monkeypatch.setattr(Scripted, "reversal", reversal)
    one, other = await start(terms=LONG), await start(terms=LONG)
    ids = await owing(one)
    one.script.reactions.extend([25.0, DONE] * 4)
    async with sweeping(one, other):
        await asyncio.sleep(110)
    assert await states(one, ids) == {State.REVERSED}
    assert sorted(sent(one).values()) == [1, 1, 1, 1]
    assert (await one.entry(ids[0])).fence == 3


async def test_caller_may_decide_while_a_lease_is_renewed(journal: Unsteady, start: Start) -> None:
    """A reversal wanted during a long request is not overwritten by a renewal, nor the renewal by it."""
    one, other = await start(terms=LONG), await start(terms=LONG)
    one.script.reactions.extend([200.0, APPROVED])
    ask = one.redeem()
    call = asyncio.create_task(one.transactions.begin(ask, wait_s=600, by=LOCAL))
    async with sweeping(one, other):
        for _ in range(6):
            await asyncio.sleep(20)
            await one.reverse(ask, wait_s=0)
        assert len(one.script.requests) == 1
        await asyncio.sleep(100)
    assert (await call).entry.state is State.REVERSED
    assert len(one.script.requests) == len(one.script.advices) == 1
    assert journal.calls.count("write PENDING") > 5


async def test_quick_work_renews_nothing(journal: Unsteady, world: World) -> None:
    """A step that ends within half a lease costs no write besides its own two."""
    world.script.reactions.append(20.0)
    await world.transactions.begin(world.redeem(), wait_s=30, by=LOCAL)
    await asyncio.sleep(100)
    assert [call for call in journal.calls if call != "get"] == ["open", "write APPROVED"]


async def test_stopped_gateway_leaves_an_unknown_to_the_next(start: Start) -> None:
    """A process that starts again ends what it left open by the provider's own means and asks once."""
    one, other = await start(terms=LONG), await start(terms=LONG)
    one.script.reactions.extend([1e6])
    ask = one.issue()
    await one.transactions.begin(ask, wait_s=0.1, by=LOCAL)
    await one.driver.drain(0)
    one.script.found.append(APPROVED)
    async with sweeping(other):
        await asyncio.sleep(50)
    assert (await other.entry(ask.transaction_id)).state is State.APPROVED
    assert (len(one.script.requests), len(one.script.finds)) == (1, 1)


async def test_retries_are_spread_and_capped(start: Start) -> None:
    """Tries come at growing, random intervals up to the cap, and never all at once (rule 8)."""
    terms = Terms(confirm_by_s=1e6, retry_base_s=1.0, retry_cap_s=30.0, circuit_threshold=10_000)
    world = await start(terms=terms)
    await owing(world, 20)
    world.script.reactions.extend([LOST] * 100_000)
    async with sweeping(world):
        await asyncio.sleep(600)
        many = len(world.script.advices)
    # Of twenty whose mean wait becomes 15 seconds.
    assert 20 * 600 / 30 < many < 20 * 600 / 10
