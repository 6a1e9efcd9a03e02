"""Our contract as Electrum's JSON and back, as all servers by hand here do it: plain, without checks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from giftcard import v1

Json = dict[str, Any]

NUMERIC_CODES, CURRENCIES = {"ZAR": "710"}, {"710": "ZAR"}
CENT_IN_NANOS = 10_000_000
US = {"id": "70000001", "name": "Bench"}
TILL = {
    "institution": US,
    "terminalId": "12345678",
    "merchant": {
        "merchantType": "5411",
        "merchantId": "123456789012345",
        "merchantName": {"name": "Bench Store", "city": "Cape Town", "region": "WC", "country": "ZA"},
    },
}
HEADERS = {"content-type": "application/json", "authorization": "Basic NzAwMDAwMDE6eA=="}


def redemption(request: v1.RedeemRequest) -> Json:
    """Return the body of a redemption."""
    amount = request.amount.units * 100 + request.amount.nanos // CENT_IN_NANOS
    currency = NUMERIC_CODES[request.amount.currency_code]
    return _body(request.transaction_id, request.card) | {
        "basketRef": request.basket_reference,
        "amounts": {"requestAmount": {"amount": amount, "currency": currency}},
    }


def look_up(card: v1.Card) -> Json:
    """Return the body of a look-up under a new id."""
    return _body(str(uuid4()), card) | {
        "posInfo": {"entryMode": "MANUAL", "pinEntryCapability": "CAN_ENTER_PIN"}
    }


def _body(name: str, card: v1.Card) -> Json:
    return {
        "id": name,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "originator": TILL,
        "client": US,
        "thirdPartyIdentifiers": [],
        "card": {"pan": card.number.pan, "expiryDate": card.number.expiry},
    }


def redeemed(request: v1.RedeemRequest, answer: Json) -> v1.RedeemResponse:
    """Return what the caller hears of an approved redemption."""
    now = _now()
    told = v1.TransactionCard(
        role=v1.CardRole.CARD_ROLE_SUBJECT,
        masked_card=_masked(request.card),
        balances=_balances(answer["amounts"]),
    )
    return v1.RedeemResponse(
        transaction=v1.Transaction(
            transaction_id=answer["id"],
            operation=v1.Operation.OPERATION_REDEEM,
            provider="electrum",
            state=v1.TransactionState.TRANSACTION_STATE_APPROVED,
            cards=[told],
            requested_amount=request.amount,
            approved_amount=_money(answer["amounts"]["approvedAmount"]),
            provider_references={"rrn": answer["rrn"]},
            create_time=now,
            update_time=now,
        )
    )


def balance(card: v1.Card, answer: Json) -> v1.BalanceResponse:
    """Return a card's balances."""
    found = v1.CardBalance(
        provider="electrum",
        masked_card=_masked(card),
        balances=_balances(answer["amounts"]),
        read_time=_now(),
    )
    return v1.BalanceResponse(card_balance=found)


def card_view(card: v1.Card, answer: Json) -> v1.LookupResponse:
    """Return what the provider knows of a card."""
    found = v1.CardView(
        provider="electrum",
        masked_card=_masked(card),
        balances=_balances(answer["amounts"]),
        provider_references={"rrn": answer["rrn"]},
    )
    return v1.LookupResponse(card=found)


def _now() -> Timestamp:
    now = Timestamp()
    now.GetCurrentTime()
    return now


def _masked(card: v1.Card) -> str:
    pan = card.number.pan
    return f"{pan[:6]}******{pan[-4:]}"


def _balances(amounts: Json) -> v1.Balances:
    return v1.Balances(book=_money(amounts["balanceAmount"]), available=_money(amounts["availableBalance"]))


def _money(told: Json) -> Money:
    units, cents = divmod(told["amount"], 100)
    return Money(currency_code=CURRENCIES[told["currency"]], units=units, nanos=cents * CENT_IN_NANOS)
