"""Gr4vy's endpoints for gift cards: the routes, the scopes each needs, and a handler for each.

Tokens and repeated keys are checked in `simulator`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from giftcard_simulators.gr4vy import books, shapes
from giftcard_simulators.gr4vy.messages import (
    ActivationBody,
    BalancesBody,
    CardItem,
    IssuanceBody,
    RefundAllBody,
    RefundBody,
    StoreBody,
    TransactionBody,
    buyer_of,
    check_cards,
    read,
)
from giftcard_simulators.gr4vy.payments import Paid, Payments
from giftcard_simulators.gr4vy.problems import Problem, Unprocessable
from giftcard_simulators.gr4vy.service import CardService, ServiceError
from giftcard_simulators.gr4vy.vault import NOBODY, BuyerIds, Vault
from giftcard_simulators.sandbox import IdSource, Plain, SimAnswer, SimRequest, TimeSource, json_answer

_DEFAULT_PAGE, _LARGEST_PAGE = 20, 100
_SORTS = ("last_used_at", "usage_count", "cit_last_used_at", "cit_usage_count")

_ID = "([^/]+)"


class Endpoints:
    """One handler for each endpoint, from a request and the ids in its path to an answer."""

    def __init__(
        self, service: CardService, vault: Vault, payments: Payments, *, now: TimeSource, ids: IdSource
    ) -> None:
        """Keep what the handlers share."""
        self._service = service
        self._vault = vault
        self._payments = payments
        self._now = now
        self._ids = ids
        self._issued = 0

    # --- transactions and refunds ---

    def pay(self, request: SimRequest, _: Sequence[str]) -> SimAnswer:
        """Make a transaction."""
        paid = self._payments.pay(read(request.body, TransactionBody))
        return json_answer(201, shapes.transaction(paid, self._now()))

    def transactions(self, request: SimRequest, _: Sequence[str]) -> SimAnswer:
        """List transactions."""
        wanted = request.parameters()
        found = [paid for paid in self._payments.all() if _fits(paid, wanted)]
        return _page([shapes.transaction_row(paid, self._now()) for paid in found], wanted)

    def transaction(self, _: SimRequest, ids: Sequence[str]) -> SimAnswer:
        """Return a transaction in full."""
        return json_answer(200, shapes.transaction(self._payments.get(ids[0]), self._now()))

    def refund(self, request: SimRequest, ids: Sequence[str]) -> SimAnswer:
        """Refund a redemption."""
        body = read(request.body, RefundBody)
        put = self._payments.refund(self._payments.get(ids[0]), body)
        return json_answer(201, shapes.refund(put, self._now()))

    def refund_all(self, request: SimRequest, ids: Sequence[str]) -> SimAnswer:
        """Refund everything."""
        body = read(request.body, RefundAllBody) if request.body else RefundAllBody()
        puts = self._payments.refund_all(self._payments.get(ids[0]), body.reason, body.external_identifier)
        return json_answer(201, {"items": [shapes.refund(put, self._now()) for put in puts]})

    def refunds(self, _: SimRequest, ids: Sequence[str]) -> SimAnswer:
        """List a transaction's refunds."""
        puts = self._payments.refunds_of(self._payments.get(ids[0]))
        return json_answer(200, {"items": [shapes.refund(put, self._now()) for put in puts]})

    def one_refund(self, _: SimRequest, ids: Sequence[str]) -> SimAnswer:
        """Return a refund."""
        return json_answer(200, shapes.refund(self._payments.refund_of(ids[-1]), self._now()))

    # --- cards ---

    def balances(self, request: SimRequest, _: Sequence[str]) -> SimAnswer:
        """Return balances; the error of one card is inside its item of a 200."""
        items = read(request.body, BalancesBody).items
        check_cards(items, "/items")
        return json_answer(200, {"items": [self._balance(item) for item in items]})

    def _balance(self, item: CardItem) -> Plain:
        number, pin, stored_id = self._payments.named(item)
        stored = self._vault.get(stored_id) if stored_id else None
        try:
            card = self._service.usable_card(number, pin)
        except ServiceError as why:
            return shapes.summary(number, None, why, stored)
        return shapes.summary(number, card, None, stored)

    def activate(self, request: SimRequest, _: Sequence[str]) -> SimAnswer:
        """Activate a physical card."""
        body = read(request.body, ActivationBody)
        buyer = buyer_of(body.buyer_id, body.buyer_external_identifier)
        _check_activation(body, buyer)
        effect_id = body.external_identifier or self._ids()
        try:
            card = self._service.activate(body.number, body.pin, body.amount or 0, effect_id)
        except ServiceError as why:
            raise Problem(400, message=f"The activation failed: {why.code}", pointer="/number") from None
        stored = self._vault.keep(card, body.pin or "", buyer) if body.store else None
        card_id = stored.id if stored else self._ids()
        return json_answer(201, shapes.gift_card(card, card_id=card_id, at=self._now(), stored=stored))

    def issue(self, request: SimRequest, _: Sequence[str]) -> SimAnswer:
        """Issue a virtual card."""
        body = read(request.body, IssuanceBody)
        if body.theme != books.THEME:
            raise Problem(400, message="There is no such theme", pointer="/theme")
        if body.currency != books.CURRENCY:
            raise Problem(400, message="The service issues in another currency", pointer="/currency")
        self._issued += 1
        number = f"60451990{self._issued:08d}"
        issuance_id = self._ids()
        self._service.issue(number, body.amount, body.external_identifier or issuance_id)
        shape = shapes.issuance(
            issuance_id,
            number=number,
            amount=body.amount,
            currency=body.currency,
            name=body.external_identifier,
            at=self._now(),
        )
        return json_answer(201, shape)

    # --- vault ---

    def store(self, request: SimRequest, _: Sequence[str]) -> SimAnswer:
        """Store a card."""
        body = read(request.body, StoreBody)
        buyer = buyer_of(body.buyer_id, body.buyer_external_identifier)
        stored = self._vault.store(body.number, body.pin, buyer)
        return json_answer(201, self._stored_shape(stored.id))

    def list_stored(self, request: SimRequest, _: Sequence[str]) -> SimAnswer:
        """List stored cards."""
        wanted = request.parameters()
        found = self._vault.of(_buyer_wanted(wanted))
        return _page([self._stored_shape(stored.id) for stored in found], wanted)

    def get_stored(self, _: SimRequest, ids: Sequence[str]) -> SimAnswer:
        """Return a stored card."""
        return json_answer(200, self._stored_shape(ids[0]))

    def delete_stored(self, _: SimRequest, ids: Sequence[str]) -> SimAnswer:
        """Delete a stored card."""
        self._vault.delete(ids[0])
        return SimAnswer(status=204)

    def of_buyer(self, request: SimRequest, _: Sequence[str]) -> SimAnswer:
        """Return a buyer's cards with their balances; drops the empty and the expired ones."""
        wanted = request.parameters()
        buyer = _buyer_wanted(wanted)
        if buyer == NOBODY:
            raise Problem(400, message="Name a buyer")
        sort = wanted.get("sort_by")
        if sort is not None and sort not in _SORTS:
            raise Unprocessable(("query", "sort_by"), "literal_error")
        items = [self._balance(CardItem(id=UUID(stored.id))) for stored in self._vault.sweep(buyer)]
        if sort is not None:
            items.sort(key=lambda item: _rank(item[sort]), reverse=wanted.get("order_by") != "asc")
        return json_answer(200, {"items": items})

    def _stored_shape(self, stored_id: str) -> Plain:
        stored = self._vault.get(stored_id)
        return shapes.gift_card(stored.card, card_id=stored.id, at=stored.created_at, stored=stored)


