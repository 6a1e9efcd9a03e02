"""Confirmations and reversals as promises: rules 7 to 12."""

from __future__ import annotations

import asyncio

import pytest

from giftcard_adapters.values.advices import Acknowledgement, AdviceKind, AdviceWords, Receipt, ReversalReason
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Operation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.point_of_sale import Tender, TenderType, ThirdPartyIdentifier
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import (
    InvalidRequest,
    PartialUnsupported,
    ReversalUnsupported,
    StateConflict,
    TransactionNotFound,
    TransactionReversed,
)
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.providers.connections import Terms
from tests.gateway.pipeline.conftest import Start
from tests.world.gateway import World
from tests.world.provider import AGAIN, APPROVED, ISSUED, LOST, RAND

NO_SUCH = Acknowledgement(receipt=Receipt.NO_SUCH_TRANSACTION)
REFUSED = Acknowledgement(receipt=Receipt.REFUSED, evidence="confirmed already")
HALF = Money("ZAR", 5_000)


async def test_confirmation_is_told_once(world: World) -> None:
    """A confirmation is CONFIRMED once the provider acknowledged; repeating it sends nothing (rule 7)."""
    entry = await world.begin(world.redeem())
    assert (await world.confirm(entry)).state is State.CONFIRMED
    assert (await world.confirm(entry)).state is State.CONFIRMED
    assert len(world.script.advices) == 1


async def test_lost_advice_is_repeated_unchanged(world: World) -> None:
    """An advice without a final answer is sent again, byte for byte, until there is one (rule 8)."""
    entry = await world.begin(world.redeem())
    world.script.reactions.extend([LOST, AGAIN, AGAIN])
    told = await world.confirm(entry)
    assert told.state is State.CONFIRMING
    await asyncio.sleep(30)
    assert (await world.entry(entry.transaction_id)).state is State.CONFIRMED
    assert len(world.script.advices) == 4
    assert len({call.path + call.body.decode() for call, _ in world.script.advices}) == 1


async def test_confirm_and_reverse_exclude_each_other(world: World) -> None:
    """Of a confirmation and a reversal at the same moment exactly one is promised (rule 7)."""
    for _ in range(20):
        entry = await world.begin(world.redeem())
        outcomes = await asyncio.gather(world.confirm(entry), world.reverse(entry), return_exceptions=True)
        refusals = [one for one in outcomes if isinstance(one, (TransactionReversed, StateConflict))]
        kept = [one for one in outcomes if isinstance(one, Entry)]
        assert len(refusals) == len(kept) == 1


async def test_wrong_order_is_refused_with_the_state(world: World) -> None:
    """Confirming what is reversed, or the other way round, is refused and says the state (rule 7)."""
    one, other = await world.begin(world.redeem()), await world.begin(world.redeem())
    await world.reverse(one)
    with pytest.raises(TransactionReversed) as refusal:
        await world.confirm(one)
    assert refusal.value.metadata["state"] == "REVERSED"
    await world.confirm(other)
    with pytest.raises(StateConflict) as conflict:
        await world.reverse(other)
    assert conflict.value.metadata["state"] == "CONFIRMED"


async def test_reversal_may_come_first(world: World) -> None:
    """A reversal of an unknown id is REVERSED, and the late request is refused and not sent (rule 9)."""
    ask = world.redeem()
    assert (await world.reverse(ask)).state is State.REVERSED
    assert (await world.reverse(ask)).state is State.REVERSED
    with pytest.raises(TransactionReversed):
        await world.transactions.begin(ask, wait_s=30, by=LOCAL)
    assert not world.script.requests


async def test_reversal_in_flight_waits_for_the_outcome(world: World) -> None:
    """A reversal during the request is kept and delivered when the outcome is known (rule 9)."""
    world.script.reactions.append(2.0)
    ask = world.redeem()
    call = asyncio.create_task(world.transactions.begin(ask, wait_s=30, by=LOCAL))
    await asyncio.sleep(1)
    reversing = asyncio.create_task(world.reverse(ask))
    await asyncio.sleep(0.5)
    assert not world.script.advices
    assert (await reversing).state is State.REVERSED
    assert (await call).entry.state is State.REVERSED
    assert len(world.script.requests) == len(world.script.advices) == 1


