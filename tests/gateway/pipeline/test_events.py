"""What an event does to the transaction it speaks of, and what it does not."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from giftcard_adapters.values.advices import ReversalReason
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.outcomes import IssuedCard, Outcome, Verdict
from giftcard_adapters.values.reads import ProviderEvent
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.ledger.entry import Entry, State
from tests.gateway.pipeline.conftest import Start
from tests.world.gateway import World, running
from tests.world.journal import Unsteady
from tests.world.provider import AGAIN, APPROVED, LOST, NUMBER, RAND

HALF = Money("ZAR", 5_000)
CARD_A, CARD_B, CARD_C = (IssuedCard(redemption_key=Secret(f"CODE-{name}-0001")) for name in "ABC")


async def lost_issue(world: World, *cards: IssuedCard, quantity: int = 1) -> Entry:
    """Begin an issue whose outcome nobody knows yet, with the cards its answer named; nobody drives it."""
    ask = msgspec.structs.replace(world.issue(), quantity=quantity)
    unsure = Outcome(verdict=Verdict.UNKNOWN, issued_cards=cards, evidence="accepted")
    world.script.reactions.append(unsure)
    world.script.found.extend([unsure] * 1000)
    await world.begin(ask, wait_s=0.1)
    entry = await world.entry(ask.transaction_id)
    assert (entry.state, entry.driver) == (State.PENDING, "")
    return entry


def cards_of(entry: Entry) -> list[IssuedCard]:
    """Return the cards an entry knows."""
    return list(entry.outcome.issued_cards) if entry.outcome else []


def quiet(world: World) -> None:
    """Let nothing be found: the sweep's own tries change nothing."""
    world.script.found.clear()


async def test_event_settles_what_nobody_knew(world: World) -> None:
    """An event with a final outcome, found by our id, ends a transaction whose outcome was open."""
    approved, declined = await lost_issue(world), await lost_issue(world)
    decline = Decline(reason=DeclineReason.CANCELED)
    await world.tell(approved.transaction_id, msgspec.structs.replace(APPROVED, issued_cards=(CARD_A,)))
    await world.tell(declined.transaction_id, Outcome(verdict=Verdict.DECLINED, decline=decline))
    await world.events.carry_over()
    one, other = await world.entry(approved.transaction_id), await world.entry(declined.transaction_id)
    assert (one.state, cards_of(one), one.evidence) == (State.APPROVED, [CARD_A], "")
    assert one.confirm_by is not None
    assert one.due_at == one.confirm_by
    assert (other.state, other.evidence) == (State.DECLINED, "")
    assert not await world.waiting()


async def test_event_is_found_by_the_providers_id(world: World) -> None:
    """An event that names only the provider's id speaks of the transaction that was told this id."""
    told = Outcome(verdict=Verdict.UNKNOWN, references={"order": "o-1"})
    world.script.reactions.append(told)
    world.script.found.append(told)
    ask = world.issue()
    await world.transactions.begin(ask, wait_s=0.1, by=LOCAL)
    other = await lost_issue(world)
    await world.tell(outcome=APPROVED, references={"shipment": "o-1", "order": "o-1"})
    await world.events.carry_over()
    assert (await world.entry(ask.transaction_id)).state is State.APPROVED
    assert (await world.entry(other.transaction_id)).state is State.PENDING


@pytest.mark.parametrize(
    "card",
    [
        IssuedCard(redemption_key=Secret("CODE-A-0001")),
        IssuedCard(number=Secret(NUMBER)),
        IssuedCard(provider_card_id="p-1"),
    ],
    ids=["key", "number", "id"],
)
async def test_event_is_found_by_the_card_it_names(world: World, card: IssuedCard) -> None:
    """An event that names only a card speaks of the issue that made it, not of what else happened to it."""
    await world.transactions.begin(world.redeem(), wait_s=30, by=LOCAL)
    entry = await lost_issue(world, card)
    await world.tell(outcome=msgspec.structs.replace(APPROVED, issued_cards=(card,)))
    await world.events.carry_over()
    assert (await world.entry(entry.transaction_id)).state is State.APPROVED


async def test_name_of_two_is_the_name_of_none(world: World) -> None:
    """An event whose id or card fits two transactions is carried over to neither."""
    one, other = await lost_issue(world, CARD_A), await lost_issue(world, CARD_A)
    await world.tell(outcome=msgspec.structs.replace(APPROVED, issued_cards=(CARD_A,)))
    await world.events.carry_over()
    for entry in (one, other):
        assert (await world.entry(entry.transaction_id)).state is State.PENDING


async def test_event_of_another_provider_is_not_ours(world: World) -> None:
    """A provider speaks of its own transactions only, whatever id it names."""
    world.scripts["second"].reactions.append(LOST)
    ask = msgspec.structs.replace(world.issue(), provider="second")
    await world.transactions.begin(ask, wait_s=0.1, by=LOCAL)
    await world.tell(ask.transaction_id, APPROVED)
    await world.events.carry_over()
    assert (await world.entry(ask.transaction_id)).state is State.PENDING
    assert await world.waiting()