def _buyer_wanted(wanted: Mapping[str, str]) -> BuyerIds:
    return wanted.get("buyer_id", ""), wanted.get("buyer_external_identifier", "")


def _check_activation(body: ActivationBody, buyer: BuyerIds) -> None:
    if (body.amount is None) != (body.currency is None):
        raise Problem(400, message="Amount and currency come together", pointer="/amount")
    if body.store and body.pin is None:
        raise Problem(400, message="Storing needs the PIN", pointer="/pin")
    if buyer != NOBODY and not body.store:
        raise Problem(400, message="A buyer needs store", pointer="/buyer_id")
    if body.currency not in {None, books.CURRENCY}:
        raise Problem(400, message="The card holds another currency", pointer="/currency")


def _rank(value: object) -> str:
    return f"{value:09d}" if isinstance(value, int) else str(value or "")


def _fits(paid: Paid, wanted: Mapping[str, str]) -> bool:
    told: Mapping[str, Sequence[str | None]] = {
        "id": [paid.id],
        "amount_eq": [str(paid.asked.amount)],
        "currency": [paid.asked.currency],
        "buyer_id": [paid.buyer[0]],
        "buyer_external_identifier": [paid.buyer[1]],
        "external_identifier": [paid.asked.external_identifier],
        "gift_card_id": [redemption.stored_id for redemption in paid.redemptions],
        "gift_card_last4": [redemption.number[-4:] for redemption in paid.redemptions],
        "has_gift_card_redemptions": ["true" if paid.redemptions else "false"],
    }
    return all(wanted[name] in values for name, values in told.items() if name in wanted)