async def test_reversal_in_flight_of_a_decline_has_nothing_to_do(world: World) -> None:
    """A reversal wanted of what is then declined sends nothing: no money moved."""
    decline = Outcome(verdict=Verdict.DECLINED, decline=Decline(reason=DeclineReason.CARD_EXPIRED))
    world.script.reactions.extend([2.0, decline])
    ask = world.redeem()
    call = asyncio.create_task(world.transactions.begin(ask, wait_s=30, by=LOCAL))
    await asyncio.sleep(1)
    assert (await world.reverse(ask)).state is State.DECLINED
    assert (await call).entry.state is State.DECLINED
    assert not world.script.advices


@pytest.mark.parametrize("receipt", [NO_SUCH, REFUSED])
async def test_final_answers_to_advices(world: World, receipt: Acknowledgement) -> None:
    """A provider that approved, and then knows nothing or refuses, leaves it to a person (rule 8)."""
    one, other = await world.begin(world.redeem()), await world.begin(world.redeem())
    world.script.reactions.extend([receipt, receipt])
    assert (await world.confirm(one)).state is State.UNRESOLVED
    assert (await world.reverse(other)).state is State.UNRESOLVED


async def test_an_answer_heard_late_may_be_of_a_look_too_early(start: Start) -> None:
    """Unknown to the provider ends a reversal only if that copy was sent after the settling time (rule 8)."""
    world = await start(terms=Terms(settling_s=10.0), is_sweeping=True)
    world.script.reactions.extend([LOST, 15.0, NO_SUCH, NO_SUCH])
    entry = await world.begin(world.redeem())
    await asyncio.sleep(60)
    assert (await world.entry(entry.transaction_id)).state is State.REVERSED
    assert len(world.script.advices) == 2


async def test_part_of_the_amount(world: World) -> None:
    """A confirmation or reversal may carry less than was approved, never more or other money (rule 12)."""
    entry = await world.begin(world.redeem())
    for wrong in (Money("ZAR", 10_001), Money("EUR", 1)):
        with pytest.raises(InvalidRequest) as refusal:
            await world.confirm(entry, amount=wrong)
        assert refusal.value.violations[0][0] == "final_amount"
    await world.confirm(entry, amount=HALF)
    assert world.script.advices[0][1].amount == HALF
    for other_amount in (Money("ZAR", 1), None):
        with pytest.raises(StateConflict, match="once") as conflict:
            await world.confirm(entry, amount=other_amount)
        assert conflict.value.metadata["field"] == "final_amount"
    other = await world.begin(world.redeem())
    await world.reverse(other, amount=HALF)
    assert world.script.advices[1][1].amount == HALF


async def test_whole_amount_is_no_part(world: World) -> None:
    """Naming the whole approved amount is the same as naming none, also when repeated."""
    entry = await world.begin(world.redeem())
    await world.confirm(entry, amount=RAND)
    await world.confirm(entry)
    assert world.script.advices[0][1].amount is None


async def test_other_tenders_are_another_confirmation(world: World) -> None:
    """A repeated confirmation may leave its tenders out, and is refused when it tells of others."""
    entry = await world.begin(world.redeem())
    cash = Tender(tender_type=TenderType.CASH, amount=RAND)
    for tenders in ((cash,), (), (cash,)):
        await world.transactions.confirm(
            entry.operation, entry.transaction_id, tenders=tenders, wait_s=30, by=LOCAL
        )
    with pytest.raises(StateConflict) as refusal:
        await world.transactions.confirm(
            entry.operation,
            entry.transaction_id,
            tenders=(Tender(tender_type=TenderType.WALLET, amount=RAND),),
            wait_s=30,
            by=LOCAL,
        )
    assert refusal.value.metadata["field"] == "tenders"
    assert len(world.script.advices) == 1


WORDS = AdviceWords(
    note="till 4",
    system_trace_number="000124",
    retrieval_reference="000000000124",
    third_party_identifiers=(ThirdPartyIdentifier(institution_id="switch", transaction_identifier="43"),),
)


