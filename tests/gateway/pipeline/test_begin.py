"""What happens when a transaction is begun: rules 1 to 6, 11, 15."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from giftcard_adapters.values.advices import ReversalReason
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import ProviderUnreachable, TransactionIdReused
from giftcard_gateway.ledger.entry import State
from giftcard_gateway.providers.routing import Rule
from tests.gateway.pipeline.conftest import Start
from tests.world.gateway import World
from tests.world.provider import APPROVED, ISSUED, LOST, NOT_LISTED, REFUSED_CONNECTION


async def test_approval_waits_for_the_caller(world: World) -> None:
    """An approved request is APPROVED, with its time to be confirmed by, and was sent once."""
    begun = await world.transactions.begin(world.redeem(), wait_s=30, by=LOCAL)
    assert begun.entry.state is State.APPROVED
    assert not begun.is_replayed
    assert begun.entry.confirm_by is not None
    assert (begun.entry.confirm_by - begun.entry.updated_at).total_seconds() == 900
    assert len(world.script.requests) == 1


async def test_what_an_answer_left_out_is_told(world: World) -> None:
    """An approval is one though a place in it could not be read, and the place is told once (rule 19)."""
    world.script.reactions.append(msgspec.structs.replace(APPROVED, left_out=("slip.lines",)))
    entry = await world.begin(world.redeem())
    await world.confirm(entry)
    assert entry.state is State.APPROVED
    assert world.heard.left_out_of == [("first", "slip.lines")]


async def test_repeat_moves_nothing(world: World) -> None:
    """The same id with the same content returns the recorded transaction and sends nothing (rule 1)."""
    ask = world.redeem()
    first = await world.transactions.begin(ask, wait_s=30, by=LOCAL)
    later = msgspec.structs.replace(ask, requested_at=world.clock.now(), labels={"try": "2"})
    again = await world.transactions.begin(later, wait_s=30, by=LOCAL)
    assert again.is_replayed
    assert again.entry == first.entry
    assert len(world.script.requests) == 1


async def test_other_content_is_refused_by_name(world: World) -> None:
    """The same id with other content is refused, naming the first field that differs (rule 1)."""
    ask = world.redeem()
    await world.transactions.begin(ask, wait_s=30, by=LOCAL)
    other = msgspec.structs.replace(ask, amount=Money("ZAR", 1))
    with pytest.raises(TransactionIdReused) as refusal:
        await world.transactions.begin(other, wait_s=30, by=LOCAL)
    assert refusal.value.metadata["field"] == "amount.amount_minor"
    assert len(world.script.requests) == 1


async def test_hundred_callers_one_effect(world: World) -> None:
    """A hundred concurrent calls with one id are one request, and all hear the same."""
    world.script.reactions.append(1.0)
    ask = world.redeem()
    begun = await asyncio.gather(*(world.transactions.begin(ask, wait_s=30, by=LOCAL) for _ in range(100)))
    assert len(world.script.requests) == 1
    assert {one.entry.state for one in begun} == {State.APPROVED}
    assert sum(not one.is_replayed for one in begun) == 1


async def test_decline_is_an_answer(world: World) -> None:
    """A decline ends as DECLINED with the provider's reason and owes nothing (rule 15)."""
    decline = Decline(reason=DeclineReason.FUNDS_INSUFFICIENT, provider_code="51")
    world.script.reactions.append(Outcome(verdict=Verdict.DECLINED, decline=decline))
    entry = await world.begin(world.redeem())
    assert entry.state is State.DECLINED
    assert entry.outcome is not None
    assert entry.outcome.decline == decline
    assert entry.due_at is None


async def test_not_sent_is_a_failure(world: World) -> None:
    """A connection that was refused is FAILED: it surely never happened (rule 3)."""
    world.script.reactions.append(REFUSED_CONNECTION)
    entry = await world.begin(world.redeem())
    assert entry.state is State.FAILED
    assert not world.script.advices


async def test_unknown_is_reversed_not_resent(world: World) -> None:
    """A request without an answer is never sent again where REVERSE is declared; it is reversed (rule 5)."""
    world.script.reactions.append(LOST)
    entry = await world.begin(world.redeem())
    assert entry.state is State.REVERSED
    assert len(world.script.requests) == 1
    assert [advice.reason for _, advice in world.script.advices] == [ReversalReason.TIMEOUT]


async def test_unknown_is_resent_inside_its_window(world: World) -> None:
    """Where the provider remembers our id, an unknown is ended by sending the same request again (rule 3)."""
    world.script.reactions.extend([LOST, LOST, APPROVED])
    entry = await world.begin(world.load())
    assert entry.state is State.APPROVED
    assert len(world.script.requests) == 3
    assert world.script.requests[0] == world.script.requests[2]


async def test_refused_resend_fails_nothing(world: World) -> None:
    """A repeat that surely had no effect says nothing of the first sending: it is no failure (rule 4)."""
    turned_away = Outcome(verdict=Verdict.FAILED, evidence="too many requests")
    world.script.reactions.extend([LOST, turned_away, APPROVED])
    entry = await world.begin(world.load())
    assert entry.state is State.APPROVED
    assert len(world.script.requests) == 3


