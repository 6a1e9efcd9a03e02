"""What an event does to the transaction it speaks of, and what it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import pytest

from giftcard_adapters.codec import pack
from giftcard_adapters.values.advices import Acknowledgement, Receipt, ReversalReason
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.outcomes import IssuedCard, Outcome, Verdict
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.journal.contract import EventRow, JournalClosed
from giftcard_gateway.ledger.entry import Entry, State
from tests.gateway.pipeline.desk import CARD_A, CARD_B, CARD_C, Desk, cards_of, lost_issue, quiet
from tests.gateway.pipeline.world import APPROVED, LOST, NUMBER, RAND, World, play

AGAIN = Acknowledgement(receipt=Receipt.AGAIN, evidence="HTTP 503")
HALF = Money("ZAR", 5_000)


def test_event_settles_what_nobody_knew() -> None:
    """An event with a final outcome, found by our id, ends a transaction whose outcome was open."""

    async def story(world: World) -> None:
        desk = Desk(world)
        approved, declined = await lost_issue(world), await lost_issue(world)
        decline = Decline(reason=DeclineReason.CANCELED)
        await desk.tell(approved.transaction_id, msgspec.structs.replace(APPROVED, issued_cards=(CARD_A,)))
        await desk.tell(declined.transaction_id, Outcome(verdict=Verdict.DECLINED, decline=decline))
        await desk.events.carry_over()
        one, other = await world.entry(approved.transaction_id), await world.entry(declined.transaction_id)
        assert (one.state, cards_of(one), one.evidence) == (State.APPROVED, [CARD_A], "")
        assert one.confirm_by is not None
        assert one.due_at == one.confirm_by
        assert (other.state, other.evidence) == (State.DECLINED, "")
        assert not await desk.waiting()

    play(story)


def test_event_is_found_by_the_providers_id() -> None:
    """An event that names only the provider's id speaks of the transaction that was told this id."""

    async def story(world: World) -> None:
        desk = Desk(world)
        told = Outcome(verdict=Verdict.UNKNOWN, references={"order": "o-1"})
        world.script.reactions.append(told)
        world.script.found.append(told)
        ask = world.issue()
        await world.transactions.begin(ask, wait_s=0.1)
        other = await lost_issue(world)
        await desk.tell(outcome=APPROVED, references={"shipment": "o-1", "order": "o-1"})
        await desk.events.carry_over()
        assert (await world.entry(ask.transaction_id)).state is State.APPROVED
        assert (await world.entry(other.transaction_id)).state is State.PENDING

    play(story)


@pytest.mark.parametrize(
    "card",
    [
        IssuedCard(redemption_key=Secret("CODE-A-0001")),
        IssuedCard(number=Secret(NUMBER)),
        IssuedCard(provider_card_id="p-1"),
    ],
    ids=["key", "number", "id"],
)
def test_event_is_found_by_the_card_it_names(card: IssuedCard) -> None:
    """An event that names only a card speaks of the issue that made it, not of what else happened to it."""

    async def story(world: World) -> None:
        desk = Desk(world)
        await world.transactions.begin(world.redeem(), wait_s=30)
        entry = await lost_issue(world, card)
        await desk.tell(outcome=msgspec.structs.replace(APPROVED, issued_cards=(card,)))
        await desk.events.carry_over()
        assert (await world.entry(entry.transaction_id)).state is State.APPROVED

    play(story)


def test_name_of_two_is_the_name_of_none() -> None:
    """An event whose id or card fits two transactions is carried over to neither."""

    async def story(world: World) -> None:
        desk = Desk(world)
        one, other = await lost_issue(world, CARD_A), await lost_issue(world, CARD_A)
        await desk.tell(outcome=msgspec.structs.replace(APPROVED, issued_cards=(CARD_A,)))
        await desk.events.carry_over()
        for entry in (one, other):
            assert (await world.entry(entry.transaction_id)).state is State.PENDING

    play(story)


