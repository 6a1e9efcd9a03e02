"""A simulator of Kyzpay's JeudiMerci e-cards: generate as documented, the rest as its titles suggest.

Only generate, the webhook and 422 are public. The other paths and bodies are invented and documented in
docs/providers/jeudimerci.md; so are 400, 401, 402 and 404. What it opens with is in `books`.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from email.utils import format_datetime
from http import HTTPStatus
from http.client import responses
from typing import TypeVar
from urllib.parse import unquote

import msgspec

from giftcard_simulators.bank import BalanceChange, Bank, BankCard
from giftcard_simulators.jeudimerci import books
from giftcard_simulators.jeudimerci.acts import ACTS
from giftcard_simulators.jeudimerci.messages import (
    AccountsFilter,
    BodyFault,
    OfferList,
    Purchase,
    TicketFilter,
    WireOffer,
    read,
)
from giftcard_simulators.sandbox import (
    IdSource,
    Plain,
    SimAnswer,
    SimRequest,
    Simulator,
    TimeSource,
    json_answer,
)

NO_CARD, NO_EXPORT = "E-card not found", "Export not found"
_CENTS = 100
_EXPORT_ITEM = b'{"accountId":"account-%07d","name":"Sandbox Account","currency":"EUR","balance":0.00}'
_EXPORT_LINE = b"account-%07d;Sandbox Account;EUR;0.00\n"


class _Problem(Exception):
    """An error answer: its status, and the `detail` of its body."""

    def __init__(self, status: int, detail: object) -> None:
        """Keep both."""
        super().__init__(status)
        self.status = status
        self.detail = detail


T = TypeVar("T")
_Handler = Callable[["JeudiMerciSimulator", SimRequest, str], object]


class JeudiMerciSimulator(Simulator):
    """The nine operations behind an x-api-key; an export has `export_size_bytes`, give or take a line."""

    name = "jeudimerci"
    acts = ACTS

    def __init__(
        self,
        *,
        now: TimeSource,
        ids: IdSource,
        open_with: Callable[[], Iterable[BankCard]] = books.opening_cards,
        export_size_bytes: int = 64 * 1024,
    ) -> None:
        """Open the books; `open_with` makes the wallet and the cards anew at every reset."""
        super().__init__(now=now, ids=ids)
        self._open_with = open_with
        self._export_size_bytes = export_size_bytes
        self.reset()

    def reset(self) -> None:
        """Forget every purchase, and open the books again."""
        self._bank = Bank(self._open_with(), now=self.now)
        self._offers: dict[str, Mapping[str, object]] = {str(o["offerId"]): o for o in books.OFFERS}

    @property
    def bank(self) -> Bank:
        """The books."""
        return self._bank

    def cards(self) -> Sequence[Plain]:
        """Return the wallet and every e-card, in cents."""
        return self._bank.cards()

    def effects(self) -> Sequence[Plain]:
        """Return each purchase, deletion and consumption once, in order."""
        return self._bank.effects()

    def tamper(self, answer: SimAnswer) -> SimAnswer:
        """Return the answer with every ECardCost one euro higher."""
        raised = re.sub(
            rb'"ECardCost":([0-9.]+)',
            lambda found: b'"ECardCost":' + str(Decimal(found[1].decode()) + 1).encode(),
            answer.body,
        )
        return msgspec.structs.replace(answer, body=raised)

    def failure(self, status: int, request: SimRequest) -> SimAnswer:
        """Return an error status with FastAPI's own body; a 404 speaks of what the path names."""
        gone = {"ecards": NO_CARD, "exports": NO_EXPORT}.get(
            request.path.rpartition("/")[0].rpartition("/")[2]
        )
        is_gone = status == HTTPStatus.NOT_FOUND and gone is not None
        return self._answer(status, {"detail": gone if is_gone else responses.get(status, "")})

    def answer(self, request: SimRequest) -> SimAnswer:
        """Execute one request: the key, then path and method, then the body."""
        try:
            _trust(request.headers.get("x-api-key", ""))
            handler, name = _route(request)
            content = handler(self, request, name)
        except _Problem as problem:
            return self._answer(problem.status, {"detail": problem.detail})
        return content if isinstance(content, SimAnswer) else self._answer(HTTPStatus.OK, content)

    def consume(self, code: str) -> None:
        """Spend what is left on an e-card, as its holder would in a shop; the API has no such call."""
        card = self._card(code)
        self._bank.post(
            "redeem",
            card.labels["operation"],
            changes=[_change(card, -card.book_minor)],
            amount_minor=card.book_minor,
            currency=card.currency,
        )
        card.state = books.CONSUMED

    def completed_event(self, code: str, *, merchant_operation_id: str = "") -> SimRequest:
        """Return the event of a completed purchase, ready to be posted to a webhook's address."""
        card = self._card(code)
        resource = {
            "operationId": card.labels["operation"],
            "offerId": card.labels["offer"],
            "amount": _major(int(card.labels["cost_minor"])),
            "merchantOperationId": merchant_operation_id,
            "virtualCardCode": code,
            "pinCode": "0000",
            "barCode": f"*{code}*",
            "expirationDate": "2030-12-31T23:59:59Z",
        }
        event = {
            "eventType": "GiftCardPurchaseCompleted",
            "date": self.now().isoformat(),
            "resource": resource,
        }
        headers = {"x-api-key": books.WEBHOOK_KEY, "content-type": "application/json"}
        return SimRequest(method="POST", path="/", headers=headers, body=_encode(event))

    def generate(self, request: SimRequest, _: str) -> object:
        """Sell e-cards from the wallet; they are live at once."""
        wanted = _read(request, Purchase)
        price_minor = int(wanted.price * _CENTS)
        count = wanted.num_cards - (wanted.price == books.SHORT_PRICE)
        wallet = self._card(books.WALLET)
        if wallet.available_minor < count * price_minor:
            raise _Problem(HTTPStatus.PAYMENT_REQUIRED, "Insufficient wallet balance")
        operation, bought = self.ids(), self.now()
        cost_minor = 0 if wanted.price == books.COSTLESS_PRICE else price_minor
        sold = [
            books.e_card(self._fresh_code(), cost_minor, bought, operation=operation) for _ in range(count)
        ]
        for card in sold:
            self._bank.open(card)
        self._bank.post(
            "issue",
            operation,
            changes=[_change(wallet, -count * price_minor), *(_change(card, price_minor) for card in sold)],
            amount_minor=count * price_minor,
            currency=books.CURRENCY,
        )
        words = {books.PENDING_PRICE: "pending", books.SHORT_PRICE: "partial"}
        return {"eCards": [_shown(card) for card in sold], "status": words.get(wanted.price, "success")}

    def list_cards(self, _: SimRequest, __: str) -> object:
        """List every e-card that is not deleted, oldest first."""
        return {"eCards": [_shown(card) for card in self._e_cards()]}

    def details(self, _: SimRequest, code: str) -> object:
        """Return one e-card's details."""
        return _shown(self._card(code))

    def delete(self, _: SimRequest, code: str) -> object:
        """Delete an e-card and put what is left on it back into the wallet; not when it is consumed."""
        card = self._card(code)
        if card.state == books.CONSUMED:
            raise _Problem(HTTPStatus.BAD_REQUEST, "E-card already consumed")
        left = card.book_minor
        self._bank.post(
            "reverse",
            card.labels["operation"],
            changes=[_change(card, -left), _change(self._card(books.WALLET), left)],
            amount_minor=left,
            currency=card.currency,
        )
        card.state = books.DELETED
        return {"status": "success"}

    def list_offers(self, _: SimRequest, __: str) -> object:
        """List the offers."""
        return {"offers": list(self._offers.values())}

    def sync_offers(self, request: SimRequest, _: str) -> object:
        """Add or replace the offers sent; the ones not sent stay as they are."""
        sent = [_plain(offer) for offer in _read(request, OfferList).offers]
        known = {str(offer["offerId"]) for offer in sent} & self._offers.keys()
        self._offers |= {str(offer["offerId"]): offer for offer in sent}
        return {
            "offers": list(self._offers.values()),
            "created": len(sent) - len(known),
            "updated": len(known),
            "removed": 0,
        }

    def extract_accounts(self, request: SimRequest, _: str) -> object:
        """Filter the accounts; an exportFormat of csv or json also makes a file."""
        wanted = _read(request, AccountsFilter)
        made = wanted.export_format
        found = [account for account in books.ACCOUNTS if _fits(account, wanted)]
        return {"accounts": found, "exportId": f"accounts-{made}" if made else "", "isReady": True}

    def export(self, _: SimRequest, export_id: str) -> object:
        """Return an export file."""
        if export_id not in {"accounts-csv", "accounts-json"}:
            raise _Problem(HTTPStatus.NOT_FOUND, NO_EXPORT)
        is_csv = export_id == "accounts-csv"
        headers = {
            "content-type": "text/csv" if is_csv else "application/json",
            "content-disposition": f'attachment; filename="{export_id.replace("-", ".")}"',
            "date": format_datetime(self.now()),
        }
        line = _EXPORT_LINE if is_csv else _EXPORT_ITEM
        items = [line % n for n in range(-(-self._export_size_bytes // len(line % 0)))]
        body = b"".join(items) if is_csv else b"[" + b",".join(items) + b"]"
        return SimAnswer(status=HTTPStatus.OK, headers=headers, body=body)

    def tickets(self, request: SimRequest, _: str) -> object:
        """Count e-cards bought in the days asked for, and their cost."""
        wanted = _read(request, TicketFilter)
        cards = [card for card in self._e_cards() if _is_wanted(card, wanted)]
        consumed = [card for card in cards if card.state == books.CONSUMED]
        return {
            "issued": len(cards),
            "consumed": len(consumed),
            "issuedValue": _major(sum(int(card.labels["cost_minor"]) for card in cards)),
            "consumedValue": _major(sum(int(card.labels["cost_minor"]) for card in consumed)),
            "currency": books.CURRENCY,
        }

    def _e_cards(self) -> list[BankCard]:
        return [card for card in self._bank if card.number != books.WALLET and card.state != books.DELETED]

    def _card(self, code: str) -> BankCard:
        card = self._bank.find(code)
        if card is None or card.state == books.DELETED:
            raise _Problem(HTTPStatus.NOT_FOUND, NO_CARD)
        return card

    def _fresh_code(self) -> str:
        return f"JDM{self.ids().replace('-', '')[:16].upper()}"

    def _answer(self, status: int, content: object) -> SimAnswer:
        answer = json_answer(status, None, {"date": format_datetime(self.now())})
        return msgspec.structs.replace(answer, body=_encode(content))


_ROUTES: Sequence[tuple[str, str, _Handler]] = (
    ("POST", "/jdm/ecards/generate", JeudiMerciSimulator.generate),
    ("GET", "/jdm/ecards", JeudiMerciSimulator.list_cards),
    ("GET", "/jdm/ecards/([^/]+)", JeudiMerciSimulator.details),
    ("DELETE", "/jdm/ecards/([^/]+)", JeudiMerciSimulator.delete),
    ("GET", "/jdm/offers", JeudiMerciSimulator.list_offers),
    ("POST", "/jdm/offers/sync", JeudiMerciSimulator.sync_offers),
    ("POST", "/stats/accounts/extract", JeudiMerciSimulator.extract_accounts),
    ("GET", "/stats/exports/([^/]+)", JeudiMerciSimulator.export),
    ("POST", "/stats/tickets", JeudiMerciSimulator.tickets),
)


def _trust(key: str) -> None:
    if not hmac.compare_digest(key.encode(), books.API_KEY.encode()):
        raise _Problem(HTTPStatus.UNAUTHORIZED, "Invalid API key")


def _route(request: SimRequest) -> tuple[_Handler, str]:
    fitting = [
        (method, found, handler)
        for method, pattern, handler in _ROUTES
        if (found := re.fullmatch(pattern, request.path))
    ]
    if not fitting:
        raise _Problem(HTTPStatus.NOT_FOUND, "Not Found")
    for method, found, handler in fitting:
        if method == request.method:
            return handler, unquote(found[1]) if found.groups() else ""
    raise _Problem(HTTPStatus.METHOD_NOT_ALLOWED, "Method Not Allowed")


def _read(request: SimRequest, kind: type[T]) -> T:
    content_type = request.headers.get("content-type", "").partition(";")[0]
    try:
        return read(request.body if content_type == "application/json" else b"null", kind)
    except BodyFault as fault:
        detail = [{"loc": fault.place, "msg": fault.text, "type": fault.kind}]
        raise _Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from None


def _plain(offer: WireOffer) -> Mapping[str, object]:
    told: Mapping[str, object] = msgspec.to_builtins(offer)
    return told


def _fits(account: Mapping[str, object], wanted: AccountsFilter) -> bool:
    is_named = not wanted.account_ids or account["accountId"] in wanted.account_ids
    is_of_currency = not wanted.currency or account["currency"] == wanted.currency
    return is_named and is_of_currency and wanted.mandate_type in {None, "", account["mandateType"]}


def _is_wanted(card: BankCard, wanted: TicketFilter) -> bool:
    day = datetime.fromisoformat(card.labels["bought"]).date()
    is_in_time = (wanted.from_day or day) <= day <= (wanted.to_day or day)
    is_of_offer = wanted.offer_id in {None, "", card.labels["offer"]}
    is_told = wanted.is_consumed in {None, card.state == books.CONSUMED}
    return is_of_offer and is_in_time and is_told


def _shown(card: BankCard) -> dict[str, object]:
    return {
        "Code": card.number,
        "ECardCost": _major(int(card.labels["cost_minor"])),
        "PurchaseDate": card.labels["bought"],
        "ShortenedURL": f"https://jdm.sandbox.example/{card.number[-8:].lower()}",
        "IsFullyConsumed": card.state == books.CONSUMED,
    }


def _change(card: BankCard, minor: int) -> BalanceChange:
    return BalanceChange(card=card.number, book_minor=minor, available_minor=minor)


def _major(minor: int) -> Decimal:
    return Decimal(minor).scaleb(-2)


_encode = msgspec.json.Encoder(decimal_format="number").encode
