"""What makes a repeated request the same request (rule 1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from google.type.money_pb2 import Money as Wire

from giftcard import v1
from giftcard_adapters.values.cards import CardRef, ClearPin, HashedPin
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Load, Operation, Redeem, Transfer
from giftcard_adapters.values.point_of_sale import ThirdPartyIdentifier
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.ledger.idempotency import first_difference
from giftcard_gateway.wire.requests import ask_from

T0 = datetime(2026, 1, 1, tzinfo=UTC)
CARD = CardRef(number=Secret("6045120000000007"), pin=ClearPin(pin=Secret("1234")))
PARTNER = ThirdPartyIdentifier(institution_id="1", transaction_identifier="a")
OTHER_PARTNER = ThirdPartyIdentifier(institution_id="1", transaction_identifier="b")
REDEEM = Redeem(
    transaction_id="0e2f8a52-6a0c-4b43-8f55-0c6f0f2c7e11",
    requested_at=T0,
    amount=Money("ZAR", 100),
    card=CARD,
    third_party_identifiers=(PARTNER,),
)


def changed(**fields: object) -> Redeem:
    """Return the redemption with other fields."""
    return msgspec.structs.replace(REDEEM, **fields)


@pytest.mark.parametrize(
    ("repeated", "field"),
    [
        (changed(), None),
        (changed(requested_at=T0 + timedelta(days=1)), None),
        (changed(labels={"till": "7"}), None),
        (changed(amount=Money("ZAR", 101)), "amount.amount_minor"),
        (changed(amount=Money("EUR", 100)), "amount.currency"),
        (changed(amount=None), "amount"),
        (changed(provider="second"), "provider"),
        (changed(card=CardRef(number=Secret("6045120000000008"), pin=CARD.pin)), "card.number"),
        (changed(card=CardRef(number=CARD.number, pin=ClearPin(pin=Secret("4321")))), "card.pin.pin"),
        (changed(card=CardRef(number=CARD.number, pin=HashedPin(digest=Secret("1234")))), "card.pin"),
        (changed(card=CardRef(number=CARD.number)), "card.pin"),
        (changed(third_party_identifiers=()), "third_party_identifiers"),
        (changed(third_party_identifiers=(OTHER_PARTNER,)), "third_party_identifiers"),
        (changed(third_party_identifiers=(PARTNER, PARTNER)), "third_party_identifiers"),
        (changed(amount=Money("ZAR", 101), external_reference="x"), "amount.amount_minor"),
    ],
)
def test_first_difference_is_named(repeated: Redeem, field: str | None) -> None:
    """The first field that differs is named by its path; when it was asked and its labels are no content."""
    assert first_difference(REDEEM, repeated) == field
    assert first_difference(repeated, REDEEM) == field


def test_other_operation_is_other_content() -> None:
    """The same id for another operation differs in the operation itself, however alike the fields are."""
    load = Load(transaction_id=REDEEM.transaction_id, requested_at=T0, amount=REDEEM.amount, card=CARD)
    assert first_difference(REDEEM, load) == "operation"


def test_which_of_two_cards_differs() -> None:
    """With two cards the path says which; swapping them is other content."""
    other = CardRef(number=Secret("6045120000000015"))
    asked = Transfer(transaction_id="t", requested_at=T0, source_card=CARD, target_card=other)
    moved = msgspec.structs.replace(asked, target_card=CardRef(number=Secret("6045120000000023")))
    swapped = msgspec.structs.replace(asked, source_card=other, target_card=CARD)
    assert first_difference(asked, moved) == "target_card.number"
    assert first_difference(asked, swapped) == "source_card.number"


def test_difference_names_no_secret() -> None:
    """The path of a difference in a card or PIN holds neither value."""
    path = first_difference(REDEEM, changed(card=CardRef(number=Secret("6045120000000099"))))
    assert path is not None
    assert not any(letter.isdigit() for letter in path)


def test_ids_that_differ_in_case_are_one_transaction() -> None:
    """An id in upper case is the same id: the request it names is the same request."""
    asked = [
        ask_from(
            Operation.REDEEM,
            v1.RedeemRequest(
                transaction_id=transaction_id,
                card=v1.Card(number=v1.CardNumber(pan="6045120000000007")),
                amount=Wire(currency_code="ZAR", units=1),
            ),
            requested_at=T0,
        )
        for transaction_id in (REDEEM.transaction_id, REDEEM.transaction_id.upper())
    ]
    assert asked[0].transaction_id == asked[1].transaction_id == REDEEM.transaction_id
    assert first_difference(asked[0], asked[1]) is None