def test_event_of_another_provider_is_not_ours() -> None:
    """A provider speaks of its own transactions only, whatever id it names."""

    async def story(world: World) -> None:
        desk = Desk(world)
        world.scripts["second"].reactions.append(LOST)
        ask = msgspec.structs.replace(world.issue(), provider="second")
        await world.transactions.begin(ask, wait_s=0.1)
        await desk.tell(ask.transaction_id, APPROVED)
        await desk.events.carry_over()
        assert (await world.entry(ask.transaction_id)).state is State.PENDING
        assert await desk.waiting()

    play(story)


def test_event_may_overtake_the_answer() -> None:
    """An event that comes while the request is under way, or before it, waits and is carried over later."""

    async def story(world: World) -> None:
        desk = Desk(world)
        ask = world.issue()
        event_id = await desk.tell(ask.transaction_id, APPROVED)
        await desk.events.carry_over()
        assert await desk.waiting() == [event_id]
        world.script.reactions.extend([20.0, LOST])
        call = asyncio.create_task(world.transactions.begin(ask, wait_s=60))
        await asyncio.sleep(10)
        await desk.events.carry_over()
        assert await desk.waiting() == [event_id]
        assert (await world.entry(ask.transaction_id)).state is State.PENDING
        await asyncio.sleep(12)
        await desk.events.carry_over()
        assert (await call).entry.state is State.APPROVED
        assert not await desk.waiting()
        assert len(world.script.requests) == 1

    play(story)


def test_event_about_nothing_is_given_up() -> None:
    """An event that names nothing we know is tried seldomer and seldomer, and given up after 15 minutes."""

    async def story(world: World) -> None:
        desk = Desk(world)
        looked = 0
        spoken_of = desk.events.spoken_of

        async def count(provider_id: str, event: ProviderEvent) -> Entry | None:
            nonlocal looked
            looked += 1
            return await spoken_of(provider_id, event)

        desk.events.spoken_of = count  # type: ignore[method-assign]  # the look-ups are what is counted
        run = asyncio.create_task(desk.events.run())
        await desk.tell(world.clock.uuid4(), APPROVED)
        await asyncio.sleep(14 * 60)
        assert await desk.waiting()
        await asyncio.sleep(8 * 60)
        assert not await desk.waiting()
        assert 10 < looked < 30
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run

    play(story)


def test_one_card_does_not_replace_several() -> None:
    """An event about one card of an issue adds to the cards known; it never takes one away."""

    async def story(world: World) -> None:
        desk = Desk(world)
        entry = await lost_issue(world, CARD_A, CARD_B, quantity=3)
        quiet(world)
        for card in (CARD_B, CARD_C):
            proof = Outcome(verdict=Verdict.UNKNOWN, issued_cards=(card,), evidence="named by an event")
            await desk.tell(entry.transaction_id, proof)
            await desk.events.carry_over()
        known = await world.entry(entry.transaction_id)
        assert (known.state, cards_of(known)) == (State.PENDING, [CARD_A, CARD_B, CARD_C])

    play(story)


def test_settling_event_keeps_the_other_cards() -> None:
    """Also an approval that names one card of several leaves the others with the issue."""

    async def story(world: World) -> None:
        desk = Desk(world)
        entry = await lost_issue(world, CARD_A, CARD_B, quantity=2)
        await desk.tell(entry.transaction_id, msgspec.structs.replace(APPROVED, issued_cards=(CARD_A,)))
        await desk.events.carry_over()
        settled = await world.entry(entry.transaction_id)
        assert (settled.state, cards_of(settled)) == (State.APPROVED, [CARD_A, CARD_B])

    play(story)


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
def test_event_that_proves_nothing_makes_us_ask(outcome: Outcome | None) -> None:
    """Another amount, none, or no final outcome is not believed; the provider is asked at once (rule 4)."""

    async def story(world: World) -> None:
        desk = Desk(world)
        entry = await lost_issue(world)
        await asyncio.sleep(60)
        waiting = await world.entry(entry.transaction_id)
        assert waiting.due_at is not None
        assert waiting.due_at > world.clock.now()
        asked = len(world.script.finds)
        world.script.found.appendleft(APPROVED)
        await desk.tell(entry.transaction_id, outcome)
        await desk.events.carry_over()
        await asyncio.sleep(0.01)
        assert len(world.script.finds) == asked + 1
        assert (await world.entry(entry.transaction_id)).state is State.APPROVED

    play(story)


