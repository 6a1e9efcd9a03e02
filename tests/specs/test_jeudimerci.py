"""JeudiMerci's adapter and simulator speak to each other as its wire format says, published or assumed."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from giftcard_adapters.calls import Moment
from giftcard_adapters.errors import Refused
from giftcard_adapters.jeudimerci import JeudiMerci
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.reads import (
    AccountQuery,
    Lookup,
    Offer,
    StoredCardQuery,
    TicketQuery,
    Webhook,
)
from giftcard_adapters.values.secret import Secret
from giftcard_simulators.jeudimerci import sandbox_settings
from giftcard_simulators.jeudimerci.simulator import JeudiMerciSimulator
from giftcard_simulators.sandbox import SimRequest, seeded_ids
from giftcard_simulators.transport import SimulatorTransport
from tests.specs.validating import Watched, described

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
JEUDIMERCI = described("jeudimerci")


@pytest.fixture
def simulator() -> JeudiMerciSimulator:
    """Return a simulator."""
    return JeudiMerciSimulator(now=lambda: AT, ids=seeded_ids(1))


@pytest.fixture
def watched(simulator: JeudiMerciSimulator) -> Watched:
    """Return the simulator, watched; one test asks for no cards at all."""
    return Watched(simulator, JEUDIMERCI, may_be_asked_wrongly=True)


@pytest.fixture
def provider(watched: Watched) -> JeudiMerci:
    """Return the adapter, on the watched simulator."""
    stanza = {"base_url": "http://jeudimerci.test", **sandbox_settings()}
    opened = open_provider(
        JeudiMerci,
        read_settings(JeudiMerci, stanza),
        transport=SimulatorTransport(watched),
        moment=lambda: Moment(now_s=0.0, nonce="0" * 32),
    )
    assert isinstance(opened, JeudiMerci)
    return opened


async def issued(provider: JeudiMerci, minor: int, quantity: int) -> Outcome:
    """Issue cards."""
    ask = Issue(transaction_id="t", requested_at=AT, amount=Money("EUR", minor), quantity=quantity)
    return await provider.issue(ask)


@pytest.mark.parametrize(("minor", "quantity"), [(1, 1), (123_456, 3), (1313, 2)])
async def test_generate_fits_both_ways(provider: JeudiMerci, minor: int, quantity: int) -> None:
    """What the adapter sends and what the simulator answers are an ECardPurchaseRequest and its response."""
    assert (await issued(provider, minor, quantity)).verdict in {Verdict.APPROVED, Verdict.UNKNOWN}


async def test_the_refusal_fits(provider: JeudiMerci) -> None:
    """The simulator's 422 is an HTTPValidationError, and the adapter declines by it."""
    outcome = await issued(provider, 100, 0)
    assert outcome.decline is not None
    assert outcome.decline.provider_code == "422"
    assert outcome.decline.provider_text.startswith("body.numCards: ")


async def test_every_operation_fits(watched: Watched, provider: JeudiMerci) -> None:
    """The eight operations we call, and the list of offers, fit both ways, refusals too."""
    outcome = await issued(provider, 2_500, 2)
    shown = await provider.list_stored_cards(StoredCardQuery())
    await provider.get_stored_card(shown.cards[0].stored_card_id)
    await provider.delete_stored_card(outcome.issued_cards[0].provider_card_id)
    look = Lookup(lookup_id="l", asked_at=AT, card=CardRef(redemption_key=Secret("JDMDEMO000000001")))
    await provider.lookup(look)
    with pytest.raises(Refused):
        await provider.lookup(msgspec.structs.replace(look, card=CardRef(redemption_key=Secret("X"))))
    with pytest.raises(Refused):
        await provider.delete_stored_card(shown.cards[2].stored_card_id)
    offers = await provider.list_offers()
    await provider.sync_offers([*offers, Offer(offer_id="new", name="New", price=Money("EUR", 1_050))])
    day = AT.date()
    told = AccountQuery(from_day=day, to_day=day, currency="EUR", account_ids=("account-1",))
    await provider.extract_accounts(told)
    extract = await provider.extract_accounts(AccountQuery(mandate_type="OWNER", export_format="csv"))
    async with provider.download_export(extract.export_id) as (_, pieces):
        assert b"".join([piece async for piece in pieces])
    await provider.ticket_statistics(TicketQuery(from_day=day, to_day=day, is_consumed=False, offer_id="new"))
    assert {name for name, status in watched.seen if status == 200} == set(JEUDIMERCI.operations)
    assert {("getECard", 404), ("deleteECard", 400)} <= watched.seen


@pytest.mark.parametrize("status", [401, 404, 405, 500, 503])
def test_a_failure_fits(simulator: JeudiMerciSimulator, status: int) -> None:
    """A scripted failure's body is a complaint in a sentence."""
    asked = SimRequest(method="POST", path="/jdm/ecards/generate")
    assert not JEUDIMERCI.answer_faults(asked, simulator.failure(status, asked))


async def test_the_event_fits(simulator: JeudiMerciSimulator, provider: JeudiMerci) -> None:
    """The event the simulator sends is a WebhookPayload, and the adapter reads it."""
    sent = simulator.completed_event("JDMDEMO000000001", merchant_operation_id="order-1")
    assert not JEUDIMERCI.event_faults("event", sent)
    events = provider.read_webhook(Webhook(headers=dict(sent.headers), body=sent.body, received_at=AT))
    assert [event.name for event in events] == ["GiftCardPurchaseCompleted"]
