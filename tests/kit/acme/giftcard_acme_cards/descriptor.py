"""AcmeCards, for the conformance suite: samples on the simulator's demo cards."""

from __future__ import annotations

from datetime import UTC, datetime

from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Operation, Redeem
from giftcard_adapters.values.reads import Lookup
from giftcard_adapters.values.secret import Secret
from giftcard_conformance import ReadSample, Sample, Subject

from .adapter import AcmeCards
from .simulator import FUNDED, POOR, AcmeCardsSimulator, sandbox_settings

_AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
_NOWHERE = "9870000000009999"


def _redeem(number: str, cents: int) -> Redeem:
    # The suite puts an id and a time of its own in their place.
    card, amount = CardRef(number=Secret(number)), Money("EUR", cents)
    return Redeem(transaction_id="", requested_at=_AT, card=card, amount=amount)


def _lookup(number: str) -> Lookup:
    lookup_id = "9d1f2f0a-6a0c-4b43-8f55-0c6f0f2c7e11"
    return Lookup(lookup_id=lookup_id, asked_at=_AT, card=CardRef(number=Secret(number)))


SUBJECT = Subject(
    name="acme_cards",
    adapter=AcmeCards,
    stanza={"base_url": "http://acme-cards.example", **sandbox_settings()},
    simulator=AcmeCardsSimulator,
    guarantees={Operation.REDEEM: "N"},
    samples={
        Operation.REDEEM: Sample(
            approved=_redeem(FUNDED, 5_000),
            declined=_redeem(POOR, 5_000),
            reason=DeclineReason.FUNDS_INSUFFICIENT,
        )
    },
    reads={
        "lookup": ReadSample(
            arguments={"ask": _lookup(FUNDED)},
            refused={"ask": _lookup(_NOWHERE)},
            reason=DeclineReason.CARD_UNKNOWN,
        )
    },
)
