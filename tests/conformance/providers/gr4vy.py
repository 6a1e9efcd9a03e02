"""Gr4vy, for the conformance suite: samples on the simulator's demo cards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypedDict

from giftcard_adapters.contract import Provider
from giftcard_adapters.gr4vy import Gr4vy
from giftcard_adapters.values.cards import CardRef, ClearPin
from giftcard_adapters.values.declines import DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Activate, Issue, Operation, Redeem
from giftcard_adapters.values.point_of_sale import Buyer
from giftcard_adapters.values.reads import Lookup, StoreCard, StoredCardQuery
from giftcard_adapters.values.secret import Secret
from giftcard_conformance import ReadSample, Sample, Subject
from giftcard_simulators.gr4vy import sandbox_settings
from giftcard_simulators.gr4vy.books import THEME
from giftcard_simulators.gr4vy.simulator import Gr4vySimulator

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ID = "9d1f2f0a-6a0c-4b43-8f55-0c6f0f2c7e11"
LOOKUP = Lookup(lookup_id=ID, asked_at=AT)
FIFTY = Money("USD", 5_000)
BUYER = Buyer(external_id="user-12")


class Asked(TypedDict):
    """What the suite replaces in every operation."""

    transaction_id: str
    requested_at: datetime


ASKED = Asked(transaction_id="", requested_at=AT)


def card(number: str, pin: str) -> CardRef:
    """Name a card by number and PIN."""
    return CardRef(number=Secret(number), pin=ClearPin(pin=Secret(pin)))


FUNDED, OTHER, LOW = (
    card("6045100000000001", "050000"),
    card("6045100000000002", "050000"),
    card("6045100000000003", "00100"),
)
NEW = card("6045100000000006", "01234")
NOWHERE = card("6045100000099999", "10000")
"""The mock connector's PIN for a validation error, invalid_gift_card."""


async def stored(provider: Provider) -> Mapping[str, object]:
    """Store a card and name it."""
    kept = await provider.store_card(StoreCard(card=FUNDED, buyer=BUYER))
    return {"stored_card_id": kept.stored_card_id}


async def stored_query(provider: Provider) -> Mapping[str, object]:
    """Store a card and ask for its buyer's cards."""
    await provider.store_card(StoreCard(card=OTHER, buyer=BUYER))
    return {"query": StoredCardQuery(buyer=BUYER)}


SUBJECT = Subject(
    name="gr4vy",
    adapter=Gr4vy,
    stanza={"base_url": "http://gr4vy.test", "private_key": sandbox_settings()["private_key"]},
    simulator=Gr4vySimulator,
    guarantees={Operation.REDEEM: "C", Operation.ISSUE: "1", Operation.ACTIVATE: "1"},
    samples={
        Operation.REDEEM: Sample(
            approved=Redeem(card=FUNDED, amount=FIFTY, **ASKED),
            declined=Redeem(card=LOW, amount=FIFTY, **ASKED),
            reason=DeclineReason.FUNDS_INSUFFICIENT,
            path="^/transactions$",
        ),
        Operation.ISSUE: Sample(
            approved=Issue(theme_id=THEME, amount=FIFTY, **ASKED),
            declined=Issue(theme_id="no such theme", amount=FIFTY, **ASKED),
            reason=DeclineReason.REQUEST_MALFORMED,
        ),
        Operation.ACTIVATE: Sample(
            approved=Activate(card=NEW, amount=FIFTY, **ASKED),
            declined=Activate(card=FUNDED, amount=FIFTY, **ASKED),
            reason=DeclineReason.REQUEST_MALFORMED,
            tells_amount=False,
        ),
    },
    reads={
        "lookup": ReadSample(
            arguments={"ask": Lookup(lookup_id=ID, asked_at=AT, card=FUNDED)},
            refused={"ask": Lookup(lookup_id=ID, asked_at=AT, card=NOWHERE)},
            reason=DeclineReason.CARD_UNKNOWN,
        ),
        "balances": ReadSample(
            arguments={"cards": [FUNDED, OTHER], "ask": LOOKUP},
            refused={"cards": [FUNDED, NOWHERE], "ask": LOOKUP},
            reason=DeclineReason.CARD_UNKNOWN,
        ),
        "store_card": ReadSample(
            arguments={"ask": StoreCard(card=FUNDED)},
            refused={"ask": StoreCard(card=NOWHERE)},
            reason=DeclineReason.REQUEST_MALFORMED,
        ),
        "get_stored_card": ReadSample(
            arguments=stored, refused={"stored_card_id": ID}, reason=DeclineReason.CARD_UNKNOWN
        ),
        "list_stored_cards": ReadSample(arguments=stored_query),
        "delete_stored_card": ReadSample(
            arguments=stored, refused={"stored_card_id": ID}, reason=DeclineReason.CARD_UNKNOWN
        ),
    },
    has_webhooks=True,
)