async def test_event_may_overtake_the_answer(world: World) -> None:
    """An event that comes while the request is under way, or before it, waits and is carried over later."""
    ask = world.issue()
    event_id = await world.tell(ask.transaction_id, APPROVED)
    await world.events.carry_over()
    assert await world.waiting() == [event_id]
    world.script.reactions.extend([20.0, LOST])
    call = asyncio.create_task(world.transactions.begin(ask, wait_s=60, by=LOCAL))
    await asyncio.sleep(10)
    await world.events.carry_over()
    assert await world.waiting() == [event_id]
    assert (await world.entry(ask.transaction_id)).state is State.PENDING
    await asyncio.sleep(12)
    await world.events.carry_over()
    assert (await call).entry.state is State.APPROVED
    assert not await world.waiting()
    assert len(world.script.requests) == 1


async def test_event_about_nothing_is_given_up(world: World) -> None:
    """An event that names nothing we know is tried seldomer and seldomer, and given up after 15 minutes."""
    looked = 0
    spoken_of = world.events.spoken_of

    async def count(provider_id: str, event: ProviderEvent) -> Entry | None:
        nonlocal looked
        looked += 1
        return await spoken_of(provider_id, event)

    world.events.spoken_of = count  # type: ignore[method-assign]  # the look-ups are what is counted
    async with running(world.events.run()):
        await world.tell(world.clock.uuid4(), APPROVED)
        await asyncio.sleep(14 * 60)
        assert await world.waiting()
        await asyncio.sleep(8 * 60)
        assert not await world.waiting()
        assert 10 < looked < 30


async def test_one_card_does_not_replace_several(world: World) -> None:
    """An event about one card of an issue adds to the cards known; it never takes one away."""
    entry = await lost_issue(world, CARD_A, CARD_B, quantity=3)
    quiet(world)
    for card in (CARD_B, CARD_C):
        proof = Outcome(verdict=Verdict.UNKNOWN, issued_cards=(card,), evidence="named by an event")
        await world.tell(entry.transaction_id, proof)
        await world.events.carry_over()
    known = await world.entry(entry.transaction_id)
    assert (known.state, cards_of(known)) == (State.PENDING, [CARD_A, CARD_B, CARD_C])


async def test_settling_event_keeps_the_other_cards(world: World) -> None:
    """Also an approval that names one card of several leaves the others with the issue."""
    entry = await lost_issue(world, CARD_A, CARD_B, quantity=2)
    await world.tell(entry.transaction_id, msgspec.structs.replace(APPROVED, issued_cards=(CARD_A,)))
    await world.events.carry_over()
    settled = await world.entry(entry.transaction_id)
    assert (settled.state, cards_of(settled)) == (State.APPROVED, [CARD_A, CARD_B])


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(verdict=Verdict.APPROVED, approved=HALF),
        Outcome(verdict=Verdict.APPROVED, approved=Money("EUR", RAND.amount_minor)),
        Outcome(verdict=Verdict.APPROVED),
        Outcome(verdict=Verdict.FAILED, evidence="no such order"),
        None,
    ],
    ids=["less", "currency", "silent", "failed", "none"],
)
async def test_event_that_proves_nothing_makes_us_ask(world: World, outcome: Outcome | None) -> None:
    """Another amount, none, or no final outcome is not believed; the provider is asked at once (rule 4)."""
    entry = await lost_issue(world)
    await asyncio.sleep(60)
    waiting = await world.entry(entry.transaction_id)
    assert waiting.due_at is not None
    assert waiting.due_at > world.clock.now()
    asked = len(world.script.finds)
    world.script.found.appendleft(APPROVED)
    await world.tell(entry.transaction_id, outcome)
    await world.events.carry_over()
    await asyncio.sleep(0.01)
    assert len(world.script.finds) == asked + 1
    assert (await world.entry(entry.transaction_id)).state is State.APPROVED


async def test_wanted_reversal_follows_the_event(world: World) -> None:
    """A reversal that waits for the outcome is promised and delivered when an event tells it (rule 9)."""
    world.script.reactions.extend([LOST] * 2)
    ask = world.load()
    begun = await world.transactions.begin(ask, wait_s=0.01, by=LOCAL)
    await world.transactions.reverse(
        begun.entry.operation, ask.transaction_id, reason=ReversalReason.CANCELLED, wait_s=0, by=LOCAL
    )
    world.script.reactions.extend([LOST] * 50)
    await asyncio.sleep(0.01)
    world.script.reactions.clear()
    await world.tell(ask.transaction_id, APPROVED)
    for _ in range(20):
        await world.events.carry_over()
        await asyncio.sleep(1)
    assert (await world.entry(ask.transaction_id)).state is State.REVERSED
    assert len(world.script.advices) == 1


