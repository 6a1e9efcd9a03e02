"""GatePay's callbacks with values that fit no field of ours: they break nothing beside them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from giftcard_adapters.errors import WebhookRejected
from giftcard_adapters.gatepay import webhooks, wire
from giftcard_adapters.gatepay.settings import GatePaySettings
from giftcard_adapters.values.reads import Webhook
from giftcard_adapters.values.secret import Secret

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
SETTINGS = GatePaySettings(
    base_url="https://gatepay.example", client_id="client-1", api_secret=Secret("test-secret")
)


def totals(*amounts: str) -> dict[str, str]:
    """Return what the event of a batch tells of cards over these amounts of USDT, and one over 2.5 GT."""
    items = [
        *({"amount": amount, "currency": "USDT"} for amount in amounts),
        {"amount": 2.5, "currency": "GT"},
    ]
    data = json.dumps({"externalId": "e-1", "batchItemList": items})
    told = {"bizType": "PAY_GIFT_BATCH", "bizStatus": "PAID", "client_id": "client-1", "data": data}
    (event,) = webhooks.read(Webhook(headers={}, body=json.dumps(told).encode(), received_at=AT), SETTINGS)
    return dict(event.attributes)


def test_a_batch_is_added_up_exactly() -> None:
    """The amounts of a batch are added without rounding, each currency for itself."""
    told = {"status": "PAID", "cards": "4", "total_GT": "2.5"}
    added = totals("1234567890123456789", "0.000000000000000001", "0")
    assert added == told | {"total_USDT": "1234567890123456789.000000000000000001"}


@pytest.mark.parametrize(
    "odd",
    ["NaN", "sNaN", "Infinity", "1E+19", "1E+999999", "1E+9999999", "1E-999999", "1E-9999999"],
)
@pytest.mark.parametrize("beside", [(), ("1",), ("-Infinity",)])
def test_an_amount_that_cannot_be_told_has_no_total(odd: str, beside: tuple[str, ...]) -> None:
    """An amount that is no number, or too long to be told, leaves out its currency's total and no more."""
    for amounts in ((odd, *beside), (*beside, odd)):
        told = totals(*amounts)
        assert told == {"status": "PAID", "cards": str(len(amounts) + 1), "total_GT": "2.5"}


@pytest.mark.parametrize("timestamp", ["9" * 400, "9" * 5_000, "\u0661\u0662", "", "now"])
def test_a_signed_timestamp_of_no_time_is_refused(timestamp: str) -> None:
    """A timestamp that is no number of milliseconds is refused, though it is signed."""
    headers = {
        "x-gatepay-timestamp": timestamp,
        "x-gatepay-nonce": "n",
        "x-gatepay-signature": wire.signature(SETTINGS.api_secret, timestamp, "n", b"{}"),
    }
    with pytest.raises(WebhookRejected, match="timestamp is not a number"):
        webhooks.verify(Webhook(headers=headers, body=b"{}", received_at=AT), SETTINGS)
