"""Sequences an adversary would choose: a fail-over, a resend, an answer or a wait at the worst moment."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from giftcard_adapters.calls import Call
from giftcard_adapters.contract import traits
from giftcard_adapters.errors import Refused, Unsupported
from giftcard_adapters.values.advices import Acknowledgement, Advice, Receipt, ReversalReason
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import MoneyError
from giftcard_adapters.values.operations import Issue, Load, Operation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.points import PointBalances, Points
from giftcard_adapters.values.traits import Ending, Guarantee
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.ledger.entry import State
from giftcard_gateway.providers.connections import Terms
from giftcard_gateway.providers.routing import Rule
from tests.gateway.pipeline.conftest import Start
from tests.world.gateway import World, sweeping
from tests.world.provider import APPROVED, ISSUED, LOST, REFUSED_CONNECTION

NOWHERE = Outcome(verdict=Verdict.FAILED, evidence="no transaction with our identifier")
FAILOVER = [Rule(provider="first", failover="second")]


def make_issues_reversible(world: World, provider: str) -> None:
    """Let a provider's issues have a way back."""
    scripted = world.connections.get(provider).provider

    @traits(Guarantee.COMPENSATED, Ending.FIND)
    async def issue(ask: Issue) -> Outcome:
        world.scripts[provider].requests.append(ask)
        return await world.scripts[provider].outcome()

    vars(scripted)["issue"] = issue


async def test_issue_nobody_wants_any_more_does_not_fail_over(start: Start) -> None:
    """A reversal wanted while an issue was on its way ends it where it is: no other provider makes a card."""
    world = await start(is_sweeping=True, rules=FAILOVER)
    make_issues_reversible(world, "first")
    ask = world.issue()
    world.script.reactions.extend([5.0, REFUSED_CONNECTION])
    begun = await world.transactions.begin(ask, wait_s=1, by=LOCAL)
    assert begun.entry.state is State.PENDING
    entry = await world.transactions.reverse(
        Operation.ISSUE, ask.transaction_id, reason=ReversalReason.CANCELLED, wait_s=30, by=LOCAL
    )
    assert (entry.state, entry.provider) == (State.FAILED, "first")
    await asyncio.sleep(1_000)
    assert not world.scripts["second"].requests


async def test_issue_does_not_fail_over_to_who_takes_none(start: Start) -> None:
    """A stand-in that is switched off or issues nothing is left alone, and the issue is FAILED, not stuck."""
    world = await start(is_sweeping=True, rules=FAILOVER)
    stand_in = world.connections.get("second")
    world.script.reactions.extend([REFUSED_CONNECTION] * 2)
    stand_in.is_enabled = False
    assert (await world.begin(world.issue())).state is State.FAILED
    stand_in.is_enabled = True
    vars(stand_in.provider)["issue"] = None
    assert (await world.begin(world.issue())).state is State.FAILED
    del vars(stand_in.provider)["issue"]
    world.scripts["second"].reactions.append(ISSUED)
    world.script.reactions.append(REFUSED_CONNECTION)
    entry = await world.begin(world.issue())
    assert (entry.state, entry.provider) == (State.APPROVED, "second")


async def test_finding_nothing_right_after_the_last_resend_proves_nothing(start: Start) -> None:
    """A resend at the end of its window may be the first to arrive: a list without it is not believed yet."""
    world = await start(is_sweeping=True, terms=Terms(retry_cap_s=60.0, settling_s=300.0))
    world.script.reactions.extend([LOST] * 200)
    ask = world.load()
    await world.transactions.begin(ask, wait_s=1, by=LOCAL)
    while len(world.script.requests) < 2 or not is_over(world, ask):
        world.script.found.clear()
        world.script.found.extend([NOWHERE] * 20)
        assert (await world.entry(ask.transaction_id)).state is State.PENDING
        await asyncio.sleep(1)
    looked = len(world.script.finds)
    while len(world.script.finds) < looked + 2:
        assert (await world.entry(ask.transaction_id)).state is State.PENDING
        await asyncio.sleep(1)
    world.script.found.clear()
    world.script.found.append(APPROVED)
    await asyncio.sleep(301)
    assert (await world.entry(ask.transaction_id)).outcome == APPROVED


@pytest.mark.parametrize("arrives", [True, False], ids=["it arrives", "it never arrives"])
async def test_a_no_to_a_resend_decides_once_the_first_has_settled(start: Start, arrives: bool) -> None:
    """A queued request may be done after its repeat was refused: DECLINED waits until it cannot be.

    The card was taken out of the vault meanwhile, for example, and the list does not show the sale yet.
    """
    world = await start(is_sweeping=True, terms=Terms(retry_cap_s=20.0, settling_s=300.0))
    refused = Outcome(verdict=Verdict.DECLINED, decline=Decline(reason=DeclineReason.RECORD_NOT_FOUND))
    world.script.reactions.extend([LOST, *[refused] * 1_000])
    world.script.found.extend([NOWHERE] * 1_000)
    ask = world.load()
    await world.transactions.begin(ask, wait_s=1, by=LOCAL)
    await asyncio.sleep(200)
    open_still = await world.entry(ask.transaction_id)
    assert (open_still.state, open_still.evidence) == (State.PENDING, "answered RECORD_NOT_FOUND")
    assert open_still.outcome is not None
    assert open_still.outcome.decline is None
    if arrives:
        world.script.found_of[ask.transaction_id] = APPROVED
    await asyncio.sleep(200)
    assert (await world.entry(ask.transaction_id)).state is (State.APPROVED if arrives else State.DECLINED)