async def test_resend_that_proves_nothing_is_looked_up(world: World) -> None:
    """A provider that repeats an error under our id is asked what became of it, inside the window too."""
    world.script.reactions.extend([LOST] * 3)
    world.script.found.extend([NOT_LISTED, APPROVED])
    entry = await world.begin(world.load())
    assert entry.state is State.APPROVED
    assert (len(world.script.requests), len(world.script.finds)) == (3, 2)


async def test_nothing_is_resent_to_a_provider_switched_off(world: World) -> None:
    """An unknown at a provider the operator has switched off since is looked for, and not sent again."""
    world.script.reactions.append(LOST)
    ask = world.load()
    await world.transactions.begin(ask, wait_s=0, by=LOCAL)
    world.connections.get("first").is_enabled = False
    world.script.found.append(APPROVED)
    await asyncio.sleep(60)
    assert (await world.entry(ask.transaction_id)).state is State.APPROVED
    assert len(world.script.requests) == 1


async def test_unknown_is_found_after_its_window(world: World) -> None:
    """Past the window an unknown is looked for and never sent again; what is found is the outcome."""
    world.script.reactions.extend([LOST] * 500)
    ask = world.load()
    await world.transactions.begin(ask, wait_s=1, by=LOCAL)
    await asyncio.sleep(3600 + 400)
    sent = len(world.script.requests)
    world.script.found.append(APPROVED)
    await asyncio.sleep(700)
    assert len(world.script.requests) == sent
    assert world.script.finds
    assert (await world.entry(ask.transaction_id)).state is State.APPROVED


async def test_what_cannot_be_found_is_a_persons(world: World) -> None:
    """An unknown that cannot be ended becomes UNRESOLVED with its evidence; it is never guessed (rule 5)."""
    world.script.reactions.append(LOST)
    ask = world.issue()
    await world.transactions.begin(ask, wait_s=1, by=LOCAL)
    await asyncio.sleep(2000)
    entry = await world.entry(ask.transaction_id)
    assert entry.state is State.UNRESOLVED
    assert entry.evidence == "not listed"
    assert len(world.script.requests) == 1


async def test_person_at_once(world: World) -> None:
    """Where nothing is safe, a lost answer is UNRESOLVED at once and nothing is sent again."""
    world.script.reactions.append(LOST)
    entry = await world.begin(world.void())
    assert entry.state is State.UNRESOLVED
    assert entry.evidence == "no answer in time"


async def test_work_outlives_the_caller(world: World) -> None:
    """A caller who is cut off changes nothing: the same id tells what came of it (rule 6)."""
    world.script.reactions.extend([5.0])
    ask = world.redeem()
    call = asyncio.create_task(world.transactions.begin(ask, wait_s=30, by=LOCAL))
    await asyncio.sleep(1)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    again = await world.transactions.begin(ask, wait_s=30, by=LOCAL)
    assert again.entry.state is State.APPROVED
    assert len(world.script.requests) == 1


async def test_short_wait_tells_the_present(world: World) -> None:
    """A caller who waits less than the provider takes hears PENDING, not an error (rule 6)."""
    world.script.reactions.append(5.0)
    ask = world.redeem()
    begun = await world.transactions.begin(ask, wait_s=1, by=LOCAL)
    assert begun.entry.state is State.PENDING
    assert (await world.transactions.get(ask.transaction_id, wait_s=30, by=LOCAL)).state is State.APPROVED


async def test_open_circuit_refuses_before_writing(world: World) -> None:
    """With the provider known to be down nothing is written and nothing sent: UNAVAILABLE is safe."""
    world.script.reactions.extend([REFUSED_CONNECTION] * 10)
    for _ in range(10):
        await world.transactions.begin(world.redeem(), wait_s=30, by=LOCAL)
    ask = world.redeem()
    with pytest.raises(ProviderUnreachable) as refusal:
        await world.transactions.begin(ask, wait_s=30, by=LOCAL)
    assert refusal.value.retry_after_s is not None
    assert await world.records.get(ask.transaction_id) is None
    await asyncio.sleep(6)
    assert (await world.begin(ask)).state is State.APPROVED


async def test_issue_fails_over_when_surely_not_sent(start: Start) -> None:
    """An issue that was not sent goes to the provider that stands in; one without an answer does not."""
    world = await start(is_sweeping=True, rules=[Rule(provider="first", failover="second")])
    world.script.reactions.append(REFUSED_CONNECTION)
    world.scripts["second"].reactions.append(ISSUED)
    entry = await world.begin(world.issue())
    assert (entry.state, entry.provider) == (State.APPROVED, "second")
    world.script.reactions.append(LOST)
    lost = await world.begin(world.issue(), wait_s=1)
    assert (lost.state, lost.provider) == (State.PENDING, "first")
    assert len(world.scripts["second"].requests) == 1


async def test_undecided_is_reversed_in_the_end(world: World) -> None:
    """APPROVED past `confirm_by` is reversed; where there is no way back it is confirmed (rule 10)."""
    world.script.reactions.extend([APPROVED, ISSUED])
    redeemed = await world.begin(world.redeem())
    issued = await world.begin(world.issue())
    await asyncio.sleep(899)
    assert (await world.entry(redeemed.transaction_id)).state is State.APPROVED
    await asyncio.sleep(3)
    assert (await world.entry(redeemed.transaction_id)).state is State.REVERSED
    assert (await world.entry(issued.transaction_id)).state is State.CONFIRMED
    assert len(world.script.advices) == 1
