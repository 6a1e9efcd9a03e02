"""A simulator of GatePay's gift cards in either dialect: signatures, slow issues, test switches.

Written from the guide and the reference. What is invented (the codes for an unknown card and an empty
account, the guide's query and balance fields) is named in docs/providers/gatepay.md. The opening data
is in `books`, the envelope and the checks of every request in `envelope`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Literal
from uuid import UUID

import msgspec

from giftcard_simulators.bank import BalanceChange, Bank, BankCard
from giftcard_simulators.gatepay import books
from giftcard_simulators.gatepay.acts import ACTS
from giftcard_simulators.gatepay.envelope import (
    BALANCE_SHORT,
    NO_SUCH_CARD,
    PARAMETERS,
    SYSTEM,
    FailError,
    admit,
    fail,
    read_object,
    sign,
    success,
)
from giftcard_simulators.sandbox import IdSource, Plain, SimAnswer, SimRequest, Simulator, TimeSource

_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,6})?")
_INSTITUTION = "/payment/open/institution"
_GUIDE_WORDS = {books.READY: "CREATED", books.REDEEMED: "REDEEMED", books.FROZEN: "CANCELLED"}
"""The guide has no status for a failure: a failed card is EXPIRED there (assumption)."""

_Handler = Callable[["GatePaySimulator", SimRequest], object]


class GatePaySimulator(Simulator):
    """One dialect of GatePay. A new card settles after so many queries or seconds, whichever is first."""

    name = "gatepay"
    acts = ACTS

    def __init__(
        self,
        *,
        now: TimeSource,
        ids: IdSource,
        open_with: Callable[[], Iterable[BankCard]] = books.opening_cards,
        dialect: Literal["reference", "guide"] = "reference",
        settles_after_queries: int = 2,
        settles_after_s: float = 5.0,
    ) -> None:
        """Open the books; `open_with` makes the accounts and the cards anew at every reset."""
        super().__init__(now=now, ids=ids)
        self._open_with = open_with
        self._routes = _ROUTES[dialect]
        self._settles_after_queries = settles_after_queries
        self._settles_after = timedelta(seconds=settles_after_s)
        self.reset()

    def reset(self) -> None:
        """Forget every card, and open the books again."""
        self._bank = Bank(self._open_with(), now=self.now)

    @property
    def bank(self) -> Bank:
        """The books."""
        return self._bank

    def cards(self) -> Sequence[Plain]:
        """Return the merchant's accounts and every gift card, in millionths."""
        self._settle_due()
        return self._bank.cards()

    def effects(self) -> Sequence[Plain]:
        """Return each payment and redemption once, in order."""
        self._settle_due()
        return self._bank.effects()

    def tamper(self, answer: SimAnswer) -> SimAnswer:
        """Return the answer with one more unit in the data's amount or balance, if it tells one."""
        body = msgspec.json.decode(answer.body) if answer.body else None
        data = body.get("data") if isinstance(body, dict) else None
        for name in ("amount", "balance"):
            if isinstance(data, dict) and name in data:
                data[name] = str(Decimal(data[name]) + 1)
        return msgspec.structs.replace(answer, body=msgspec.json.encode(body)) if body else answer

    def failure(self, status: int, request: SimRequest) -> SimAnswer:
        """Return a system error in its envelope, or a bare status below 500."""
        del request
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return fail(status, SYSTEM, "system error")
        return SimAnswer(status=status)

    def answer(self, request: SimRequest) -> SimAnswer:
        """Execute one request: the path, then what every request must carry, then the operation."""
        self._settle_due()
        is_institution = request.path.startswith(_INSTITUTION)
        handler = self._routes.get((request.method, request.path.removeprefix(_INSTITUTION)))
        if handler is None:
            return SimAnswer(status=HTTPStatus.NOT_FOUND)
        try:
            admit(request, self.now())
            _represent(request, is_institution=is_institution)
            return success(handler(self, request))
        except FailError as refused:
            return refused.answer()

    def redeem(self, number: str) -> None:
        """Let a Gate user redeem a card, whole, inside Gate's own product."""
        card = self._bank.find(number)
        if card is None or card.state != books.READY:
            raise FailError(NO_SUCH_CARD, "no such card")
        worth = int(card.labels["worth"])
        self._bank.post(
            "redeem", number, changes=[_change(card, -worth)], amount_minor=worth, currency=card.currency
        )
        card.state = books.REDEEMED

    def batch_event(self, external_id: str, amounts: Sequence[str]) -> SimRequest:
        """Return a signed PAY_GIFT_BATCH callback of a paid batch, ready to be posted."""
        made_ms = _milliseconds(self.now())
        items = [
            {
                "amount": amount,
                "channel_id": "sandbox",
                "create_time": made_ms,
                "currency": "USDT",
                "receiver_id": "10000002",
                "status": "PAID",
            }
            for amount in amounts
        ]
        data = msgspec.json.encode({"externalId": external_id, "batchItemList": items}).decode()
        told = {
            "bizType": "PAY_GIFT_BATCH",
            "bizId": "",
            "bizStatus": "PAID",
            "client_id": books.CLIENT_ID,
            "data": data,
        }
        body = msgspec.json.encode(told)
        timestamp, nonce = str(made_ms), self.ids().replace("-", "")
        headers = {
            "content-type": "application/json",
            "x-gatepay-certificate-clientid": books.CLIENT_ID,
            "x-gatepay-timestamp": timestamp,
            "x-gatepay-nonce": nonce,
            "x-gatepay-signature": sign(timestamp, nonce, body),
        }
        return SimRequest(method="POST", path="/", headers=headers, body=body)

    def create(self, request: SimRequest) -> object:
        """Accept a card; it is paid for later."""
        return _created(self._accept(request))

    def guide_create(self, request: SimRequest) -> object:
        """Make a card and pay for it at once: the guide knows no state before CREATED."""
        card = self._accept(request)
        if card.state in {books.PENDING, books.REVIEW}:
            self._settle(card)
        if card.state not in {books.READY, books.FROZEN}:
            raise FailError(BALANCE_SHORT, "the card could not be paid for")
        return {"cardNumber": card.number, "key": card.labels["key"], "status": _guide_word(card)}

    def query(self, request: SimRequest) -> object:
        """Return a card by number or key; the key wins if both are given."""
        asked = read_object(request.body)
        for name in ("card_number", "key"):
            if name in asked and not (isinstance(asked[name], str) and asked[name]):
                raise FailError(PARAMETERS, f"{name} must be a non-empty string")
        card = self._find(asked.get("card_number", ""), asked.get("key", ""))
        card.labels["queries"] = str(int(card.labels["queries"]) + 1)
        self._settle_due()
        return _queried(card)

    def guide_query(self, request: SimRequest) -> object:
        """Return a card by number or key, of which exactly one must be given."""
        card = self._find_by_parameters(request)
        return {
            "cardNumber": card.number,
            "status": _guide_word(card),
            "amount": _written(int(card.labels["worth"])),
            "currency": card.currency,
            "title": card.labels["title"],
        }

    def guide_balance(self, request: SimRequest) -> object:
        """Return a card's balance by number or key, of which exactly one must be given."""
        card = self._find_by_parameters(request)
        return {
            "cardNumber": card.number,
            "currency": card.currency,
            "balance": _written(card.available_minor),
            "status": _guide_word(card),
        }

    def templates(self, _: SimRequest) -> object:
        """List the cover templates."""
        return [
            {
                "card_temp_id": template,
                "image_url": _cover(template),
                "title_en": english,
                "title_cn": chinese,
                "cover_type": kind,
            }
            for template, english, chinese, kind in books.TEMPLATES
        ]

    def guide_templates(self, _: SimRequest) -> object:
        """List the cover templates in the guide's words."""
        return [
            {"templateId": template, "templateName": name, "coverUrl": _cover(template), "status": "ACTIVE"}
            for template, name, _, _ in books.TEMPLATES
        ]

    def account_balances(self, _: SimRequest) -> object:
        """Return the merchant's account, as a map."""
        return {account.currency: _written(account.available_minor) for account in self._accounts()}

    def account_balance_list(self, _: SimRequest) -> object:
        """Return the merchant's account, as a list."""
        return {
            "balance_list": [
                {"currency": account.currency, "available": _written(account.available_minor)}
                for account in self._accounts()
            ]
        }

    def _accept(self, request: SimRequest) -> BankCard:
        wanted = _read_create(request)
        if self._bank.find(books.ACCOUNT + wanted["currency"]) is None:
            raise FailError(PARAMETERS, "unknown currency")
        number = f"{books.PREFIX}{UUID(self.ids()).int % 10**11:011d}"
        card = books.gift_card(
            number,
            int(Decimal(wanted["amount"]) * books.MILLIONTHS),
            wanted["currency"],
            title=wanted["title"],
            template=wanted["templateId"],
            made=self.now(),
            course=books.COURSES.get(wanted["title"], books.USUAL_COURSE),
        )
        if card.state == books.READY:
            card = msgspec.structs.replace(card, state=books.PENDING, book_minor=0, available_minor=0)
            self._bank.open(card)
            self._settle(card)
        else:
            self._bank.open(card)
        return card

    def _settle_due(self) -> None:
        for card in list(self._bank):
            if card.state in {books.PENDING, books.REVIEW} and self._is_due(card):
                self._settle(card)

    def _is_due(self, card: BankCard) -> bool:
        is_old = self.now() - datetime.fromisoformat(card.labels["made"]) >= self._settles_after
        return is_old or int(card.labels["queries"]) >= self._settles_after_queries

    def _settle(self, card: BankCard) -> None:
        """Pay for a card from the account, or fail it; the account can be short of money."""
        worth, account = int(card.labels["worth"]), self._account(card.currency)
        settled = card.labels["settles_to"]
        if settled in {books.READY, books.FROZEN}:
            if account.available_minor < worth:
                is_reviewed = card.state == books.REVIEW
                card.state = books.REVIEW_PAYMENT_FAILED if is_reviewed else books.PAYMENT_FAILED
                return
            self._bank.post(
                "issue",
                card.number,
                changes=[_change(account, -worth), _change(card, worth)],
                amount_minor=worth,
                currency=card.currency,
            )
        card.state = settled

    def _find_by_parameters(self, request: SimRequest) -> BankCard:
        given = request.parameters()
        number, key = given.get("cardNumber", ""), given.get("key", "")
        if number and key:
            raise FailError(PARAMETERS, "cardNumber and key are mutually exclusive")
        return self._find(number, key)

    def _find(self, number: str, key: str) -> BankCard:
        if not (number or key):
            raise FailError(PARAMETERS, "a card number or a key is needed")
        for card in self._gift_cards():
            if card.labels["key"] == key if key else card.number == number:
                return card
        raise FailError(NO_SUCH_CARD, "no such card")

    def _gift_cards(self) -> list[BankCard]:
        return [card for card in self._bank if not card.number.startswith(books.ACCOUNT)]

    def _accounts(self) -> list[BankCard]:
        return [card for card in self._bank if card.number.startswith(books.ACCOUNT)]

    def _account(self, currency: str) -> BankCard:
        return next(account for account in self._accounts() if account.currency == currency)


