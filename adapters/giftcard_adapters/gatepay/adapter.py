"""Gate.com's GatePay gift cards: issued from the merchant's payment account, redeemed inside Gate.

Source: the gift card guide (seed 001), the API reference and the official SDKs, which disagree; a setting
picks the dialect. Everything is signed, business errors come inside HTTP 200, and an issue is accepted
long before it is certain. The JSON is in `wire`, what it means in `views`.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import ClassVar
from urllib.parse import urlencode

import msgspec

from giftcard_adapters.calls import Call, Moment, Reply
from giftcard_adapters.codec import decode
from giftcard_adapters.contract import Provider, Settings, traits
from giftcard_adapters.errors import (
    Invalid,
    Refused,
    SettingsError,
    Unreadable,
    Unsupported,
    WebhookRejected,
)
from giftcard_adapters.exchange import Exchange
from giftcard_adapters.gatepay import views, wire
from giftcard_adapters.scrub import scrub
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import CURRENCIES, MoneyError, from_decimal, to_decimal
from giftcard_adapters.values.operations import Issue, MoneyOperation
from giftcard_adapters.values.outcomes import Balances, IssuedCard, Outcome, Verdict
from giftcard_adapters.values.reads import (
    CardView,
    Lookup,
    ProviderEvent,
    Template,
    Webhook,
    WebhookReply,
)
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.traits import Ending, Guarantee

_JSON = (("content-type", "application/json"),)
"""Asked of every request, a GET too, else 400007."""
_BATCH = "PAY_GIFT_BATCH"
_MS = 1000


class Dialect(StrEnum):
    """Which of GatePay's two descriptions the server speaks."""

    REFERENCE = "reference"
    """The API reference and the three official SDKs; most likely the real server (assumption)."""
    GUIDE = "guide"
    """The gift card guide, seed 001."""


class Paths(msgspec.Struct, frozen=True):
    """Where a dialect keeps its operations."""

    create: str
    templates: str
    query: str
    balance: str


PATHS: Mapping[Dialect, Paths] = {
    Dialect.REFERENCE: Paths(
        "/v1/pay/gift/create", "/v1/pay/gift/temp/list", "/v1/pay/gift/query", "/v1/pay/balance/query"
    ),
    Dialect.GUIDE: Paths(
        "/v1/pay/giftcard/create",
        "/v1/pay/giftcard/template/list",
        "/v1/pay/giftcard/query",
        "/v1/pay/balance/query",
    ),
}


class GatePaySettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one GatePay application is reached. The public base URL is https://openplatform.gateapi.io."""

    client_id: str
    api_secret: Secret
    """The "Payment API Secret"; signs what we send."""
    webhook_secret: Secret | None = None
    """Verifies callbacks; the api secret where left out, because the scheme is the same."""
    dialect: Dialect = Dialect.REFERENCE
    currencies: dict[str, str] = msgspec.field(default_factory=dict)
    """Our ISO 4217 code to the provider's, such as `USD = "USDT"`: the operator's decision, never ours."""
    title: str = ""
    """The title of a card whose issue names none."""
    template_id: str = ""
    """The template of a card whose issue names none."""
    certificate_sn: Secret | None = None
    """Sent with every POST, as the Java SDK does; not in the current documentation."""
    on_behalf_of: str = ""
    """The sub-account id of the institution variant, reference dialect only."""
    institution_prefix: str = "/payment/open/institution"
    webhook_drift_s: float = 600.0
    """How old a callback may be; whether a repeated one is signed anew is not public."""


