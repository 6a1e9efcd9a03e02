"""Confirmations and reversals as promises: rules 7 to 12."""

from __future__ import annotations

import asyncio

import pytest

from giftcard_adapters.values.advices import Acknowledgement, Receipt, ReversalReason
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Operation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.point_of_sale import Tender, TenderType
from giftcard_gateway.errors import (
    InvalidRequest,
    PartialUnsupported,
    ReversalUnsupported,
    StateConflict,
    TransactionIdReused,
    TransactionNotFound,
    TransactionReversed,
)
from giftcard_gateway.ledger.entry import Entry, State
from tests.gateway.pipeline.world import APPROVED, ISSUED, LOST, RAND, World, play

AGAIN = Acknowledgement(receipt=Receipt.AGAIN, evidence="HTTP 503")
NO_SUCH = Acknowledgement(receipt=Receipt.NO_SUCH_TRANSACTION)
REFUSED = Acknowledgement(receipt=Receipt.REFUSED, evidence="confirmed already")
HALF = Money("ZAR", 5_000)


async def approved(world: World) -> Entry:
    """Begin a redemption that is approved."""
    return (await world.transactions.begin(world.redeem(), wait_s=30)).entry


async def confirm(world: World, entry: Entry, amount: Money | None = None, wait_s: float = 30) -> Entry:
    """Confirm a transaction."""
    return await world.transactions.confirm(
        entry.operation, entry.transaction_id, amount=amount, wait_s=wait_s
    )


async def reverse(
    world: World, transaction_id: str, amount: Money | None = None, operation: Operation = Operation.REDEEM
) -> Entry:
    """Reverse a transaction, known or not."""
    return await world.transactions.reverse(
        operation, transaction_id, reason=ReversalReason.CANCELLED, amount=amount, wait_s=30
    )


def test_confirmation_is_told_once() -> None:
    """A confirmation is CONFIRMED once the provider acknowledged; repeating it sends nothing (rule 7)."""

    async def story(world: World) -> None:
        entry = await approved(world)
        assert (await confirm(world, entry)).state is State.CONFIRMED
        assert (await confirm(world, entry)).state is State.CONFIRMED
        assert len(world.script.advices) == 1

    play(story)


def test_lost_advice_is_repeated_unchanged() -> None:
    """An advice without a final answer is sent again, byte for byte, until there is one (rule 8)."""

    async def story(world: World) -> None:
        entry = await approved(world)
        world.script.reactions.extend([LOST, AGAIN, AGAIN])
        told = await confirm(world, entry)
        assert told.state is State.CONFIRMING
        await asyncio.sleep(30)
        assert (await world.entry(entry.transaction_id)).state is State.CONFIRMED
        assert len(world.script.advices) == 4
        assert len({call.path + call.body.decode() for call, _ in world.script.advices}) == 1

    play(story)


def test_confirm_and_reverse_exclude_each_other() -> None:
    """Of a confirmation and a reversal at the same moment exactly one is promised (rule 7)."""

    async def story(world: World) -> None:
        for _ in range(20):
            entry = await approved(world)
            outcomes = await asyncio.gather(
                confirm(world, entry), reverse(world, entry.transaction_id), return_exceptions=True
            )
            refusals = [one for one in outcomes if isinstance(one, (TransactionReversed, StateConflict))]
            kept = [one for one in outcomes if isinstance(one, Entry)]
            assert len(refusals) == len(kept) == 1

    play(story)


def test_wrong_order_is_refused_with_the_state() -> None:
    """Confirming what is reversed, or the other way round, is refused and says the state (rule 7)."""

    async def story(world: World) -> None:
        one, other = await approved(world), await approved(world)
        await reverse(world, one.transaction_id)
        with pytest.raises(TransactionReversed) as refusal:
            await confirm(world, one)
        assert refusal.value.metadata["state"] == "REVERSED"
        await confirm(world, other)
        with pytest.raises(StateConflict) as conflict:
            await reverse(world, other.transaction_id)
        assert conflict.value.metadata["state"] == "CONFIRMED"

    play(story)


def test_reversal_may_come_first() -> None:
    """A reversal of an unknown id is REVERSED, and the late request is refused and not sent (rule 9)."""

    async def story(world: World) -> None:
        ask = world.redeem()
        assert (await reverse(world, ask.transaction_id)).state is State.REVERSED
        assert (await reverse(world, ask.transaction_id)).state is State.REVERSED
        with pytest.raises(TransactionReversed):
            await world.transactions.begin(ask, wait_s=30)
        assert not world.script.requests

    play(story)


def test_reversal_in_flight_waits_for_the_outcome() -> None:
    """A reversal during the request is kept and delivered when the outcome is known (rule 9)."""

    async def story(world: World) -> None:
        world.script.reactions.append(2.0)
        ask = world.redeem()
        call = asyncio.create_task(world.transactions.begin(ask, wait_s=30))
        await asyncio.sleep(1)
        reversing = asyncio.create_task(reverse(world, ask.transaction_id))
        await asyncio.sleep(0.5)
        assert not world.script.advices
        assert (await reversing).state is State.REVERSED
        assert (await call).entry.state is State.REVERSED
        assert len(world.script.requests) == len(world.script.advices) == 1

    play(story)


def test_reversal_in_flight_of_a_decline_has_nothing_to_do() -> None:
    """A reversal wanted of what is then declined sends nothing: no money moved."""

    async def story(world: World) -> None:
        decline = Outcome(verdict=Verdict.DECLINED, decline=Decline(reason=DeclineReason.CARD_EXPIRED))
        world.script.reactions.extend([2.0, decline])
        ask = world.redeem()
        call = asyncio.create_task(world.transactions.begin(ask, wait_s=30))
        await asyncio.sleep(1)
        assert (await reverse(world, ask.transaction_id)).state is State.DECLINED
        assert (await call).entry.state is State.DECLINED
        assert not world.script.advices

    play(story)