def test_wanted_reversal_follows_the_event() -> None:
    """A reversal that waits for the outcome is promised and delivered when an event tells it (rule 9)."""

    async def story(world: World) -> None:
        desk = Desk(world)
        world.script.reactions.extend([LOST] * 2)
        ask = world.load()
        begun = await world.transactions.begin(ask, wait_s=0.01)
        await world.transactions.reverse(
            begun.entry.operation, ask.transaction_id, reason=ReversalReason.CANCELLED, wait_s=0
        )
        world.script.reactions.extend([LOST] * 50)
        await asyncio.sleep(0.01)
        world.script.reactions.clear()
        await desk.tell(ask.transaction_id, APPROVED)
        for _ in range(20):
            await desk.events.carry_over()
            await asyncio.sleep(1)
        assert (await world.entry(ask.transaction_id)).state is State.REVERSED
        assert len(world.script.advices) == 1

    play(story)


def test_event_hurries_a_reversal() -> None:
    """Of a reversal that is owed an event is a reason to try it at once, never to believe it done."""

    async def story(world: World) -> None:
        desk = Desk(world)
        entry = (await world.transactions.begin(world.redeem(), wait_s=30)).entry
        world.script.reactions.extend([AGAIN] * 12)
        await world.transactions.reverse(
            entry.operation, entry.transaction_id, reason=ReversalReason.CANCELLED, wait_s=30
        )
        await asyncio.sleep(100)
        assert (await world.entry(entry.transaction_id)).state is State.REVERSING
        world.script.reactions.clear()
        tries = len(world.script.advices)
        await desk.tell(entry.transaction_id, APPROVED)
        await desk.events.carry_over()
        await asyncio.sleep(0.01)
        assert (await world.entry(entry.transaction_id)).state is State.REVERSED
        assert len(world.script.advices) == tries + 1

    play(story)


def test_event_changes_nothing_that_is_decided() -> None:
    """UNRESOLVED is a person's, and what has ended stays ended: an event is news there and no more."""

    async def story(world: World) -> None:
        desk = Desk(world)
        approved = (await world.transactions.begin(world.redeem(), wait_s=30)).entry
        confirmed = (await world.transactions.begin(world.redeem(), wait_s=30)).entry
        confirmed = await world.transactions.confirm(confirmed.operation, confirmed.transaction_id, wait_s=30)
        world.script.reactions.append(LOST)
        unresolved = (await world.transactions.begin(world.void(), wait_s=30)).entry
        assert unresolved.state is State.UNRESOLVED
        decline = Outcome(verdict=Verdict.DECLINED, decline=Decline(reason=DeclineReason.CANCELED))
        for entry in (approved, confirmed, unresolved):
            await desk.tell(entry.transaction_id, decline)
            await desk.tell(entry.transaction_id, msgspec.structs.replace(APPROVED, approved=None))
        await desk.events.carry_over()
        assert not await desk.waiting()
        for entry in (approved, confirmed, unresolved):
            assert await world.entry(entry.transaction_id) == entry

    play(story)