class GatePay(Provider):
    """One GatePay application."""

    settings: GatePaySettings
    settings_type: ClassVar[type[Settings]] = GatePaySettings
    facts: ClassVar[str] = (
        "An issue is asynchronous and carries no key: one without an answer needs a person, one accepted is "
        "asked about until it is paid for. There is no way back. Two dialects, by a setting."
    )
    leaves_out: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            (
                *("point_of_sale", "product", "basket", "basket_reference", "card_holder", "buyer"),
                *("third_party_identifiers", "external_reference", "transaction_type", "source_account"),
                *("destination_account", "system_trace_number", "retrieval_reference"),
            ),
            "a create takes a title, a template and an amount, a query names a card",
        ),
        **dict.fromkeys(
            (f"{card}.{part}" for card in ("card", "cards") for part in ("expiry", "pin", "rank")),
            "GatePay finds a card by its number or key alone",
        ),
        "confirm_issue.tenders": "GatePay has no confirmation",
    }

    def __init__(self, settings: GatePaySettings, exchange: Exchange) -> None:
        """Keep the settings; refuse what their types cannot say."""
        super().__init__(settings, exchange)
        faults = list(_faults_of(settings))
        if faults:
            raise SettingsError(faults)
        self._paths = PATHS[settings.dialect]
        self._prefix = settings.institution_prefix if settings.on_behalf_of else ""

    def check(self, ask: MoneyOperation) -> None:
        """Refuse an issue that a create has no field for, or misses one."""
        if not isinstance(ask, Issue):
            return
        if ask.theme_id or ask.offer_id or ask.points:
            raise Unsupported("GatePay has no field for a theme, an offer or points")
        violations = list(self._violations(ask))
        if violations:
            raise Invalid(violations)

    def _violations(self, ask: Issue) -> Sequence[tuple[str, str]]:
        faults = []
        if ask.amount is None or ask.amount.amount_minor <= 0:
            faults.append(("amount", "GatePay needs an amount of more than zero"))
        if ask.quantity != 1:
            # Only the Go SDK knows `count`, and the one card it answers leaves the others unnamed.
            faults.append(("quantity", "GatePay issues one card at a time"))
        if not (ask.title or self.settings.title):
            faults.append(("title", "GatePay needs a title for the card"))
        if not (ask.template_id or self.settings.template_id):
            faults.append(("template_id", "GatePay needs a cover template; list_templates names them"))
        return faults

    @traits(Guarantee.NONE, Ending.FIND)
    async def issue(self, ask: Issue) -> Outcome:
        """Create a card; sent once and never again, for a create carries no key of ours.

        An accepted card that is not paid for yet is UNKNOWN, with all that `find` needs to ask again.
        """
        reply = await self._send(self._post(self._paths.create, self._create_request(ask)), "create")
        envelope = decode(reply.body, wire.ENVELOPE)
        if views.is_open(reply, envelope):
            said = views.decline_of(envelope)
            return _unknown(f"HTTP {reply.status}, code {said.provider_code}: {said.provider_text}")
        if envelope.status == views.FAIL:
            return Outcome(verdict=Verdict.DECLINED, decline=views.decline_of(envelope))
        card = decode(envelope.data, wire.CREATED_CARD)
        return self._judge(ask, card, views.issued_card(card, ask.amount))

    def _create_request(self, ask: Issue) -> wire.CreateRequest:
        if ask.amount is None:
            raise Invalid([("amount", "GatePay needs an amount")])
        return wire.CreateRequest(
            title=ask.title or self.settings.title,
            template_id=ask.template_id or self.settings.template_id,
            currency=self._their_currency(ask.amount.currency),
            amount=f"{to_decimal(ask.amount):f}",
        )

    def _judge(self, ask: Issue, card: wire.CreatedCard, issued: IssuedCard) -> Outcome:
        """Say what a card's status and amounts mean for the issue that made it."""
        if not (issued.number or issued.redemption_key):
            return _unknown("the answer names no card")
        stands = views.standing(card.status)
        learnt = Outcome(
            verdict=Verdict.UNKNOWN, issued_cards=(issued,), references=views.references_of(card)
        )
        if fault := self._fault_of(ask, card):
            return msgspec.structs.replace(learnt, evidence=fault)
        match stands.issue:
            case Verdict.APPROVED:
                return msgspec.structs.replace(learnt, verdict=Verdict.APPROVED, approved=ask.amount)
            case Verdict.DECLINED:
                decline = _failed(card, stands, issued)
                return Outcome(verdict=Verdict.DECLINED, decline=decline, references=learnt.references)
        evidence = f"accepted, not surely issued: {card.status} {stands.meaning}"
        return msgspec.structs.replace(learnt, evidence=scrub(evidence))

    def _fault_of(self, ask: Issue, card: wire.CreatedCard) -> str:
        """Say in what an answer differs from what was asked; a dialect may tell neither."""
        if ask.amount is None:
            return "no amount was asked for"
        if card.currency and card.currency != self._their_currency(ask.amount.currency):
            return f"the card is in {scrub(card.currency)}, asked for was {ask.amount.currency}"
        try:
            told = ask.amount if card.amount is None else from_decimal(card.amount, ask.amount.currency)
        except MoneyError as fault:
            return f"the card's amount has {fault}"
        return "" if told == ask.amount else f"the card is worth {told}, asked for was {ask.amount}"

    def _their_currency(self, ours: str) -> str:
        return self.settings.currencies.get(ours, ours)

    async def find(self, ask: MoneyOperation, outcome: Outcome | None) -> Outcome:
        """Query the card an accepted create named; without one there is nothing to ask by, ever."""
        if not isinstance(ask, Issue):
            raise Unsupported("GatePay knows no other money operation than issue")
        if outcome is None or not outcome.issued_cards:
            return _unknown("no answer named a card, and GatePay finds a card by its number or key only")
        known = outcome.issued_cards[0]
        reply = await self._send(self._query(known.number, known.redemption_key), "query")
        try:
            card = decode(views.card_data_of(reply, known.number, known.redemption_key), wire.CREATED_CARD)
        except Refused as refused:
            said = refused.decline
            return _unknown(f"the query answers {said.provider_code}: {said.provider_text}")
        if _is_another(card, known):
            return _unknown("the query answers another card")
        found = self._judge(ask, card, _completed(known, views.issued_card(card, ask.amount)))
        return msgspec.structs.replace(found, references=outcome.references | found.references)

    async def lookup(self, ask: Lookup) -> CardView:
        """Tell a card's state, amount and times; the guide's promised history has no public fields."""
        if ask.card is None:
            raise Unsupported("GatePay finds a card by its number or key only")
        return await self._view(_named(ask.card))

    async def balances(self, cards: Sequence[CardRef], ask: Lookup) -> Sequence[CardView | Decline]:
        """Tell what each card is worth; never the merchant account's balance."""
        del ask
        return [await self._balance(card) for card in cards]

    async def list_templates(self) -> Sequence[Template]:
        """Return every cover template; there is no paging."""
        reply = await self._send(
            Call(method="GET", path=self._prefix + self._paths.templates, headers=_JSON), "templates"
        )
        return [views.template(item) for item in decode(views.data_of(reply), wire.TEMPLATES)]

    def read_webhook(self, webhook: Webhook) -> Sequence[ProviderEvent]:
        """Verify a callback's signature, age and client, and read it."""
        self._verify(webhook)
        try:
            told = decode(webhook.body, wire.NOTIFICATION)
            batch = decode(told.data.encode(), wire.BATCH) if told.bizType == _BATCH else wire.Batch()
        except Unreadable:
            raise WebhookRejected("the event cannot be read") from None
        if told.client_id != self.settings.client_id:
            raise WebhookRejected("the event is for another client")
        return [views.event_of(told, batch, webhook.body)]

    def webhook_reply(self) -> WebhookReply:
        """Return the acknowledgement GatePay waits for; anything else is repeated for a day."""
        return WebhookReply(body=b'{"returnCode":"SUCCESS","returnMessage":""}')

    def _verify(self, webhook: Webhook) -> None:
        timestamp = webhook.headers.get("x-gatepay-timestamp", "")
        nonce = webhook.headers.get("x-gatepay-nonce", "")
        given = webhook.headers.get("x-gatepay-signature", "")
        secret = self.settings.webhook_secret or self.settings.api_secret
        expected = wire.signature(secret, timestamp, nonce, webhook.body)
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise WebhookRejected("the event's signature is not ours")
        if not timestamp.isdecimal():
            raise WebhookRejected("the event's timestamp is not a number")
        drift_s = abs(webhook.received_at.timestamp() - int(timestamp) / _MS)
        if drift_s > self.settings.webhook_drift_s:
            raise WebhookRejected("the event is too old, or from the future")

    async def _view(self, card: CardRef) -> CardView:
        reply = await self._send(self._query(card.number, card.redemption_key), "query")
        data = views.card_data_of(reply, card.number, card.redemption_key)
        return views.card_view(decode(data, wire.GIFT_CARD), card, self.settings.currencies)

    async def _balance(self, card: CardRef) -> CardView | Decline:
        try:
            if self.settings.dialect is Dialect.REFERENCE:
                return await self._view(_named(card))
            return await self._guide_balance(_named(card))
        except Refused as refused:
            return refused.decline

    async def _guide_balance(self, card: CardRef) -> CardView:
        """Ask the guide's call for one card; the reference has the merchant's account on the same path."""
        call = self._get_by_card(self._paths.balance, card.number, card.redemption_key)
        reply = await self._send(call, "balance")
        told = decode(views.card_data_of(reply, card.number, card.redemption_key), wire.CARD_BALANCE)
        if told.balance_list is not None:
            text = "balance_list: this server speaks the reference dialect and tells the merchant's account"
            raise Refused(Decline(reason=DeclineReason.PROVIDER_MISCONFIGURED, provider_text=text))
        worth = views.money_of(told.balance, told.currency, self.settings.currencies)
        return CardView(
            masked_card=card.masked(),
            state=views.standing(told.status).state,
            balances=Balances(book=worth, available=worth),
            provider_state=str(told.status or ""),
        )

    def _query(self, number: Secret | None, key: Secret | None) -> Call:
        if self.settings.dialect is Dialect.GUIDE:
            return self._get_by_card(self._paths.query, number, key)
        wanted = wire.QueryRequest(
            card_number=number.reveal() if number else "", key=key.reveal() if key else ""
        )
        return self._post(self._paths.query, wanted)

    def _get_by_card(self, path: str, number: Secret | None, key: Secret | None) -> Call:
        """Name a card in a query string: by its number where we have it, for the key is worth money."""
        named = {"cardNumber": number.reveal()} if number else {"key": key.reveal() if key else ""}
        return Call(method="GET", path=f"{self._prefix}{path}?{urlencode(named)}", headers=_JSON)

    def _post(self, path: str, content: msgspec.Struct) -> Call:
        return Call(method="POST", path=self._prefix + path, headers=_JSON, body=wire.encode(content))

    async def _send(self, call: Call, name: str) -> Reply:
        return await self.exchange.send(call, sign=self._sign, name=f"gatepay {name}")

    def _sign(self, call: Call, moment: Moment) -> Mapping[str, str]:
        timestamp = str(int(moment.now_s * _MS))
        headers = {
            "X-GatePay-Certificate-ClientId": self.settings.client_id,
            "X-GatePay-Timestamp": timestamp,
            "X-GatePay-Nonce": moment.nonce,
            "X-GatePay-Signature": wire.signature(
                self.settings.api_secret, timestamp, moment.nonce, call.body
            ),
        }
        if self.settings.certificate_sn is not None and call.method == "POST":
            headers["X-GatePay-Certificate-SN"] = self.settings.certificate_sn.reveal()
        if self.settings.on_behalf_of:
            headers["X-GatePay-On-Behalf-Of"] = self.settings.on_behalf_of
        return headers


