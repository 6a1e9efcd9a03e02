"""Gr4vy's answers with values that fit no field of ours: what a person needs of them is kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from giftcard_adapters.calls import Reply
from giftcard_adapters.codec import pack
from giftcard_adapters.gr4vy import answers
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue
from giftcard_adapters.values.outcomes import IssuedCard, Verdict
from giftcard_adapters.values.secret import Secret

ISSUE = Issue(
    transaction_id="6f1c7a52-3f5e-4c39-9d0b-0d2b6f4a1e11",
    requested_at=datetime(2026, 11, 20, 8, 30, tzinfo=UTC),
    amount=Money("EUR", 1_000),
    theme_id="birthday",
)
URL = "https://cards.example/1"


@pytest.mark.parametrize(
    ("amount", "currency"), [(2**63, "EUR"), (10**30, "EUR"), (1_000, "???"), (1_000, "XAU")]
)
def test_an_issued_card_of_no_money_is_not_lost(amount: int, currency: str) -> None:
    """A card issued over what is no money of ours is UNKNOWN, with its ids and its URL for a person."""
    told = {"id": "i-1", "url": URL, "amount": amount, "currency": currency}
    outcome = answers.issued(ISSUE, Reply(status=201, headers={}, body=json.dumps(told).encode()))
    assert outcome.verdict is Verdict.UNKNOWN
    assert outcome.references == {"issuance_id": "i-1"}
    assert outcome.issued_cards == (IssuedCard(redemption_url=Secret(URL)),)
    assert pack(outcome)
