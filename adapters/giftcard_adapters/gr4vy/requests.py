"""Our operations and reads as Gr4vy's requests: values in, calls out. Pure; nothing is sent here.

Gr4vy refuses unknown fields, so a body holds exactly what its schema names. What Gr4vy has no field
for is refused by `limits`, or named in docs/providers/gr4vy.md as left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from giftcard_adapters.calls import Call
from giftcard_adapters.errors import Refused
from giftcard_adapters.gr4vy import codes, limits, wire
from giftcard_adapters.gr4vy.settings import Gr4vySettings
from giftcard_adapters.paths import segment
from giftcard_adapters.values.advices import Advice
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Activate, Issue, MoneyOperation, Redeem
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.point_of_sale import Buyer
from giftcard_adapters.values.reads import StoreCard, StoredCardQuery

_LARGEST_PAGE = 100
_REDEMPTION_TARGET = "gift-card-redemption"
"""The `target_type` of a refund that puts money back on a card."""
_LONGEST_REASON = 100
"""As Gr4vy documents it; our contract takes no longer note."""
_REASON = "Reversed by the gift card gateway"


def redemption(ask: Redeem, settings: Gr4vySettings) -> Call:
    """Write the transaction that takes the whole amount from one card, at once."""
    amount = _amount_of(ask)
    body: dict[str, object] = {
        "amount": amount.amount_minor,
        "currency": amount.currency,
        # Gr4vy captures every redemption at once, so "authorize" would be untrue.
        "intent": "capture",
        "gift_cards": [_card(ask.card) | {"amount": amount.amount_minor}],
        "external_identifier": ask.transaction_id,
    }
    body |= _buyer(ask.buyer)
    if ask.external_reference:
        body["metadata"] = {"external_reference": ask.external_reference}
    return _post("/transactions", body, settings, key=ask.transaction_id)


def activation(ask: Activate, settings: Gr4vySettings) -> Call:
    """Write an activation, with amount and currency both or neither."""
    pin = limits.pin_of(ask.card)
    body: dict[str, object] = {"number": ask.card.number.reveal() if ask.card.number else ""}
    if pin is not None:
        body["pin"] = pin.reveal()
    if ask.amount is not None:
        body |= {"amount": ask.amount.amount_minor, "currency": ask.amount.currency}
    body["external_identifier"] = ask.transaction_id
    if ask.store:
        body["store"] = True
    return _post("/gift-cards/activations", body | _buyer(ask.buyer), settings, key=ask.transaction_id)


def issuance(ask: Issue, settings: Gr4vySettings) -> Call:
    """Write the issuance of one virtual card."""
    amount = _amount_of(ask)
    body = {
        "theme": ask.theme_id,
        "amount": amount.amount_minor,
        "currency": amount.currency,
        "external_identifier": ask.transaction_id,
    }
    return _post("/gift-cards/issuances", body, settings, key=ask.transaction_id)


def refund(outcome: Outcome | None, advice: Advice, settings: Gr4vySettings) -> Call:
    """Write the refund that puts an approved redemption back, or part of it.

    Raises ValueError when the outcome is not an approval: an unknown is ended by sending again or
    finding first, and only then is there a redemption to put back. Calling earlier is a defect.
    """
    if outcome is None or outcome.verdict is not Verdict.APPROVED or outcome.approved is None:
        raise ValueError("only an approved redemption can be refunded; end the unknown first")
    amount = advice.amount or outcome.approved
    if amount.currency != outcome.approved.currency or amount.amount_minor > outcome.approved.amount_minor:
        raise ValueError("a reversal puts back at most what was approved, in its currency")
    wanted = wire.RefundRequest(
        amount=amount.amount_minor,
        target_type=_REDEMPTION_TARGET,
        target_id=outcome.references["redemption_id"],
        reason=advice.note[:_LONGEST_REASON] or _REASON,
        external_identifier=advice.advice_id,
    )
    path = f"/transactions/{segment(outcome.references['transaction_id'])}/refunds"
    return _post(path, wanted, settings, key=advice.advice_id)


def transaction(transaction_id: str, settings: Gr4vySettings) -> Call:
    """Write the request for one transaction in full; raise Unreadable for an id that no path can hold."""
    return get(f"/transactions/{segment(transaction_id)}", settings)


def one_refund(refund_id: str, settings: Gr4vySettings) -> Call:
    """Write the request for one refund; raise Unreadable for an id that no path can hold."""
    return get(f"/refunds/{segment(refund_id)}", settings)


def transaction_search(ask: Redeem, settings: Gr4vySettings) -> Call:
    """Write the request for the transactions that carry our external identifier."""
    query = urlencode({"external_identifier": ask.transaction_id, "limit": 2})
    return get(f"/transactions?{query}", settings)


def balances(cards: Sequence[CardRef], settings: Gr4vySettings) -> Call:
    """Write the request for the balances of cards."""
    return _post("/gift-cards/balances", {"items": [_card(card) for card in cards]}, settings)


def storage(ask: StoreCard, settings: Gr4vySettings) -> Call:
    """Write the request that puts a card into the vault."""
    return _post("/gift-cards", _card(ask.card) | _buyer(ask.buyer), settings)


def stored_card(stored_card_id: str, settings: Gr4vySettings) -> Call:
    """Write the request for one stored card; raise Refused for an id that Gr4vy cannot have made."""
    return get(_vault_path(stored_card_id), settings)


def card_list(query: StoredCardQuery, settings: Gr4vySettings) -> Call:
    """Write the request for a page of stored cards, or for a buyer's cards with their balances."""
    parameters: dict[str, str | int] = {**_buyer(query.buyer)}
    if query.with_balances:
        if query.order_by:
            parameters |= {
                "sort_by": codes.ORDERS[query.order_by],
                "order_by": "desc" if query.descending else "asc",
            }
        return get(_with_query("/buyers/gift-cards", parameters), settings)
    if query.page_token:
        parameters["cursor"] = query.page_token
    if query.page_size:
        parameters["limit"] = min(query.page_size, _LARGEST_PAGE)
    return get(_with_query("/gift-cards", parameters), settings)