def _faults_of(settings: GatePaySettings) -> Sequence[str]:
    faults = [
        f"key 'currencies': {ours!r:.12} is not an ISO 4217 currency with minor units"
        for ours in settings.currencies
        if ours not in CURRENCIES
    ]
    if len(set(settings.currencies.values())) != len(settings.currencies):
        faults.append("key 'currencies': two of our currencies have one name at the provider")
    if settings.on_behalf_of and settings.dialect is not Dialect.REFERENCE:
        faults.append("key 'on_behalf_of': only the reference dialect has an institution variant")
    return faults


def _named(card: CardRef) -> CardRef:
    if card.number is None and card.redemption_key is None:
        raise Invalid([("card", "GatePay finds a card by its number or its redemption key only")])
    return card


def _is_another(card: wire.CreatedCard, known: IssuedCard) -> bool:
    numbers_differ = known.number is not None and card.number not in {"", known.number.reveal()}
    keys_differ = known.redemption_key is not None and card.redemption_key not in {
        "",
        known.redemption_key.reveal(),
    }
    return numbers_differ or keys_differ


def _failed(card: wire.CreatedCard, stands: views.Standing, issued: IssuedCard) -> Decline:
    text = scrub(card.complaint, issued.number, issued.redemption_key) or stands.meaning
    return Decline(reason=DeclineReason.PROVIDER_REFUSED, provider_code=str(card.status), provider_text=text)


def _completed(known: IssuedCard, seen: IssuedCard) -> IssuedCard:
    return msgspec.structs.replace(
        known,
        number=known.number or seen.number,
        redemption_key=known.redemption_key or seen.redemption_key,
    )


def _unknown(evidence: str) -> Outcome:
    return Outcome(verdict=Verdict.UNKNOWN, evidence=evidence)
