"""What is UNRESOLVED is tried again by a person's word: the same promise, or another look (rules 5 and 8)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import msgspec
import pytest

from giftcard_adapters.errors import Unfindable
from giftcard_adapters.values.advices import Acknowledgement, AdviceKind, Receipt
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.operations import Operation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.traits import Ending, Guarantee, OperationTraits
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import StateConflict
from giftcard_gateway.ledger import lifecycle, settling
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.ledger.settling import NextStep
from tests.gateway.pipeline.conftest import Start
from tests.gateway.pipeline.test_lifecycle import T1, in_state, intended, promised, refused
from tests.gateway.pipeline.test_settling import EARLY, IDS, LATE, ONCE, PLAIN, REFUSES, SETTLING, step
from tests.world.gateway import World
from tests.world.provider import AGAIN, ISSUED, LOST

ANN = msgspec.structs.replace(LOCAL, name="ann")
NO = Acknowledgement(receipt=Receipt.REFUSED, evidence="not now")
FIND_WINDOW_S = 600.0


async def again(world: World, entry: Entry, *, wait_s: float = 30) -> Entry:
    """Have it tried again by an operator."""
    return await world.transactions.redeliver(entry.transaction_id, wait_s=wait_s, by=ANN)


@pytest.mark.parametrize("kind", AdviceKind)
async def test_the_very_same_promise_is_owed_again(world: World, kind: AdviceKind) -> None:
    """A refused advice goes out again in the same bytes, and the change of state says who had it tried."""
    entry = await world.begin(world.redeem())
    world.script.reactions.append(NO)
    decide = world.confirm if kind is AdviceKind.CONFIRMATION else world.reverse
    assert (await decide(entry)).state is State.UNRESOLVED
    ended = await again(world, entry)
    kept = State.CONFIRMED if kind is AdviceKind.CONFIRMATION else State.REVERSED
    owed = State.CONFIRMING if kind is AdviceKind.CONFIRMATION else State.REVERSING
    assert ended.state is kept
    (first, told), (second, retold) = world.script.advices
    assert (first, told) == (second, retold)
    (change,) = [one for one in ended.changes if one.state is owed][1:]
    assert (change.cause, change.actor) == ("an operator had it tried again", "ann")


async def test_what_is_refused_again_is_unresolved_again(world: World) -> None:
    """Another final no brings it back to a person, with what was heard now; nothing goes on by itself."""
    entry = await world.begin(world.redeem())
    decline = Decline(reason=DeclineReason.CARD_BLOCKED)
    world.script.reactions.extend([NO, msgspec.structs.replace(NO, evidence="never", decline=decline)])
    await world.confirm(entry)
    told = await again(world, entry)
    assert (told.state, told.evidence, told.refusal) == (State.UNRESOLVED, "never", decline)
    await asyncio.sleep(3600)
    assert len(world.script.advices) == 2


async def test_an_advice_that_is_tried_again_is_kept_at(world: World) -> None:
    """While the provider gives no final answer it is sent again with backoff, as any promise is (rule 8)."""
    entry = await world.begin(world.redeem())
    world.script.reactions.extend([NO, AGAIN, AGAIN, AGAIN])
    await world.confirm(entry)
    assert (await again(world, entry, wait_s=0)).state is State.CONFIRMING
    await asyncio.sleep(60)
    assert (await world.entry(entry.transaction_id)).state is State.CONFIRMED
    assert len({(call.path, call.body) for call, _ in world.script.advices}) == 1


async def test_only_the_promise_that_was_made_is_tried_again(world: World) -> None:
    """Neither UNRESOLVED nor tried again does a transaction take the other decision (rule 7)."""
    entry = await world.begin(world.redeem())
    world.script.reactions.extend([NO, AGAIN, 5.0])
    await world.confirm(entry)
    with pytest.raises(StateConflict):
        await world.reverse(entry)
    await again(world, entry, wait_s=0)
    with pytest.raises(StateConflict):
        await world.reverse(entry)
    with pytest.raises(StateConflict):
        await world.transactions.resolve(entry.transaction_id, state=State.REVERSED, note="x", by=LOCAL)


async def test_an_outcome_is_looked_for_again(world: World) -> None:
    """Where nothing was promised the provider is asked again; the request is never sent again (rule 3)."""
    ask = world.issue()
    world.script.reactions.append(LOST)
    world.script.found.append(Unfindable("no answer named a card"))
    assert (await world.begin(ask)).state is State.UNRESOLVED
    world.script.found_of[ask.transaction_id] = ISSUED
    told = await world.transactions.redeliver(ask.transaction_id, wait_s=30, by=ANN)
    assert told.state is State.APPROVED
    assert (len(world.script.requests), len(world.script.finds)) == (1, 2)
    assert [change.actor for change in told.changes] == ["local", "", "ann", ""]


async def test_looking_again_ends_with_a_person_too(world: World) -> None:
    """Another look lasts as long as the first did, and what was not found is not taken for what never was."""
    ask = world.issue()
    world.script.reactions.append(LOST)
    await world.begin(ask)
    await asyncio.sleep(FIND_WINDOW_S + 400)
    assert (await world.entry(ask.transaction_id)).state is State.UNRESOLVED
    world.script.found_of[ask.transaction_id] = Outcome(verdict=Verdict.FAILED, evidence="not listed")
    told = await world.transactions.redeliver(ask.transaction_id, wait_s=5, by=ANN)
    assert told.state is State.PENDING
    await asyncio.sleep(FIND_WINDOW_S + 400)
    ended = await world.entry(ask.transaction_id)
    assert (ended.state, len(world.script.requests)) == (State.UNRESOLVED, 1)


def test_a_request_is_not_sent_again_inside_its_window() -> None:
    """Also where the provider remembers our key: a person may have acted since (rule 3)."""
    resends = OperationTraits(guarantee=Guarantee.NONE, unknown=Ending.RESEND, resend_window_s=3600.0)
    unresolved = lifecycle.give_up(intended(), "nobody knows", T1)
    assert lifecycle.ending(intended(), resends, T1) is Ending.RESEND
    after = lifecycle.again(unresolved, T1, "ann")
    assert lifecycle.ending(after, resends, T1) is Ending.FIND
    assert lifecycle.ending(after, resends, T1 + timedelta(days=1)) is Ending.PERSON


async def test_what_nobody_can_find_out_is_not_tried_again(world: World) -> None:
    """Where the provider cannot be asked, only a person's word ends it, and the refusal says so."""
    world.script.reactions.append(LOST)
    entry = await world.begin(world.void())
    with pytest.raises(StateConflict, match=r"cannot be asked.*ResolveTransaction"):
        await again(world, entry)
    assert await world.entry(entry.transaction_id) == entry


