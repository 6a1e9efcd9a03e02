"""Every try at a provider is kept for people, bounded, and decides nothing."""

from __future__ import annotations

import asyncio

import pytest

from giftcard_adapters.values.advices import Acknowledgement, Receipt
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_gateway.ledger.attempts import FIRST, LAST, AttemptKind
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.ledger.observer import Observer
from giftcard_gateway.pipeline.attempts import Witness
from giftcard_gateway.providers.exchanges import Exchanges
from tests.world.gateway import World
from tests.world.provider import AGAIN, LOST


def told(entry: Entry) -> list[tuple[AttemptKind, str]]:
    """Return what was tried, and what came of it."""
    return [(one.kind, one.result) for one in entry.tried]


async def test_the_request_and_its_advice_are_attempts(world: World) -> None:
    """A redemption that is confirmed shows both exchanges: when, how long, and by which process."""
    entry = await world.confirm(await world.begin(world.redeem()))
    assert told(entry) == [(AttemptKind.REQUEST, "APPROVED"), (AttemptKind.CONFIRMATION, "DONE")]
    assert [one.process for one in entry.tried] == [world.driver.name] * 2
    assert all(one.took.total_seconds() >= 0 and one.at >= entry.created_at for one in entry.tried)
    assert entry.tried_in_all == 2


async def test_a_decline_is_told_with_the_providers_words(world: World) -> None:
    """An attempt has the provider's own code and text, where it gave them."""
    no = Decline(reason=DeclineReason.CARD_UNKNOWN, provider_code="14", provider_text="no such card")
    world.script.reactions.append(Outcome(verdict=Verdict.DECLINED, decline=no))
    (attempt,) = (await world.begin(world.redeem())).tried
    assert (attempt.result, attempt.provider_code, attempt.text) == ("DECLINED", "14", "no such card")


async def test_what_failed_140_times_shows_its_first_and_its_last_tries(world: World) -> None:
    """A reversal that fails again and again keeps the first attempts and the last, and counts all of them."""
    entry = await world.begin(world.redeem())
    wrong = Acknowledgement(receipt=Receipt.AGAIN, evidence="HTTP 500 GENERAL_ERROR")
    world.script.reactions.extend([wrong] * 140)
    await world.reverse(entry)
    await asyncio.sleep(24 * 3600)
    entry = await world.entry(entry.transaction_id)
    assert entry.state is State.REVERSED
    assert entry.tried_in_all == 142
    assert len(entry.tried) == FIRST + LAST
    assert told(entry)[:2] == [(AttemptKind.REQUEST, "APPROVED"), (AttemptKind.REVERSAL, "AGAIN")]
    assert told(entry)[-2:] == [(AttemptKind.REVERSAL, "AGAIN"), (AttemptKind.REVERSAL, "DONE")]
    assert entry.tried[-2].text == "HTTP 500 GENERAL_ERROR"
    assert [one.at for one in entry.tried] == sorted(one.at for one in entry.tried)


async def test_a_lost_answer_is_an_attempt_too(world: World) -> None:
    """A try without an answer is kept with what was seen of it."""
    entry = await world.begin(world.redeem())
    world.script.reactions.extend([LOST, AGAIN])
    await world.confirm(entry)
    await asyncio.sleep(60)
    entry = await world.entry(entry.transaction_id)
    results = [result for _, result in told(entry)]
    assert results == ["APPROVED", "AGAIN", "AGAIN", "DONE"]
    assert entry.tried[1].text


@pytest.mark.parametrize("tries", [FIRST + LAST, FIRST + LAST + 1])
async def test_the_bound_is_met_exactly(world: World, tries: int) -> None:
    """As many attempts as are kept are all there; of one more, the oldest of the last ones goes."""
    entry = await world.begin(world.redeem())
    world.script.reactions.extend([AGAIN] * (tries - 2))
    await world.reverse(entry)
    await asyncio.sleep(24 * 3600)
    entry = await world.entry(entry.transaction_id)
    assert (entry.tried_in_all, len(entry.tried)) == (tries, FIRST + LAST)


async def test_a_provider_that_is_away_was_not_tried(world: World) -> None:
    """While the circuit is open nothing is asked and nothing sent, and neither counts as an attempt."""
    issued = await world.begin(world.issue())
    world.script.reactions.append(AGAIN)
    reversing = await world.reverse(await world.begin(world.redeem()))
    connection = world.connections.get("first")
    while connection.circuit.admits():
        connection.circuit.began()
        connection.circuit.failed()
    exchanges, witness = Exchanges(Observer()), Witness("till-1")
    at = world.clock.now()
    found = await exchanges.find(connection, issued)
    told = await exchanges.deliver(connection, reversing, world.clock.now)
    assert not world.script.finds
    assert len(world.script.advices) == 1
    assert witness.asked(AttemptKind.LOOKUP, found, at=at, until=at, traceparent="") == ()
    assert witness.advised(reversing, told, at=at, until=at, traceparent="") == ()
