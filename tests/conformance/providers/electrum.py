"""Electrum, for the conformance suite: samples on the simulator's demo cards."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from giftcard_adapters.electrum import Electrum
from giftcard_adapters.values.cards import CardRef, ClearPin
from giftcard_adapters.values.declines import DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import (
    Activate,
    Load,
    Operation,
    Redeem,
    Replace,
    Transfer,
    Void,
)
from giftcard_adapters.values.point_of_sale import Product
from giftcard_adapters.values.reads import Lookup
from giftcard_adapters.values.secret import Secret
from giftcard_conformance import ReadSample, Sample, Subject
from giftcard_simulators.electrum.books import EXPIRY, INSTITUTION_ID, PASSWORD, PIN
from giftcard_simulators.electrum.simulator import ElectrumSimulator

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LOOKUP = Lookup(lookup_id="9d1f2f0a-6a0c-4b43-8f55-0c6f0f2c7e11", asked_at=AT)
FIFTY = Money("ZAR", 5_000)


def card(number: str, pin: str = "") -> CardRef:
    """Name a demo card."""
    return CardRef(number=Secret(number), expiry=EXPIRY, pin=ClearPin(pin=Secret(pin)) if pin else None)


NEW, OTHER_NEW = card("6045000000000012"), card("6045000000000020")
FUNDED, WITH_PIN = card("6045000000000061"), card("6045000000000079", PIN)
LOW, VOIDED, BLOCKED = card("6045000000000087"), card("6045000000000129"), card("6045000000000137")
NOWHERE = card("6045000000009999")
PRODUCT = Product(product_id="product003")

# The suite puts an id and a time of its own in their place.
ask_activate = partial(Activate, transaction_id="", requested_at=AT)
ask_load = partial(Load, transaction_id="", requested_at=AT)
ask_redeem = partial(Redeem, transaction_id="", requested_at=AT)
ask_transfer = partial(Transfer, transaction_id="", requested_at=AT)
ask_replace = partial(Replace, transaction_id="", requested_at=AT)
ask_void = partial(Void, transaction_id="", requested_at=AT)

SUBJECT = Subject(
    name="electrum",
    adapter=Electrum,
    stanza={
        "base_url": "http://electrum.test/giftcard/v3",
        "institution_id": INSTITUTION_ID,
        "institution_name": "Sandbox Shops",
        "password": PASSWORD,
        "terminal_id": "TILL0001",
        "merchant_id": "SHOP00000000001",
        "merchant_category_code": "5411",
        "merchant_name": "Corner Shop",
        "merchant_city": "Cape Town",
        "merchant_region": "WC",
        "merchant_country": "ZA",
    },
    simulator=ElectrumSimulator,
    fitting={
        "institution_id": (INSTITUTION_ID, "somebody else"),
        "transaction_type": ("GOODS_AND_SERVICES", "DEPOSIT"),
    },
    guarantees=dict.fromkeys(set(Operation) - {Operation.ISSUE}, "N"),
    samples={
        Operation.ACTIVATE: Sample(
            approved=ask_activate(card=NEW, product=PRODUCT, amount=FIFTY),
            declined=ask_activate(card=FUNDED, product=PRODUCT),
            reason=DeclineReason.CARD_ALREADY_ACTIVE,
        ),
        Operation.LOAD: Sample(
            approved=ask_load(card=FUNDED, amount=FIFTY),
            declined=ask_load(card=NEW, amount=FIFTY),
            reason=DeclineReason.CARD_NOT_ACTIVE,
        ),
        Operation.REDEEM: Sample(
            approved=ask_redeem(card=WITH_PIN, amount=FIFTY),
            declined=ask_redeem(card=LOW, amount=FIFTY),
            reason=DeclineReason.FUNDS_INSUFFICIENT,
        ),
        Operation.TRANSFER: Sample(
            approved=ask_transfer(source_card=FUNDED, target_card=LOW, amount=FIFTY),
            declined=ask_transfer(source_card=FUNDED, target_card=VOIDED, amount=FIFTY),
            reason=DeclineReason.CARD_VOIDED,
        ),
        Operation.REPLACE: Sample(
            approved=ask_replace(old_card=FUNDED, new_card=OTHER_NEW),
            declined=ask_replace(old_card=BLOCKED, new_card=OTHER_NEW),
            reason=DeclineReason.CARD_BLOCKED,
        ),
        Operation.VOID: Sample(
            approved=ask_void(card=FUNDED),
            declined=ask_void(card=NOWHERE),
            reason=DeclineReason.CARD_UNKNOWN,
        ),
    },
    reads={
        "lookup": ReadSample(
            arguments={"ask": Lookup(lookup_id=LOOKUP.lookup_id, asked_at=AT, card=FUNDED)},
            refused={"ask": Lookup(lookup_id=LOOKUP.lookup_id, asked_at=AT, card=NOWHERE)},
            reason=DeclineReason.CARD_UNKNOWN,
        ),
        "balances": ReadSample(
            arguments={"cards": [FUNDED], "ask": LOOKUP},
            refused={"cards": [NOWHERE], "ask": LOOKUP},
            reason=DeclineReason.CARD_UNKNOWN,
        ),
    },
)
