"""The simulator's answers: responses made from the request's own fields, acknowledgements, ErrorDetail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec

from giftcard_simulators.bank import BankCard
from giftcard_simulators.currencies import numeric_code, shown
from giftcard_simulators.electrum import books, messages
from giftcard_simulators.electrum.checks import Refusal
from giftcard_simulators.electrum.paths import Phase, Target
from giftcard_simulators.electrum.rules import RequestRule
from giftcard_simulators.electrum.values import PresentedCard
from giftcard_simulators.sandbox import SimAnswer, json_answer

Body = dict[str, Any]
"""A JSON object under construction."""

_TEXTS = {
    Refusal.CARD_NOT_ACTIVATED: "Card not activated",
    Refusal.CARD_ACTIVATED: "Card activated",
    Refusal.CARD_VOIDED: "Card voided",
    Refusal.CARD_BLOCKED: "Card blocked",
    Refusal.CARD_DELETED: "Card deleted",
    Refusal.CARD_EXPIRED: "Card expired",
    Refusal.DO_NOT_HONOUR: "Do not honour",
    Refusal.DUPLICATE_RECORD: "Repeated UUID",
    Refusal.FORMAT_ERROR: "Bad formatting",
    Refusal.FUNCTION_BLOCKED_FOR_CARD_RANK: "Blocked for rank",
    Refusal.FUNCTION_NOT_SUPPORTED: "No such function",
    Refusal.GENERAL_ERROR: "Server Error",
    Refusal.INCORRECT_PIN: "Incorrect PIN",
    Refusal.INSUFFICIENT_FUNDS: "Insufficient funds",
    Refusal.INVALID_AMOUNT: "Invalid amount",
    Refusal.INVALID_CARD_NUMBER: "Invalid card number",
    Refusal.INVALID_PRODUCT: "Invalid product",
    Refusal.PIN_ATTEMPTS_EXCEEDED: "PIN tries exceeded",
    Refusal.ROUTING_ERROR: "Routing error",
    Refusal.TEMPORARY_FAILURE: "Temporary failure",
    Refusal.TRANSACTION_NOT_SUPPORTED: "Not supported",
    Refusal.UNABLE_TO_LOCATE_RECORD: "No such record",
    Refusal.UPSTREAM_UNAVAILABLE: "Upstream unavailable",
}
"""At most 20 characters each, as ErrorDetail demands."""

_SLIP_WIDTH = 40
_TAMPERED_BY_MINOR = 100


class RefusedError(Exception):
    """A message refused with an ErrorDetail; the text is for a person and at most 20 characters."""

    def __init__(self, refusal: Refusal, text: str = "", detail: Body | None = None) -> None:
        """Say why; without a text the error type's own is used."""
        super().__init__(refusal.value)
        self.refusal = refusal
        self.text = text or _TEXTS[refusal]
        self.detail = detail

    def answer(self, target: Target) -> SimAnswer:
        """Return the answer: 404 for a missing record, else 400."""
        is_missing = self.refusal is Refusal.UNABLE_TO_LOCATE_RECORD
        status = HTTPStatus.NOT_FOUND if is_missing else HTTPStatus.BAD_REQUEST
        return _error(status, target, self.refusal, self.text, self.detail)


def bad_format(fault: Exception) -> RefusedError:
    """Return the refusal of a body that cannot be read, naming the field and not its value."""
    text, _, place = str(fault).partition(" - at ")
    detail = {"formatErrors": [{"field": place.strip("`") or "$", "msg": text}]}
    return RefusedError(Refusal.FORMAT_ERROR, detail=detail)


def bad_field(name: str, msg: str, text: str = "") -> RefusedError:
    """Return the refusal of a field at the top of a message that goes with nothing else that was said."""
    detail = {"formatErrors": [{"field": f"$.{name}", "msg": msg}]}
    return RefusedError(Refusal.FORMAT_ERROR, text, detail)


def failed(status: int, target: Target) -> SimAnswer:
    """Return the ErrorDetail of a bare status: no record, upstream, or else the server."""
    if status == HTTPStatus.NOT_FOUND:
        return RefusedError(Refusal.UNABLE_TO_LOCATE_RECORD).answer(target)
    is_upstream = status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
    refusal = Refusal.UPSTREAM_UNAVAILABLE if is_upstream else Refusal.GENERAL_ERROR
    return _error(status, target, refusal, _TEXTS[refusal], None)


def _error(status: int, target: Target, refusal: Refusal, text: str, detail: Body | None) -> SimAnswer:
    body = {
        "errorType": refusal.value,
        "errorMessage": text,
        "requestType": target.request_type,
        "id": target.message_id,
    }
    if target.phase is not Phase.REQUEST:
        body["originalId"] = target.request_id
    return json_answer(status, body | ({"detailMessage": detail} if detail else {}))


