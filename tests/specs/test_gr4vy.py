"""Gr4vy's adapter and simulator speak to each other as its SDK's models, and its own document, say."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from giftcard_adapters.calls import Moment
from giftcard_adapters.errors import Refused
from giftcard_adapters.gr4vy import Gr4vy
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.advices import Advice, AdviceKind
from giftcard_adapters.values.cards import CardRef, ClearPin
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Activate, Issue, Redeem
from giftcard_adapters.values.outcomes import Verdict
from giftcard_adapters.values.point_of_sale import Buyer
from giftcard_adapters.values.reads import Lookup, StoreCard, StoredCardQuery
from giftcard_adapters.values.secret import Secret
from giftcard_simulators.gr4vy import sandbox_settings
from giftcard_simulators.gr4vy.simulator import Gr4vySimulator
from giftcard_simulators.sandbox import SimRequest, seeded_ids
from giftcard_simulators.transport import SimulatorTransport
from tests.specs.formats import GR4VY_DOCUMENT
from tests.specs.gr4vy_sdk import SdkModels
from tests.specs.validating import Watched, WireFormat, third_party

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FIFTY = Money("USD", 5_000)
BUYER = Buyer(external_id="user-12")


@pytest.fixture(params=["sdk", pytest.param("document", marks=pytest.mark.specs)])
def wire_format(request: pytest.FixtureRequest) -> WireFormat:
    """Give the SDK's models, and beside the providers' own documents Gr4vy's too."""
    is_document = request.param == "document"
    return third_party(GR4VY_DOCUMENT) if is_document else SdkModels()


@pytest.fixture
def wire(wire_format: WireFormat) -> Watched:
    """Give a watched simulator whose outcomes show at once."""
    return Watched(Gr4vySimulator(now=lambda: NOW, ids=seeded_ids(1)), wire_format)


@pytest.fixture
def provider(wire: Watched) -> Gr4vy:
    """Open the adapter on it."""
    settings = read_settings(Gr4vy, {"base_url": "http://gr4vy.test", **sandbox_settings()})
    moment = Moment(now_s=NOW.timestamp(), nonce=uuid.UUID(int=7).hex)
    opened = open_provider(Gr4vy, settings, transport=SimulatorTransport(wire), moment=lambda: moment)
    assert isinstance(opened, Gr4vy)
    return opened


def card(number: str, pin: str) -> CardRef:
    """Name a card."""
    return CardRef(number=Secret(number), pin=ClearPin(pin=Secret(pin)))


FUNDED = card("6045100000000001", "050000")


def redeem(named: CardRef = FUNDED, **rest: Any) -> Redeem:  # noqa: ANN401 - Redeem's own fields
    """Ask for fifty dollars."""
    return Redeem(transaction_id=str(uuid.UUID(int=1)), requested_at=NOW, card=named, amount=FIFTY, **rest)


async def test_money_fits(wire: Watched, provider: Gr4vy) -> None:
    """Money requests, look-ups and refunds fit Gr4vy's wire format, and so do the answers."""
    ask = redeem(external_reference="order 9", buyer=BUYER)
    approved = await provider.redeem(ask)
    assert approved.verdict is Verdict.APPROVED
    assert await provider.find(ask, None) == approved
    advice = Advice(advice_id=str(uuid.UUID(int=2)), kind=AdviceKind.REVERSAL, written_at=NOW)
    (call,) = provider.reversal(ask, approved, advice)
    for age_s in (0.0, 90_000.0):
        await provider.deliver(call, advice, age_s=age_s)
    declined = await provider.redeem(
        Redeem(
            transaction_id=str(uuid.UUID(int=3)),
            requested_at=NOW,
            card=card("6045" * 4, "20009"),
            amount=FIFTY,
        )
    )
    assert declined.verdict is Verdict.DECLINED
    for store in (False, True):
        number = card(f"604510000000000{6 + store}", "01234")
        await provider.activate(
            Activate(
                transaction_id=str(uuid.UUID(int=4)), requested_at=NOW, card=number, amount=FIFTY, store=store
            )
        )
    await provider.issue(
        Issue(transaction_id=str(uuid.UUID(int=5)), requested_at=NOW, theme_id="031111372", amount=FIFTY)
    )
    assert wire.seen == {
        ("create_transaction", 201),
        ("list_transactions", 200),
        ("get_transaction", 200),
        ("create_transaction_refund", 201),
        ("list_transaction_refunds", 200),
        ("activate_gift_card", 201),
        ("issue_gift_card", 201),
    }


async def test_reads_fit(wire: Watched, provider: Gr4vy) -> None:
    """Balances and the vault fit it, refusals too."""
    ask = Lookup(lookup_id=str(uuid.UUID(int=1)), asked_at=NOW, card=FUNDED)
    await provider.lookup(ask)
    await provider.balances([FUNDED, card("6045" * 4, "10001")], ask)
    stored = await provider.store_card(StoreCard(card=FUNDED, buyer=BUYER))
    assert (
        await provider.redeem(redeem(CardRef(stored_card_id=stored.stored_card_id), buyer=BUYER))
    ).approved
    await provider.get_stored_card(stored.stored_card_id)
    await provider.list_stored_cards(StoredCardQuery(buyer=BUYER, page_size=1))
    query = StoredCardQuery(buyer=BUYER, with_balances=True, order_by="usage_count")
    (seen,) = (await provider.list_stored_cards(query)).cards
    assert seen.usage_count == 1
    with pytest.raises(Refused):
        await provider.store_card(StoreCard(card=FUNDED, buyer=BUYER))
    await provider.delete_stored_card(stored.stored_card_id)
    with pytest.raises(Refused):
        await provider.get_stored_card(stored.stored_card_id)
    assert {("create_gift_card", 201), ("create_gift_card", 409), ("delete_gift_card", 204)} <= wire.seen
    assert {("get_gift_card", 404), ("list_gift_cards", 200), ("list_buyer_gift_cards", 200)} <= wire.seen


def test_failures_fit(wire_format: WireFormat) -> None:
    """What the simulator says with an error status is what Gr4vy says for every endpoint."""
    simulator = Gr4vySimulator(now=lambda: NOW, ids=seeded_ids(1))
    request = SimRequest(method="POST", path="/transactions")
    for status in (400, 401, 403, 404, 405, 409, 422, 425, 429, 500, 502, 504):
        faults = wire_format.answer_faults(request, simulator.failure(status, request))
        assert not faults, (status, faults)