async def test_trying_again_has_an_end(world: World) -> None:
    """A script that has one tried again for ever is refused before its record grows without bound."""
    entry = await world.begin(world.redeem())
    world.script.reactions.extend([NO] * 200)
    await world.confirm(entry)
    while len((await world.entry(entry.transaction_id)).changes) < 200:
        await again(world, entry)
    with pytest.raises(StateConflict, match="often enough"):
        await again(world, entry)


async def test_of_two_hands_one_wins(start: Start) -> None:
    """Of a person who resolves and one who has it tried again, at the same moment, one is refused."""
    world = await start(is_sweeping=True)
    other = await start()
    entry = await world.begin(world.redeem())
    world.script.reactions.append(NO)
    await world.confirm(entry)
    told = await asyncio.gather(
        again(world, entry),
        other.transactions.resolve(entry.transaction_id, state=State.REVERSED, note="x", by=LOCAL),
        return_exceptions=True,
    )
    assert len([one for one in told if isinstance(one, Entry)]) == 1
    ended = await world.entry(entry.transaction_id)
    assert (ended.state is State.REVERSED) == isinstance(told[0], StateConflict)


async def test_whoever_decided_is_named(world: World) -> None:
    """A change of state names the caller or operator who made it so, and nobody where the gateway did."""
    one = await world.begin(world.redeem())
    confirmed = await world.transactions.confirm(Operation.REDEEM, one.transaction_id, wait_s=30, by=ANN)
    assert [change.actor for change in confirmed.changes] == ["local", "", "ann", ""]
    world.script.reactions.append(LOST)
    lost = await world.begin(world.void())
    resolved = await world.transactions.resolve(lost.transaction_id, state=State.REVERSED, note="x", by=ANN)
    assert resolved.changes[-1].actor == "ann"
    other = await world.begin(world.redeem())
    await asyncio.sleep(1_000)
    decided = await world.entry(other.transaction_id)
    assert [change.actor for change in decided.changes] == ["local", "", "", ""]