_ROUTES: Mapping[str, Mapping[tuple[str, str], _Handler]] = {
    "reference": {
        ("POST", "/v1/pay/gift/create"): GatePaySimulator.create,
        ("POST", "/v1/pay/gift/query"): GatePaySimulator.query,
        ("GET", "/v1/pay/gift/temp/list"): GatePaySimulator.templates,
        ("GET", "/v1/pay/balance"): GatePaySimulator.account_balances,
        ("GET", "/v1/pay/balance/query"): GatePaySimulator.account_balance_list,
    },
    "guide": {
        ("POST", "/v1/pay/giftcard/create"): GatePaySimulator.guide_create,
        ("GET", "/v1/pay/giftcard/query"): GatePaySimulator.guide_query,
        ("GET", "/v1/pay/giftcard/template/list"): GatePaySimulator.guide_templates,
        ("GET", "/v1/pay/balance/query"): GatePaySimulator.guide_balance,
    },
}


def _represent(request: SimRequest, *, is_institution: bool) -> None:
    sub_account = request.headers.get("x-gatepay-on-behalf-of", "")
    if is_institution and sub_account != books.SUB_ACCOUNT:
        raise FailError(PARAMETERS, "unknown sub-account")


def _read_create(request: SimRequest) -> dict[str, Any]:
    wanted = read_object(request.body)
    for name in ("title", "templateId", "currency", "amount"):
        if not isinstance(wanted.get(name), str) or not wanted[name]:
            raise FailError(PARAMETERS, f"{name} must be a non-empty string")
    if not _AMOUNT.fullmatch(wanted["amount"]) or not Decimal(wanted["amount"]):
        raise FailError(PARAMETERS, "amount must be a positive decimal of at most 6 decimals")
    if wanted["templateId"] not in {template for template, *_ in books.TEMPLATES}:
        raise FailError(PARAMETERS, "unknown template")
    if wanted.get("count", 1) != 1:
        raise FailError(PARAMETERS, "count is not supported here")
    return wanted


