"""Gr4vy's answers with values that fit no field of ours: what a person needs of them is kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import pytest

from giftcard_adapters.calls import Moment, Reply
from giftcard_adapters.codec import pack
from giftcard_adapters.errors import Unreadable
from giftcard_adapters.gr4vy import Gr4vy, answers, requests
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.advices import Advice, AdviceKind
from giftcard_adapters.values.cards import CardRef, ClearPin
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue, Redeem
from giftcard_adapters.values.outcomes import IssuedCard, Verdict
from giftcard_adapters.values.secret import Secret
from giftcard_simulators.gr4vy import sandbox_settings

ISSUE = Issue(
    transaction_id="6f1c7a52-3f5e-4c39-9d0b-0d2b6f4a1e11",
    requested_at=datetime(2026, 11, 20, 8, 30, tzinfo=UTC),
    amount=Money("EUR", 1_000),
    theme_id="birthday",
)
URL = "https://cards.example/1"

FIFTY = Money("USD", 5_000)
REDEEM = Redeem(
    transaction_id=ISSUE.transaction_id,
    requested_at=ISSUE.requested_at,
    card=CardRef(number=Secret("6045100000000001"), pin=ClearPin(pin=Secret("050000"))),
    amount=FIFTY,
)
ADVICE = Advice(
    advice_id="2b7d9c1e-8a44-4f0e-9a63-5c1d2e3f4a5b",
    kind=AdviceKind.REVERSAL,
    written_at=ISSUE.requested_at,
)
STRANGE = "../gift-cards?x#y\n"
QUOTED = "..%2Fgift-cards%3Fx%23y%0A"


def reply(told: object) -> Reply:
    """Return an answer with this JSON."""
    return Reply(status=201, headers={}, body=json.dumps(told).encode())


def transaction(id_: str = "t-1", redemption_id: str = "r-1") -> dict[str, object]:
    """Return the transaction that approves REDEEM, under these ids."""
    redemption = {
        "id": redemption_id,
        "status": "succeeded",
        "amount": 5_000,
        "refunded_amount": 0,
        "gift_card": {"bin": "604510", "sub_bin": "000", "last4": "0001"},
    }
    return {
        "id": id_,
        "currency": "USD",
        "amount": 5_000,
        "intent_outcome": "succeeded",
        "gift_card_redemptions": [redemption],
    }


def opened(asked: list[str], told: object) -> Gr4vy:
    """Open the adapter on a server that says the same to everything and keeps what it was asked."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        return httpx.Response(200, json=told)

    provider = open_provider(
        Gr4vy,
        read_settings(Gr4vy, {"base_url": "http://gr4vy.test", **sandbox_settings()}),
        transport=httpx.MockTransport(answer),
        moment=lambda: Moment(now_s=0.0, nonce="0" * 32),
    )
    assert isinstance(provider, Gr4vy)
    return provider


async def test_a_strange_id_names_nothing_else() -> None:
    """Whatever an id is made of, it stays one part of the path that it is asked by."""
    asked: list[str] = []
    approved = answers.redeemed(REDEEM, reply(transaction(STRANGE)))
    assert approved.verdict is Verdict.APPROVED
    gr4vy = opened(asked, refund(STRANGE))
    await gr4vy.find(REDEEM, approved)
    (call,) = gr4vy.reversal(REDEEM, approved, ADVICE)
    await gr4vy.deliver(call, ADVICE, age_s=0.0)
    assert asked == [f"/transactions/{QUOTED}", f"/transactions/{QUOTED}/refunds", f"/refunds/{QUOTED}"]


def refund(id_: str) -> dict[str, object]:
    """Return a refund of REDEEM that is under way, under this id."""
    return {
        "id": id_,
        "status": "processing",
        "currency": "USD",
        "amount": 5_000,
        "target_type": "gift-card-redemption",
    }


@pytest.mark.parametrize("id_", ["", ".", ".."])
async def test_an_id_that_no_path_holds_is_not_asked_by(id_: str) -> None:
    """An answer with an empty id or dots for one is unreadable, and its path is never asked for."""
    asked: list[str] = []
    gr4vy = opened(asked, refund(id_))
    approved = answers.redeemed(REDEEM, reply(transaction()))
    (call,) = gr4vy.reversal(REDEEM, approved, ADVICE)
    with pytest.raises(Unreadable):
        await gr4vy.deliver(call, ADVICE, age_s=0.0)
    assert asked == ["/transactions/t-1/refunds"]
    with pytest.raises(Unreadable):
        requests.transaction(id_, gr4vy.settings)


@pytest.mark.parametrize(("id_", "redemption_id"), [("", "r-1"), (".", "r-1"), ("..", "r-1"), ("t-1", "")])
def test_what_cannot_be_reversed_is_not_approved(id_: str, redemption_id: str) -> None:
    """A redemption whose ids no refund could name is UNKNOWN: approved, it could never be put back."""
    assert answers.redeemed(REDEEM, reply(transaction(id_, redemption_id))).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("amount", "currency"), [(2**63, "EUR"), (10**30, "EUR"), (1_000, "???"), (1_000, "XAU")]
)
def test_an_issued_card_of_no_money_is_not_lost(amount: int, currency: str) -> None:
    """A card issued over what is no money of ours is UNKNOWN, with its ids and its URL for a person."""
    told = {"id": "i-1", "url": URL, "amount": amount, "currency": currency}
    outcome = answers.issued(ISSUE, reply(told))
    assert outcome.verdict is Verdict.UNKNOWN
    assert outcome.references == {"issuance_id": "i-1"}
    assert outcome.issued_cards == (IssuedCard(redemption_url=Secret(URL)),)
    assert pack(outcome)
