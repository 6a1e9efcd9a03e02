"""Our operations and lookups as AcmeCards' requests: values in, calls out. Pure; nothing is sent here."""

from __future__ import annotations

from giftcard_adapters.calls import Call
from giftcard_adapters.values.advices import Advice
from giftcard_adapters.values.operations import MoneyOperation, Redeem
from giftcard_adapters.values.secret import Secret

from . import limits, wire

_JSON = (("content-type", "application/json"),)


def redemption(ask: Redeem) -> Call:
    """Write the request that holds the amount; raise Invalid without number or amount."""
    number, amount = limits.number_and_amount(ask)
    content = wire.Redemption(ask.transaction_id, number, amount.amount_minor, amount.currency)
    return _post("/v1/redemptions", content)


def confirmation(ask: MoneyOperation, advice: Advice) -> Call:
    """Write the settling of the hold, or of a part of it."""
    cents = advice.amount.amount_minor if advice.amount else None
    return _post(_hold_path(ask, "settle"), wire.Settling(advice.advice_id, cents))


def reversal(ask: MoneyOperation, advice: Advice) -> Call:
    """Write the release of the hold."""
    return _post(_hold_path(ask, "release"), wire.Settling(advice.advice_id))


def card(number: Secret) -> Call:
    """Write the request for one card."""
    return _post("/v1/cards/find", {"card": number})


def _hold_path(ask: MoneyOperation, verb: str) -> str:
    return f"/v1/redemptions/{ask.transaction_id}/{verb}"


def _post(path: str, content: object) -> Call:
    return Call(method="POST", path=path, headers=_JSON, body=wire.encode(content))