async def test_a_resend_that_nobody_heard_of_may_still_arrive(start: Start) -> None:
    """A process that dies when it has sent again leaves no older time behind to count settling from."""
    world = await start(terms=Terms(settling_s=300.0))
    world.script.reactions.extend([LOST, 20.0, LOST])
    ask = world.load()
    async with sweeping(world):
        await world.transactions.begin(ask, wait_s=1, by=LOCAL)
        while len(world.script.requests) < 2:
            assert (await world.entry(ask.transaction_id)).state is State.PENDING
            await asyncio.sleep(0.1)
        left_at = world.clock.now()
        assert (await world.entry(ask.transaction_id)).sent_by is None
        await world.driver.drain(0)
    heir = await start(terms=Terms(settling_s=300.0))
    heir.connections.get("first").is_enabled = False
    heir.script.found.extend([NOWHERE] * 100)
    async with sweeping(heir):
        await asyncio.sleep(1_000)
    ended = await heir.entry(ask.transaction_id)
    assert ended.state is State.FAILED
    assert ended.changes[-1].at - left_at > timedelta(seconds=300)


async def test_request_is_failed_once_nothing_can_be_under_way(start: Start) -> None:
    """Long after the last resend, finding nothing means that nothing was done."""
    world = await start(is_sweeping=True, terms=Terms(retry_cap_s=60.0))
    world.script.reactions.extend([LOST] * 400)
    ask = world.load()
    await world.transactions.begin(ask, wait_s=1, by=LOCAL)
    world.script.found.extend([NOWHERE] * 800)
    await asyncio.sleep(3_600 + 600 + 61)
    assert (await world.entry(ask.transaction_id)).state is State.FAILED


def is_over(world: World, ask: Load) -> bool:
    """Tell whether the hour is over for which the provider remembers a load's key."""
    return world.clock.now() - ask.requested_at >= timedelta(hours=1)


@pytest.mark.parametrize(
    "fault",
    [MoneyError("more decimals than ZAR has"), Refused(Decline(reason=DeclineReason.PROVIDER_REFUSED))],
    ids=["an amount nobody can say", "a refusal"],
)
async def test_fault_in_reading_an_answer_is_no_failure(world: World, fault: Exception) -> None:
    """An adapter's error that may come from reading an answer leaves the outcome open (rule 4)."""
    world.script.reactions.append(fault)
    entry = await world.begin(world.redeem())
    assert entry.state in {State.REVERSING, State.REVERSED}
    assert len(world.script.advices) == 1


async def test_refusal_before_sending_is_a_failure(world: World) -> None:
    """What an adapter refuses to send was surely not sent (rule 3)."""
    world.script.reactions.append(Unsupported("no such thing"))
    entry = await world.begin(world.redeem())
    assert (entry.state, entry.evidence) == (State.FAILED, "no such thing")


async def test_answer_that_cannot_be_written_down_leaves_the_outcome_open(world: World) -> None:
    """A number no journal can keep loses no answer in silence: the transaction is ended as an unknown."""
    endless = PointBalances(available=Points(amount=2**70))
    world.script.reactions.append(msgspec.structs.replace(APPROVED, points=endless))
    entry = await world.begin(world.redeem())
    assert entry.state is State.REVERSED
    assert len(world.script.advices) == 1


async def test_advice_is_as_old_as_it_is_when_it_is_sent(start: Start) -> None:
    """The wait for a turn counts: an adapter that hears an age must not trust a memory that has ended."""
    ages: list[float] = []
    world = await start(is_sweeping=True, terms=Terms(advice_concurrency=1))
    provider = world.connections.get("first").provider

    async def deliver(_call: Call, _advice: Advice, *, age_s: float) -> Acknowledgement:
        ages.append(age_s)
        await asyncio.sleep(20)
        return Acknowledgement(receipt=Receipt.DONE)

    vars(provider)["deliver"] = deliver
    asks = [world.redeem() for _ in range(3)]
    for ask in asks:
        await world.transactions.begin(ask, wait_s=30, by=LOCAL)
    for ask in asks:
        await world.transactions.confirm(Operation.REDEEM, ask.transaction_id, wait_s=0, by=LOCAL)
    await asyncio.sleep(70)
    assert ages == [0.0, 20.0, 40.0]


async def test_whoever_waits_is_answered_before_the_process_ends(world: World) -> None:
    """A caller whose provider is silent when the drain ends hears PENDING, not UNAVAILABLE (rule 15)."""
    world.script.reactions.append(25.0)
    ask = world.redeem()
    waiting = [
        asyncio.create_task(world.transactions.begin(ask, wait_s=30, by=LOCAL)),
        asyncio.create_task(world.transactions.begin(ask, wait_s=30, by=LOCAL)),
    ]
    await asyncio.sleep(5)
    world.transactions.release()
    world.transactions.release()
    await asyncio.sleep(0.1)
    assert [task.result().entry.state for task in waiting] == [State.PENDING] * 2
    await asyncio.sleep(25)
    assert (await world.entry(ask.transaction_id)).state is State.APPROVED