async def test_event_hurries_a_reversal(world: World) -> None:
    """Of a reversal that is owed an event is a reason to try it at once, never to believe it done."""
    entry = await world.begin(world.redeem())
    world.script.reactions.extend([AGAIN] * 12)
    await world.reverse(entry)
    await asyncio.sleep(100)
    assert (await world.entry(entry.transaction_id)).state is State.REVERSING
    world.script.reactions.clear()
    tries = len(world.script.advices)
    await world.tell(entry.transaction_id, APPROVED)
    await world.events.carry_over()
    await asyncio.sleep(0.01)
    assert (await world.entry(entry.transaction_id)).state is State.REVERSED
    assert len(world.script.advices) == tries + 1


async def test_event_changes_nothing_that_is_decided(world: World) -> None:
    """UNRESOLVED is a person's, and what has ended stays ended: an event is news there and no more."""
    approved = await world.begin(world.redeem())
    confirmed = await world.begin(world.redeem())
    confirmed = await world.confirm(confirmed)
    world.script.reactions.append(LOST)
    unresolved = await world.begin(world.void())
    assert unresolved.state is State.UNRESOLVED
    decline = Outcome(verdict=Verdict.DECLINED, decline=Decline(reason=DeclineReason.CANCELED))
    for entry in (approved, confirmed, unresolved):
        await world.tell(entry.transaction_id, decline)
        await world.tell(entry.transaction_id, msgspec.structs.replace(APPROVED, approved=None))
    await world.events.carry_over()
    assert not await world.waiting()
    for entry in (approved, confirmed, unresolved):
        assert await world.entry(entry.transaction_id) == entry


async def test_stop_between_keeping_and_carrying_over(world: World, start: Start) -> None:
    """What a process kept and did not carry over, the next one carries over when it starts."""
    entry, stopped = await lost_issue(world), await start()
    await stopped.tell(entry.transaction_id, APPROVED)
    async with running(world.events.run()):
        await asyncio.sleep(0.01)
    assert (await world.entry(entry.transaction_id)).state is State.APPROVED


async def test_event_is_carried_over_when_it_comes(world: World) -> None:
    """A running process carries an event over at once, not at its next round."""
    async with running(world.events.run()):
        await asyncio.sleep(1)
        entry = await lost_issue(world)
        await world.tell(entry.transaction_id, APPROVED)
        await asyncio.sleep(0.001)
        assert (await world.entry(entry.transaction_id)).state is State.APPROVED


async def test_two_processes_carry_over_once(world: World, start: Start) -> None:
    """Two processes that share a journal settle a transaction once, and both events are done with."""
    one, other = world, await start()
    entry = await lost_issue(world)
    await one.tell(entry.transaction_id, APPROVED)
    await asyncio.gather(one.events.carry_over(), other.events.carry_over())
    await asyncio.gather(one.events.carry_over(), other.events.carry_over())
    settled = await world.entry(entry.transaction_id)
    assert [change.state for change in settled.changes] == [State.PENDING, State.APPROVED]
    assert not await one.waiting()


async def test_one_bad_event_does_not_block_the_others(world: World, start: Start) -> None:
    """Events that cannot be opened are told of, keep nobody waiting, and are given up in the end."""
    stranger = await start(key=b"x")
    for _ in range(150):
        await stranger.tell()
    bad = await world.waiting()
    entry = await lost_issue(world)
    await world.tell(entry.transaction_id, APPROVED)
    while await world.events.carry_over():
        pass
    assert await world.waiting() == bad
    assert (await world.entry(entry.transaction_id)).state is State.APPROVED
    assert len(world.heard.faults) == 150
    await asyncio.sleep(16 * 60)
    while await world.events.carry_over():
        pass
    assert not await world.waiting()


async def test_carrying_over_outlives_the_journal(journal: Unsteady, world: World) -> None:
    """While the journal is away events wait; when it is back they are carried over, and nobody is alarmed."""
    entry = await lost_issue(world)
    await world.tell(entry.transaction_id, APPROVED)
    journal.away = {"unapplied_events"}
    async with running(world.events.run()):
        await asyncio.sleep(60)
        assert (await world.entry(entry.transaction_id)).state is State.PENDING
        journal.away = set()
        await asyncio.sleep(6)
        assert (await world.entry(entry.transaction_id)).state is State.APPROVED
        assert not world.heard.faults


async def test_replay_of_an_event_is_no_news(world: World) -> None:
    """The same event again, also after it was carried over, adds no row and does nothing."""
    entry = await lost_issue(world)
    event = ProviderEvent(event_id="e", name="n", transaction_id=entry.transaction_id, outcome=APPROVED)
    assert await world.receive(event, event) == 1
    await world.events.carry_over()
    settled = await world.entry(entry.transaction_id)
    assert await world.receive(event, event) == 0
    await world.events.carry_over()
    assert await world.entry(entry.transaction_id) == settled