def tried_again(entry: Entry) -> Entry:
    """Return `entry` refused, and tried again by a person."""
    return lifecycle.again(refused(entry), T1, "ann")


@pytest.mark.parametrize(("traits", "then"), [(IDS, NextStep.PERSON), (ONCE, NextStep.AFRESH)])
@pytest.mark.parametrize("at", [EARLY, LATE])
def test_a_duplicate_of_what_was_refused_proves_nothing(
    traits: OperationTraits, then: NextStep, at: datetime
) -> None:
    """The provider may mean the copy that it refused, whatever else is known (rule 8)."""
    for state in (State.CONFIRMING, State.REVERSING):
        entry = tried_again(in_state(state))
        assert step(entry, Receipt.DUPLICATE, traits, at) is then
    assert step(tried_again(in_state(State.REVERSING)), Receipt.DUPLICATE, REFUSES, at) is NextStep.PERSON


def test_what_is_gone_was_not_undone_by_a_refused_copy() -> None:
    """GONE counts as done by an earlier copy only while no copy was refused."""
    entry = msgspec.structs.replace(tried_again(in_state(State.REVERSING)), fence=9, attempts=3)
    assert not settling.may_have_left(entry)
    assert step(entry, Receipt.GONE, PLAIN, LATE) is NextStep.PERSON


@pytest.mark.parametrize(
    ("receipt", "traits", "after", "expected"),
    [
        (Receipt.REFUSED, IDS, SETTLING, True),
        (Receipt.NO_SUCH_TRANSACTION, IDS, SETTLING, True),
        (Receipt.REFUSED, IDS, SETTLING - timedelta(seconds=1), False),
        (Receipt.DUPLICATE, IDS, SETTLING, False),
        (Receipt.REFUSED, PLAIN, SETTLING, False),
    ],
)
def test_a_fresh_id_only_where_the_old_one_surely_did_nothing(
    receipt: Receipt, traits: OperationTraits, after: timedelta, *, expected: bool
) -> None:
    """A heard no, and no other copy that can still arrive, at a provider that keeps ids of advices."""
    entry = refused(in_state(State.REVERSING), Acknowledgement(receipt=receipt, evidence="no"))
    assert settling.may_be_renewed(entry, traits, SETTLING, T1 + after) is expected


def test_a_window_that_closed_is_no_answer() -> None:
    """An advice that was given up without a final no keeps its id: its copies may have been carried out."""
    entry = lifecycle.give_up(promised(in_state(State.APPROVED), AdviceKind.REVERSAL), "closed", T1)
    assert not settling.may_be_renewed(entry, IDS, SETTLING, T1 + timedelta(days=1))


def test_who_takes_it_does_not_take_it_for_new() -> None:
    """The first fence is that of a request that was never sent; what is tried again has a later one."""
    unresolved = lifecycle.give_up(intended(), "nobody knows", T1)
    assert unresolved.fence == 1
    after = lifecycle.again(unresolved, T1, "ann")
    assert (after.fence, after.driver, after.due_at, after.retried_at) == (2, "", T1, T1)
