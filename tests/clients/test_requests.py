"""Requests from keyword arguments: cards, amounts, and refusals that show no value."""

from __future__ import annotations

import uuid

import pytest
from google.protobuf.message import Message

from giftcard import Card, minor_to_money, new_transaction_id, to_money, v1
from giftcard.cards import PinLike
from giftcard.operations import redeem
from giftcard.requests import make_request
from tests.clients.scripted import PAN, PIN


def test_a_new_id_is_a_version_4_uuid() -> None:
    """Ids are fresh version-4 UUIDs, as the contract asks."""
    first, second = new_transaction_id(), new_transaction_id()
    assert first != second
    assert uuid.UUID(first).version == 4


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (Card.number(PAN), v1.Card(number=v1.CardNumber(pan=PAN))),
        (
            Card.number(PAN, expiry="3012", pin=PIN, rank="primary"),
            v1.Card(number=v1.CardNumber(pan=PAN, expiry="3012", clear_pin=PIN), rank="primary"),
        ),
        (
            Card.number(PAN, pin=v1.EncryptedPin(block="0" * 16)),
            v1.Card(number=v1.CardNumber(pan=PAN, encrypted_pin=v1.EncryptedPin(block="0" * 16))),
        ),
        (
            Card.number(PAN, pin=v1.HashedPin(digest="AB")),
            v1.Card(number=v1.CardNumber(pan=PAN, hashed_pin=v1.HashedPin(digest="AB"))),
        ),
        (Card.redemption_key("K", rank="r"), v1.Card(redemption_key="K", rank="r")),
        (Card.stored("S"), v1.Card(stored_card_id="S")),
        (Card.at_provider("P"), v1.Card(provider_card_id="P")),
        (
            Card.swiped(f";{PAN}=3012?", pin=PIN),
            v1.Card(swipe=v1.SwipedCard(track=f";{PAN}=3012?", clear_pin=PIN)),
        ),
    ],
)
def test_a_card_is_named_in_each_way(card: Card, expected: v1.Card) -> None:
    """Every reference and every form of PIN the contract has can be named."""
    assert card.to_message() == expected
    assert make_request(v1.BalanceRequest, {"card": card}).card == expected
    assert make_request(v1.BalanceRequest, {"card": expected}).card == expected


@pytest.mark.parametrize(
    ("card", "shown"),
    [
        (Card.number(PAN, pin=PIN), "Card(number ****1234)"),
        (Card.number("12345678901"), "Card(number ****)"),
        (Card.swiped(f";{PAN}=3012?", pin=PIN), "Card(swiped card)"),
        (Card.redemption_key(PAN), "Card(redemption key ****)"),
        (Card.stored(PAN), "Card(stored card)"),
        (Card.at_provider(PAN), "Card(provider's card id)"),
    ],
)
def test_a_card_does_not_show_itself(card: Card, shown: str) -> None:
    """A card's text has at most the last four digits of a number, and nothing of any other secret."""
    assert repr(card) == str(card) == shown


def test_a_planned_call_does_not_show_its_card() -> None:
    """A call's text names the call and its transaction, never the request."""
    call = redeem(transaction_id="t", card=PAN, pin=PIN, amount="1", currency="ZAR")
    assert repr(call) == str(call) == "Redeem(t)"


AMOUNTS: list[tuple[dict[str, object], Message]] = [
    ({"amount": "99.95", "currency": "ZAR"}, to_money("99.95", "ZAR")),
    ({"amount_minor": 9995, "currency": "ZAR"}, to_money("99.95", "ZAR")),
    ({"amount_minor": 9995, "currency": "JPY"}, to_money("9995", "JPY")),
    ({"amount": minor_to_money(5, "ZAR")}, to_money("0.05", "ZAR")),
]


@pytest.mark.parametrize(("fields", "expected"), AMOUNTS)
def test_an_amount_can_be_said_in_three_ways(fields: dict[str, object], expected: Message) -> None:
    """Major units with a currency, minor units with a currency, or finished Money."""
    assert make_request(v1.RedeemRequest, fields).amount == expected


def test_a_final_amount_is_said_like_an_amount() -> None:
    """Whatever field is money takes major and minor units."""
    minor = make_request(v1.ConfirmLoadRequest, {"final_amount_minor": 5, "currency": "ZAR"})
    major = make_request(v1.ConfirmLoadRequest, {"final_amount": "0.05", "currency": "ZAR"})
    assert minor == major


def test_ids_may_be_uuids_and_none_is_left_out() -> None:
    """A UUID is written as text, and None stands for a field left out."""
    number = uuid.uuid4()
    request = make_request(v1.RedeemRequest, {"transaction_id": number, "provider": None, "amount": None})
    assert request == v1.RedeemRequest(transaction_id=str(number))


REFUSED: list[tuple[type[Message], dict[str, object], str]] = [
    (v1.RedeemRequest, {"pinn": PIN}, "RedeemRequest has no field pinn"),
    (v1.RedeemRequest, {"card": 6045123412341234}, "RedeemRequest.card cannot take this int"),
    (v1.RedeemRequest, {"provider": 9713}, "RedeemRequest.provider cannot take this int"),
    (v1.RedeemRequest, {"external_reference": "9713\ud800"}, "cannot take this str"),
    (v1.RedeemRequest, {"card": Card.number(PAN), "pin": PIN}, "pin: only with a card given by its number"),
    (v1.IssueRequest, {"pin": PIN, "expiry": "3012"}, "pin and expiry: only with"),
    (v1.RedeemRequest, {"amount": "9713"}, "An amount needs its currency"),
    (v1.RedeemRequest, {"amount": 97.13, "currency": "ZAR"}, "never a float"),
    (v1.RedeemRequest, {"amount": "1", "amount_minor": 9713, "currency": "ZAR"}, "not both"),
    (v1.RedeemRequest, {"currency": "ZAR"}, "A currency goes with an amount"),
    (v1.RedeemRequest, {"amount": to_money("9713", "ZAR"), "currency": "ZAR"}, "A currency goes with"),
]


@pytest.mark.parametrize(("kind", "fields", "sentence"), REFUSED)
def test_what_cannot_be_sent_is_refused_unseen(
    kind: type[Message], fields: dict[str, object], sentence: str
) -> None:
    """A keyword that cannot be sent is a TypeError with a sentence, in which no value appears."""
    with pytest.raises(TypeError) as caught:
        make_request(kind, fields)
    assert sentence in str(caught.value)
    assert not any(secret in str(caught.value) for secret in (PAN, PIN))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("pan", "pin"), [(int(PAN), PIN), (PAN, int(PIN))])
def test_numbers_of_cards_are_text(pan: str, pin: PinLike) -> None:
    """A card's number or PIN given as a number is refused without being shown: leading zeros count."""
    with pytest.raises(TypeError, match="leading zeros count") as caught:
        Card.number(pan, pin=pin)
    assert not any(secret in str(caught.value) for secret in (PAN, PIN))