@pytest.mark.parametrize(
    ("receipt", "confirmed_as", "reversed_as"),
    [(NO_SUCH, State.UNRESOLVED, State.REVERSED), (REFUSED, State.UNRESOLVED, State.UNRESOLVED)],
)
def test_final_answers_to_advices(receipt: Acknowledgement, confirmed_as: State, reversed_as: State) -> None:
    """Unknown to the provider ends a reversal and alarms for a confirmation; a refusal alarms (rule 8)."""

    async def story(world: World) -> None:
        one, other = await approved(world), await approved(world)
        world.script.reactions.extend([receipt, receipt])
        assert (await confirm(world, one)).state is confirmed_as
        assert (await reverse(world, other.transaction_id)).state is reversed_as

    play(story)


def test_part_of_the_amount() -> None:
    """A confirmation or reversal may carry less than was approved, never more or other money (rule 12)."""

    async def story(world: World) -> None:
        entry = await approved(world)
        for wrong in (Money("ZAR", 10_001), Money("EUR", 1)):
            with pytest.raises(InvalidRequest) as refusal:
                await confirm(world, entry, wrong)
            assert refusal.value.violations[0][0] == "final_amount"
        await confirm(world, entry, HALF)
        assert world.script.advices[0][1].amount == HALF
        with pytest.raises(TransactionIdReused):
            await confirm(world, entry, Money("ZAR", 1))
        with pytest.raises(TransactionIdReused):
            await confirm(world, entry)
        other = await approved(world)
        await reverse(world, other.transaction_id, HALF)
        assert world.script.advices[1][1].amount == HALF

    play(story)


def test_whole_amount_is_no_part() -> None:
    """Naming the whole approved amount is the same as naming none, also when repeated."""

    async def story(world: World) -> None:
        entry = await approved(world)
        await confirm(world, entry, RAND)
        await confirm(world, entry)
        assert world.script.advices[0][1].amount is None

    play(story)


def test_other_tenders_are_another_confirmation() -> None:
    """A repeated confirmation may leave its tenders out, and is refused when it tells of others."""

    async def story(world: World) -> None:
        entry = await approved(world)
        cash = Tender(tender_type=TenderType.CASH, amount=RAND)
        for tenders in ((cash,), (), (cash,)):
            await world.transactions.confirm(
                entry.operation, entry.transaction_id, tenders=tenders, wait_s=30
            )
        with pytest.raises(TransactionIdReused) as refusal:
            await world.transactions.confirm(
                entry.operation,
                entry.transaction_id,
                tenders=(Tender(tender_type=TenderType.WALLET, amount=RAND),),
                wait_s=30,
            )
        assert refusal.value.metadata["field"] == "tenders"
        assert len(world.script.advices) == 1

    play(story)


def test_one_shot_confirms_inside() -> None:
    """Where there is no second phase a confirmation completes without telling anybody (rule 11)."""

    async def story(world: World) -> None:
        world.script.reactions.extend([APPROVED, ISSUED])
        loaded = (await world.transactions.begin(world.load(), wait_s=30)).entry
        issued = (await world.transactions.begin(world.issue(), wait_s=30)).entry
        assert (await confirm(world, loaded)).state is State.CONFIRMED
        with pytest.raises(PartialUnsupported):
            await confirm(world, issued, HALF)
        with pytest.raises(ReversalUnsupported):
            await reverse(world, issued.transaction_id, operation=Operation.ISSUE)
        assert not world.script.advices

    play(story)


def test_other_operation_or_nothing() -> None:
    """An id of another operation conflicts, an unknown one is not found, and neither changes anything."""

    async def story(world: World) -> None:
        entry = await approved(world)
        with pytest.raises(StateConflict) as conflict:
            await world.transactions.confirm(Operation.LOAD, entry.transaction_id, wait_s=1)
        assert conflict.value.metadata["operation"] == "REDEEM"
        with pytest.raises(TransactionNotFound):
            await world.transactions.confirm(Operation.LOAD, world.clock.uuid4(), wait_s=1)
        assert (await world.entry(entry.transaction_id)) == entry

    play(story)


def test_person_ends_the_unresolved() -> None:
    """Only an UNRESOLVED transaction can be ended by a person, once, with a note."""

    async def story(world: World) -> None:
        world.script.reactions.append(LOST)
        entry = (await world.transactions.begin(world.void(), wait_s=30)).entry
        ended = await world.transactions.resolve(
            entry.transaction_id, state=State.REVERSED, note="called them"
        )
        assert (ended.state, ended.note) == (State.REVERSED, "called them")
        same = await world.transactions.resolve(
            entry.transaction_id, state=State.REVERSED, note="called them"
        )
        assert same == ended
        with pytest.raises(TransactionReversed):
            await world.transactions.resolve(entry.transaction_id, state=State.CONFIRMED, note="no")

    play(story)


def test_redelivery_does_not_wait_for_the_backoff() -> None:
    """RedeliverAdvice tries at once what would be tried later, and conflicts where nothing is owed."""

    async def story(world: World) -> None:
        entry = await approved(world)
        world.script.reactions.extend([AGAIN] * 12)
        await confirm(world, entry)
        await asyncio.sleep(120)
        waiting = await world.entry(entry.transaction_id)
        assert waiting.state is State.CONFIRMING
        world.script.reactions.clear()
        told = await world.transactions.redeliver(entry.transaction_id, wait_s=30)
        assert told.state is State.CONFIRMED
        with pytest.raises(StateConflict):
            await world.transactions.redeliver(entry.transaction_id, wait_s=1)

    play(story)