def deletion(stored_card_id: str, settings: Gr4vySettings) -> Call:
    """Write the request that takes a card out of the vault; raise Refused as `stored_card` does."""
    return _call("DELETE", _vault_path(stored_card_id), settings)


def get(path: str, settings: Gr4vySettings) -> Call:
    """Write a request for what is at `path`."""
    return _call("GET", path, settings)


def _post(path: str, content: object, settings: Gr4vySettings, *, key: str = "") -> Call:
    headers = [("content-type", "application/json")]
    if key:
        headers.append(("idempotency-key", key))
    return _call("POST", path, settings, body=wire.encode(content), headers=headers)


def _call(
    method: str,
    path: str,
    settings: Gr4vySettings,
    *,
    body: bytes = b"",
    headers: Sequence[tuple[str, str]] = (),
) -> Call:
    merchant = ("x-gr4vy-merchant-account-id", settings.merchant_account_id)
    return Call(
        method=method, path=path, body=body, headers=(("accept", "application/json"), merchant, *headers)
    )


def _amount_of(ask: MoneyOperation) -> Money:
    if ask.amount is None:
        raise ValueError("an operation without the amount it needs is refused by check")
    return ask.amount


def _card(card: CardRef) -> dict[str, object]:
    """Return the card as Gr4vy takes it: number and PIN, or the id of a stored card."""
    pin = limits.pin_of(card)
    if card.number is None or pin is None:
        return {"id": card.stored_card_id}
    return {"number": card.number.reveal(), "pin": pin.reveal()}


def _buyer(buyer: Buyer | None) -> dict[str, str]:
    """Return the buyer as Gr4vy's bodies and queries name one."""
    if buyer is None:
        return {}
    named = {"buyer_id": buyer.buyer_id, "buyer_external_identifier": buyer.external_id}
    return {name: value for name, value in named.items() if value}


def _vault_path(stored_card_id: str) -> str:
    if not limits.is_uuid(stored_card_id):
        # Gr4vy makes every id, so one of another shape is an id it never made.
        raise Refused(Decline(reason=DeclineReason.CARD_UNKNOWN, provider_text="not an id Gr4vy makes"))
    return f"/gift-cards/{stored_card_id}"


def _with_query(path: str, parameters: Mapping[str, str | int]) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path