def _created(card: BankCard) -> dict[str, object]:
    return {
        "card_num": card.number,
        "card_key": card.labels["key"],
        "amount": _written(int(card.labels["worth"])),
        "currency": card.currency,
        "status": int(card.state),
        "card_temp_id": card.labels["template"],
        "creator": books.MERCHANT_UID,
        "creator_name": books.MERCHANT_NAME,
        "exchange_uid": 0,
        "owner": books.MERCHANT_UID,
        "give_count": 0,
        "last_give_time": 0,
        "create_time": _made_ms(card),
    }


def _queried(card: BankCard) -> dict[str, object]:
    """Return a card's fields; exchange_time is set on unredeemed ones too, as in the reference."""
    return {
        "card_num": card.number,
        "key": card.labels["key"],
        "title": card.labels["title"],
        "creator_name": books.MERCHANT_NAME,
        "amount": _written(int(card.labels["worth"])),
        "status": int(card.state),
        "currency": card.currency,
        "create_time": _made_ms(card),
        "exchange_uid": books.MERCHANT_UID + 1 if card.state == books.REDEEMED else 0,
        "exchange_time": _made_ms(card),
        "card_temp_id": card.labels["template"],
    }


def _guide_word(card: BankCard) -> str:
    return _GUIDE_WORDS.get(card.state, "EXPIRED")


def _cover(template: str) -> str:
    return f"https://gatepay.sandbox.example/covers/{template}.png"


def _change(card: BankCard, millionths: int) -> BalanceChange:
    return BalanceChange(card=card.number, book_minor=millionths, available_minor=millionths)


def _written(millionths: int) -> str:
    """Write an amount as the examples do: no more decimals than it needs, two at least."""
    exact = Decimal(millionths).scaleb(-6)
    short = exact.quantize(Decimal("0.01"))
    return f"{short if short == exact else exact.normalize():f}"


def _made_ms(card: BankCard) -> int:
    return _milliseconds(datetime.fromisoformat(card.labels["made"]))


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