def test_stop_between_keeping_and_carrying_over() -> None:
    """What a process kept and did not carry over, the next one carries over when it starts."""

    async def story(world: World) -> None:
        entry = await lost_issue(world)
        await Desk(world).tell(entry.transaction_id, APPROVED)
        run = asyncio.create_task(Desk(world).events.run())
        await asyncio.sleep(0.01)
        assert (await world.entry(entry.transaction_id)).state is State.APPROVED
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run

    play(story)


def test_event_is_carried_over_when_it_comes() -> None:
    """A running process carries an event over at once, not at its next round."""

    async def story(world: World) -> None:
        desk = Desk(world)
        run = asyncio.create_task(desk.events.run())
        await asyncio.sleep(1)
        entry = await lost_issue(world)
        await desk.tell(entry.transaction_id, APPROVED)
        await asyncio.sleep(0.001)
        assert (await world.entry(entry.transaction_id)).state is State.APPROVED
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run

    play(story)


def test_two_processes_carry_over_once() -> None:
    """Two processes that share a journal settle a transaction once, and both events are done with."""

    async def story(world: World) -> None:
        one, other = Desk(world), Desk(world)
        entry = await lost_issue(world)
        await one.tell(entry.transaction_id, APPROVED)
        await asyncio.gather(one.events.carry_over(), other.events.carry_over())
        await asyncio.gather(one.events.carry_over(), other.events.carry_over())
        settled = await world.entry(entry.transaction_id)
        assert [change.state for change in settled.changes] == [State.PENDING, State.APPROVED]
        assert not await one.waiting()

    play(story)


def test_one_bad_event_does_not_block_the_others() -> None:
    """Events that cannot be opened are told of, keep nobody waiting, and are given up in the end."""

    async def story(world: World) -> None:
        desk, stranger = Desk(world), Desk(world, key=b"x")
        for _ in range(150):
            await stranger.tell()
        bad = await desk.waiting()
        entry = await lost_issue(world)
        await desk.tell(entry.transaction_id, APPROVED)
        while await desk.events.carry_over():
            pass
        assert await desk.waiting() == bad
        assert (await world.entry(entry.transaction_id)).state is State.APPROVED
        assert len(desk.faults.heard) == 150
        await asyncio.sleep(16 * 60)
        while await desk.events.carry_over():
            pass
        assert not await desk.waiting()

    play(story)


def test_carrying_over_outlives_the_journal() -> None:
    """While the journal is away events wait; when it is back they are carried over, and nobody is alarmed."""

    async def story(world: World) -> None:
        desk = Desk(world)
        entry = await lost_issue(world)
        await desk.tell(entry.transaction_id, APPROVED)
        journal = world.records.journal
        unapplied, is_away = journal.unapplied_events, True

        async def sometimes(limit: int) -> Sequence[EventRow]:
            if is_away:
                raise JournalClosed("away")
            return await unapplied(limit)

        journal.unapplied_events = sometimes  # type: ignore[method-assign]  # the outage is the subject
        run = asyncio.create_task(desk.events.run())
        await asyncio.sleep(60)
        assert (await world.entry(entry.transaction_id)).state is State.PENDING
        is_away = False
        await asyncio.sleep(6)
        assert (await world.entry(entry.transaction_id)).state is State.APPROVED
        assert not desk.faults.heard
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run

    play(story)


def test_replay_of_an_event_is_no_news() -> None:
    """The same event again, also after it was carried over, adds no row and does nothing."""

    async def story(world: World) -> None:
        desk = Desk(world)
        entry = await lost_issue(world)
        event = ProviderEvent(event_id="e", name="n", transaction_id=entry.transaction_id, outcome=APPROVED)
        webhook = Webhook(headers={}, body=pack((event, event)), received_at=world.clock.now())
        assert await desk.events.receive(desk.connection, webhook) == 1
        await desk.events.carry_over()
        settled = await world.entry(entry.transaction_id)
        assert await desk.events.receive(desk.connection, webhook) == 0
        await desk.events.carry_over()
        assert await world.entry(entry.transaction_id) == settled

    play(story)