def _page(items: Sequence[Plain], wanted: Mapping[str, str]) -> SimAnswer:
    """Return one page; a cursor is where the next one begins."""
    text = wanted.get("limit", str(_DEFAULT_PAGE))
    if not (text.isdigit() and 1 <= int(text) <= _LARGEST_PAGE):
        raise Unprocessable(("query", "limit"), "int_parsing")
    limit = int(text)
    try:
        begin = int(base64.urlsafe_b64decode(wanted["cursor"])) if "cursor" in wanted else 0
    except ValueError:
        raise Problem(400, message="The cursor is not one of ours") from None
    page = {
        "items": items[begin : begin + limit],
        "limit": limit,
        "next_cursor": _cursor(begin + limit) if begin + limit < len(items) else None,
        "previous_cursor": _cursor(max(0, begin - limit)) if begin else None,
    }
    return json_answer(200, page)


def _cursor(begin: int) -> str:
    return base64.urlsafe_b64encode(str(begin).encode()).decode()


Handler = Callable[[Endpoints, SimRequest, Sequence[str]], SimAnswer]

_CARD_READ, _CARD_WRITE = ("gift-cards.read",), ("gift-cards.write",)
_PAY_READ, _PAY_WRITE = ("transactions.read",), ("transactions.write",)
_EMBED = ("embed",)

ROUTES: tuple[tuple[str, str, tuple[str, ...], Handler], ...] = (
    ("POST", "/gift-cards", _CARD_WRITE + _EMBED, Endpoints.store),
    ("GET", "/gift-cards", _CARD_READ, Endpoints.list_stored),
    ("POST", "/gift-cards/balances", _CARD_READ + _EMBED, Endpoints.balances),
    ("POST", "/gift-cards/activations", _CARD_WRITE + _EMBED, Endpoints.activate),
    ("POST", "/gift-cards/issuances", _CARD_WRITE, Endpoints.issue),
    ("GET", f"/gift-cards/{_ID}", _CARD_READ, Endpoints.get_stored),
    ("DELETE", f"/gift-cards/{_ID}", _CARD_WRITE, Endpoints.delete_stored),
    ("GET", "/buyers/gift-cards", _CARD_READ, Endpoints.of_buyer),
    ("POST", "/transactions", _PAY_WRITE + _EMBED, Endpoints.pay),
    ("GET", "/transactions", _PAY_READ, Endpoints.transactions),
    ("GET", f"/transactions/{_ID}", _PAY_READ, Endpoints.transaction),
    ("GET", f"/transactions/{_ID}/refunds", _PAY_READ, Endpoints.refunds),
    ("POST", f"/transactions/{_ID}/refunds", _PAY_WRITE, Endpoints.refund),
    ("POST", f"/transactions/{_ID}/refunds/all", _PAY_WRITE, Endpoints.refund_all),
    ("GET", f"/transactions/{_ID}/refunds/{_ID}", _PAY_READ, Endpoints.one_refund),
    ("GET", f"/refunds/{_ID}", _PAY_READ, Endpoints.one_refund),
)