def acknowledged(advice: messages.AdviceMessage) -> SimAnswer:
    """Return the BasicAdvice that acknowledges an advice: its own fields, as they came."""
    body = msgspec.to_builtins(advice)
    for name in ("tenders", "reversalReason"):
        body.pop(name, None)
    return json_answer(HTTPStatus.ACCEPTED, body)


def approved(
    target: Target,
    rule: RequestRule,
    request: messages.MoneyRequest,
    cards: Sequence[BankCard],
    *,
    at: datetime,
    own_id: str,
) -> SimAnswer:
    """Return the 201 response to a financial request, with the balances of the card it is about."""
    body = _response(request, at=at, own_id=own_id)
    for role, card in zip(rule.roles, cards, strict=True):
        body[_camel(role)] = _shown(card, getattr(request, role))
    body["amounts"] = _amounts(rule, request, cards[rule.balance_of])
    body["slipData"] = _slip(rule.name, cards[rule.balance_of], own_id)
    return json_answer(HTTPStatus.CREATED, body, {"location": target.path})


def looked_up(
    target: Target,
    request: messages.LookupRequest,
    card: BankCard,
    shown: PresentedCard,
    *,
    at: datetime,
    own_id: str,
) -> SimAnswer:
    """Return the 201 response to a lookup; posInfo is always there, because Electrum's own check wants it."""
    body = _response(request, at=at, own_id=own_id)
    body.setdefault("posInfo", {"entryMode": {"panEntryMode": "UNKNOWN", "pinEntryCapability": "UNKNOWN"}})
    body["card"] = _shown(card, shown)
    body["amounts"] = _balances(card) | books.TOLD_AMOUNTS.get(card.labels.get("loyalty", ""), {})
    body["slipData"] = _slip("LOOKUP", card, own_id)
    product = card.labels.get("product")
    if product:
        body["product"] = {"id": product, "type": books.PRODUCTS[product][0]}
    body |= books.LOYALTY.get(card.labels.get("loyalty", ""), {})
    return json_answer(HTTPStatus.CREATED, body, {"location": target.path})


def _response(request: messages.TransactionMessage, *, at: datetime, own_id: str) -> Body:
    body: Body = msgspec.to_builtins(request)
    own = {"institutionId": books.RECEIVER["id"], "transactionIdentifier": own_id}
    return (
        {"receiver": books.RECEIVER, "settlementEntity": books.SETTLEMENT_ENTITY}
        | body
        | {
            "time": at.isoformat(timespec="milliseconds"),
            "thirdPartyIdentifiers": [*body["thirdPartyIdentifiers"], own],
        }
    )


def _camel(role: str) -> str:
    first, *others = role.split("_")
    return first + "".join(word.capitalize() for word in others)


def _shown(card: BankCard, shown: PresentedCard) -> Body:
    """Name the card as it was named, without its PIN; the books know the rank of one that has none."""
    rank = shown.rank or card.labels.get("rank")
    return {"pan": card.number, "expiryDate": card.expiry} | ({"rank": rank} if rank else {})


def _amounts(rule: RequestRule, request: messages.MoneyRequest, card: BankCard) -> Body:
    asked: Body = msgspec.to_builtins(request.amounts) if rule.has_amounts and request.amounts else {}
    if "requestAmount" in asked:
        asked["approvedAmount"] = asked["requestAmount"]
    return asked | _balances(card)


def _balances(card: BankCard) -> Body:
    currency = numeric_code(card.currency)
    return {
        "balanceAmount": {"amount": card.book_minor, "currency": currency},
        "availableBalance": {"amount": card.available_minor, "currency": currency},
    }


def _slip(title: str, card: BankCard, own_id: str) -> Body:
    balance = shown(card.currency, card.available_minor)
    return {
        "messageLines": [
            {"text": f"GIFT CARD {title}", "fontWidthScaleFactor": 1.0, "fontHeightScaleFactor": 2.0},
            {"text": f"Card ends in {card.number[-4:]}"},
            {"text": f"Available {balance}"},
            {"text": "", "line": True},
            {"text": "Sandbox: no money was moved", "cut": True},
        ],
        "slipWidth": _SLIP_WIDTH,
        "issuerReference": own_id.replace("-", "").upper(),
    }


def raise_amounts(answer: SimAnswer) -> SimAnswer:
    """Return the answer with every amount in its `amounts` one hundred minor units higher."""
    body = msgspec.json.decode(answer.body) if answer.body else None
    if not isinstance(body, dict) or not isinstance(body.get("amounts"), Mapping):
        return answer
    for amount in body["amounts"].values():
        if "amount" in amount:
            amount["amount"] += _TAMPERED_BY_MINOR
    return msgspec.structs.replace(answer, body=msgspec.json.encode(body))