@pytest.mark.parametrize("kind", AdviceKind)
async def test_words_go_with_the_decision(world: World, kind: AdviceKind) -> None:
    """A decision's own numbers, ids and note are in the advice; a repeat that tells others is refused."""
    entry = await world.begin(world.redeem())

    async def decide(words: AdviceWords) -> Entry:
        if kind is AdviceKind.CONFIRMATION:
            return await world.transactions.confirm(
                entry.operation, entry.transaction_id, words=words, wait_s=30, by=LOCAL
            )
        return await world.transactions.reverse(
            entry.operation,
            entry.transaction_id,
            reason=ReversalReason.CANCELLED,
            words=words,
            wait_s=30,
            by=LOCAL,
        )

    for words in (WORDS, AdviceWords(), AdviceWords(note="another"), WORDS):
        decided = await decide(words)
    ((_, advice),) = world.script.advices
    assert advice.words() == WORDS.words()
    assert any(change.cause.endswith(": till 4") for change in decided.changes)
    others = {
        "system_trace_number": AdviceWords(system_trace_number="9"),
        "retrieval_reference": AdviceWords(retrieval_reference="9"),
        "third_party_identifiers": AdviceWords(
            third_party_identifiers=(ThirdPartyIdentifier(institution_id="a", transaction_identifier="9"),)
        ),
    }
    for field, other in others.items():
        with pytest.raises(StateConflict) as refusal:
            await decide(other)
        assert refusal.value.metadata["field"] == field


async def test_words_wait_for_the_outcome(world: World) -> None:
    """What a reversal tells that comes while its request is in flight is in the advice that follows."""
    ask = world.redeem()
    world.script.reactions.append(1.0)
    asking = asyncio.create_task(world.begin(ask))
    await asyncio.sleep(0.5)
    await world.transactions.reverse(
        ask.operation, ask.transaction_id, reason=ReversalReason.CANCELLED, words=WORDS, wait_s=0, by=LOCAL
    )
    await asking
    entry = await world.transactions.get(ask.transaction_id, wait_s=30, by=LOCAL)
    assert entry.state is State.REVERSED
    assert world.script.advices[0][1].words() == WORDS.words()


async def test_one_shot_confirms_inside(world: World) -> None:
    """Where there is no second phase a confirmation completes without telling anybody (rule 11)."""
    world.script.reactions.extend([APPROVED, ISSUED])
    loaded = await world.begin(world.load())
    issued = await world.begin(world.issue())
    assert (await world.confirm(loaded)).state is State.CONFIRMED
    with pytest.raises(PartialUnsupported):
        await world.confirm(issued, amount=HALF)
    with pytest.raises(ReversalUnsupported):
        await world.reverse(issued)
    assert not world.script.advices


async def test_other_operation_or_nothing(world: World) -> None:
    """An id of another operation conflicts, an unknown one is not found, and neither changes anything."""
    entry = await world.begin(world.redeem())
    with pytest.raises(StateConflict) as conflict:
        await world.transactions.confirm(Operation.LOAD, entry.transaction_id, wait_s=1, by=LOCAL)
    assert conflict.value.metadata["operation"] == "REDEEM"
    with pytest.raises(TransactionNotFound):
        await world.transactions.confirm(Operation.LOAD, world.clock.uuid4(), wait_s=1, by=LOCAL)
    assert (await world.entry(entry.transaction_id)) == entry


async def test_person_ends_the_unresolved(world: World) -> None:
    """Only an UNRESOLVED transaction can be ended by a person, once, with a note."""
    world.script.reactions.append(LOST)
    entry = await world.begin(world.void())
    ended = await world.transactions.resolve(
        entry.transaction_id, state=State.REVERSED, note="called them", by=LOCAL
    )
    assert (ended.state, ended.note) == (State.REVERSED, "called them")
    same = await world.transactions.resolve(
        entry.transaction_id, state=State.REVERSED, note="called them", by=LOCAL
    )
    assert same == ended
    with pytest.raises(TransactionReversed):
        await world.transactions.resolve(entry.transaction_id, state=State.CONFIRMED, note="no", by=LOCAL)


async def test_redelivery_does_not_wait_for_the_backoff(world: World) -> None:
    """RedeliverAdvice tries at once what would be tried later, and conflicts where nothing is owed."""
    entry = await world.begin(world.redeem())
    world.script.reactions.extend([AGAIN] * 12)
    await world.confirm(entry)
    await asyncio.sleep(120)
    waiting = await world.entry(entry.transaction_id)
    assert waiting.state is State.CONFIRMING
    world.script.reactions.clear()
    told = await world.transactions.redeliver(entry.transaction_id, wait_s=30, by=LOCAL)
    assert told.state is State.CONFIRMED
    with pytest.raises(StateConflict):
        await world.transactions.redeliver(entry.transaction_id, wait_s=1, by=LOCAL)
