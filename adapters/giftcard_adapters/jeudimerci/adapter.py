"""Kyzpay's JeudiMerci e-cards: cards bought from a partner wallet, live once generated.

Source: the public pages "Generate E-Cards" and "Receive webhook events". Of the seven other operations
only the titles are public: their paths are settings, and their bodies are our assumption. The JSON is in
`wire`, its meaning in `views`, what a list of cards can prove in `traces`.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import quote

import msgspec

from giftcard_adapters.calls import Call, Moment, Reply
from giftcard_adapters.codec import decode
from giftcard_adapters.contract import Provider, Settings, traits
from giftcard_adapters.errors import (
    Invalid,
    NoAnswer,
    Refused,
    SettingsError,
    Unreadable,
    Unsupported,
    WebhookRejected,
)
from giftcard_adapters.exchange import Exchange
from giftcard_adapters.jeudimerci import traces, views, wire
from giftcard_adapters.jeudimerci.settings import JeudiMerciSettings, faults_of
from giftcard_adapters.scrub import scrub
from giftcard_adapters.values.advices import Acknowledgement, Advice, Receipt
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import to_decimal
from giftcard_adapters.values.operations import Issue, MoneyOperation
from giftcard_adapters.values.outcomes import IssuedCard, Outcome, Verdict
from giftcard_adapters.values.reads import (
    AccountQuery,
    AccountsExtract,
    CardView,
    ExportFile,
    Lookup,
    Offer,
    OfferSync,
    ProviderEvent,
    StoredCard,
    StoredCardPage,
    StoredCardQuery,
    TicketQuery,
    TicketStatistics,
    Webhook,
)
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.traits import Ending, Guarantee

_JSON = (("content-type", "application/json"),)
_FIND_WINDOW_S = 2 * 3600.0
"""A generate is over within an hour, so that a later look tells nothing new."""
_AGAIN = {202, 401, 403, 408, 425, 429}
"""Answers to a delete that are no answer yet; a key that is refused today may be mended tomorrow."""


class JeudiMerci(Provider):
    """One partner wallet at JeudiMerci."""

    settings: JeudiMerciSettings
    settings_type: ClassVar[type[Settings]] = JeudiMerciSettings
    deletes_cards: ClassVar[bool] = True
    facts: ClassVar[str] = (
        "An issue carries no key: it is never sent twice, and one without an answer needs a person unless "
        "the cards are surely absent. Only generate and the webhook are public; the rest is settings."
    )
    leaves_out: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            (
                *("point_of_sale", "product", "basket", "basket_reference", "card_holder"),
                *("third_party_identifiers", "external_reference", "transaction_type", "source_account"),
                *("destination_account", "system_trace_number", "retrieval_reference"),
                *("issue.buyer", "issue.title"),
            ),
            "generate takes a number of cards and a price, and nothing else",
        ),
        **dict.fromkeys(("card.expiry", "card.pin", "card.rank"), "an e-card is its code alone"),
        "confirm_issue.tenders": "JeudiMerci has no confirmation",
        "reverse_issue.reason": "a delete has no body",
    }

    def __init__(self, settings: JeudiMerciSettings, exchange: Exchange) -> None:
        """Keep the settings; refuse what their types cannot say."""
        super().__init__(settings, exchange)
        faults = list(faults_of(settings))
        if faults:
            raise SettingsError(faults)
        self._card_id_key = settings.card_id_key or settings.api_key
        self._approved_statuses = {word.casefold() for word in settings.approved_statuses}

    def check(self, ask: MoneyOperation) -> None:
        """Refuse an issue of another currency or of nothing, and what this API has no place for."""
        if not isinstance(ask, Issue):
            return
        if ask.template_id or ask.theme_id or ask.offer_id or ask.points:
            raise Unsupported("JeudiMerci publishes no field for a template, a theme, an offer or points")
        violations = list(self._violations(ask))
        if violations:
            raise Invalid(violations)

    def _violations(self, ask: Issue) -> Sequence[tuple[str, str]]:
        if ask.amount is None:
            return [("amount", "JeudiMerci needs the price of one card")]
        faults = []
        if ask.amount.currency != self.settings.currency:
            faults.append(("amount.currency_code", f"this wallet is in {self.settings.currency}"))
        if ask.amount.amount_minor <= 0:
            faults.append(("amount", "the price must be more than zero"))
        if ask.quantity < 1:
            faults.append(("quantity", "at least one card"))
        return faults

    @traits(Guarantee.COMPENSATED, Ending.FIND, find_window_s=_FIND_WINDOW_S)
    async def issue(self, ask: Issue) -> Outcome:
        """Generate `quantity` e-cards of `amount` each; sent once and never again."""
        if ask.amount is None:
            raise Invalid([("amount", "JeudiMerci needs the price of one card")])
        wanted = wire.PurchaseRequest(num_cards=ask.quantity, price=to_decimal(ask.amount))
        call = _json_call("POST", self.settings.generate_path, wanted)
        reply = await self._send(call, "generate")
        if reply.status in views.REFUSALS:
            return Outcome(verdict=Verdict.DECLINED, decline=views.decline_of(reply))
        if reply.status != HTTPStatus.OK:
            return _unknown(f"HTTP {reply.status} is not documented: {views.complaint_of(reply)}")
        return self._issued(ask, decode(reply.body, wire.CARDS))

    def _issued(self, ask: Issue, answer: wire.ECards) -> Outcome:
        status = scrub(answer.status or "")
        named = tuple(card for card in answer.eCards if card.code)
        learnt = Outcome(
            verdict=Verdict.UNKNOWN,
            issued_cards=tuple(self._issued_card(card) for card in named),
            references={"status": status} if status else {},
        )
        fault = self._fault_of(ask, answer.eCards)
        if not fault and status.casefold() not in self._approved_statuses:
            fault = f"status {status!r} is not known to be final"
        if fault:
            return msgspec.structs.replace(learnt, evidence=fault)
        return msgspec.structs.replace(learnt, verdict=Verdict.APPROVED, approved=ask.amount)

    def _fault_of(self, ask: Issue, cards: Sequence[wire.ECard]) -> str:
        """Say in what the cards differ from those asked for; nothing when they do not."""
        if not all(card.code for card in cards):
            return "an e-card came without its code"
        if len({card.code for card in cards}) != ask.quantity or len(cards) != ask.quantity:
            return f"{len(cards)} e-card(s) for {ask.quantity} asked for"
        others = sum(self._has_other_cost(card, ask) for card in cards)
        return f"{others} e-card(s) cost something else than {ask.amount}" if others else ""

    def _has_other_cost(self, card: wire.ECard, ask: Issue) -> bool:
        if not self.settings.is_cost_face_value or card.cost is None:
            return False
        return views.money_of(card.cost, self.settings.currency) != ask.amount

    def _issued_card(self, card: wire.ECard) -> IssuedCard:
        return views.issued_card(card, self.settings.currency, self._card_id_key)

    async def find(self, ask: MoneyOperation, outcome: Outcome | None) -> Outcome:
        """Say what became of an issue: by the codes our answer or an event named, else by the list.

        Without codes APPROVED is never said: nothing in a list tells whose card it is. See
        `traces` for when FAILED may be said.
        """
        if not isinstance(ask, Issue):
            raise Unsupported("JeudiMerci knows no other money operation than issue")
        if outcome is not None and outcome.issued_cards:
            return await self._find_named(ask, outcome)
        call = Call(method="GET", path=self.settings.list_path, headers=_JSON)
        reply = await self._send(call, "list")
        if reply.status != HTTPStatus.OK:
            return _unknown(f"the list of e-cards answers HTTP {reply.status}: {views.complaint_of(reply)}")
        since = ask.requested_at - timedelta(seconds=self.settings.clock_skew_s)
        cost = to_decimal(ask.amount) if ask.amount and self.settings.is_cost_face_value else None
        return traces.judge_absence(
            ask,
            traces.candidates(_cards_in(reply), cost, since),
            traces.provider_time(reply.headers.get("date", "")),
            is_list_complete=self.settings.is_list_complete,
            # A provider's clock that is ahead of ours must not make the request older than it is.
            settle_s=self.settings.settle_s + self.settings.clock_skew_s,
        )

    async def _find_named(self, ask: Issue, outcome: Outcome) -> Outcome:
        seen: list[wire.ECard] = []
        for card in outcome.issued_cards:
            reply = await self._send(self._details_call(_code(card)), "details")
            if reply.status != HTTPStatus.OK:
                return msgspec.structs.replace(
                    outcome, evidence=f"details of a named e-card answer HTTP {reply.status}"
                )
            details = decode(reply.body, wire.CARD)
            if details.code != _code(card).reveal():
                return msgspec.structs.replace(outcome, evidence="the details name another e-card")
            seen.append(details)
        fault = self._fault_of(ask, seen)
        if fault:
            return msgspec.structs.replace(outcome, evidence=fault)
        cards = tuple(map(_completed, outcome.issued_cards, map(self._issued_card, seen)))
        return msgspec.structs.replace(
            outcome, verdict=Verdict.APPROVED, approved=ask.amount, issued_cards=cards, evidence=""
        )

    def reversal(self, ask: MoneyOperation, outcome: Outcome | None, advice: Advice) -> tuple[Call, ...]:
        """Write a look at every e-card, then a delete of every one.

        The looks come first, so that an issue with a consumed card is refused before any is deleted.
        Raises Unsupported for a partial reversal, and while no e-card is known.
        """
        if advice.amount is not None and advice.amount != ask.amount:
            raise Unsupported("JeudiMerci deletes whole e-cards; no part can be put back")
        codes = [_code(card) for card in outcome.issued_cards] if outcome else []
        if not codes:
            raise Unsupported("no e-card of this issue is known, so there is nothing to delete")
        looks = [self._details_call(code) for code in codes]
        deletes = [self._delete_call(code) for code in codes]
        return (*looks, *deletes)

    async def deliver(self, call: Call, advice: Advice, *, age_s: float) -> Acknowledgement:
        """Look at, or delete, one e-card; a card that is gone already was deleted by us before."""
        del advice, age_s
        if call.method == "GET":
            return _seen(await self._send(call, "details"))
        return _deleted(await self._send(call, "delete"))

    async def lookup(self, ask: Lookup) -> CardView:
        """Tell whether an e-card is fully consumed; nothing tells what is left on one that is not."""
        code = await self._code_of(_named_card(ask.card))
        reply = await self._read(
            self._details_call(code), "details", code, missing=DeclineReason.CARD_UNKNOWN
        )
        return views.card_view(decode(reply.body, wire.CARD), code, self.settings.currency, self._card_id_key)

    async def get_stored_card(self, stored_card_id: str) -> StoredCard:
        """Return one e-card by the id we show for it."""
        return self._stored(await self._listed(stored_card_id))

    async def list_stored_cards(self, query: StoredCardQuery) -> StoredCardPage:
        """Return a page of the e-cards; the provider documents no paging, so pages are cut here."""
        if query.buyer or query.with_balances or query.order_by:
            raise Unsupported("JeudiMerci lists e-cards without buyers, balances or an order")
        if query.page_token and not query.page_token.isdecimal():
            raise Invalid([("page_token", "not a token of this list")])
        cards = await self._list()
        start = int(query.page_token or 0)
        end = start + query.page_size if query.page_size else len(cards)
        return StoredCardPage(
            cards=tuple(self._stored(card) for card in cards[start:end]),
            next_page_token=str(end) if end < len(cards) else "",
        )

    async def delete_stored_card(self, stored_card_id: str) -> None:
        """Delete an e-card, and with it what is left on it."""
        code = Secret((await self._listed(stored_card_id)).code or "")
        await self._read(self._delete_call(code), "delete", code, missing=DeclineReason.CARD_UNKNOWN)

    async def list_offers(self) -> Sequence[Offer]:
        """Return the provider's offers, where `offers_path` says that there is such a list."""
        if not self.settings.offers_path:
            raise Unsupported("JeudiMerci's menu has no list of offers; set offers_path if yours has one")
        reply = await self._read(
            Call(method="GET", path=self.settings.offers_path, headers=_JSON), "list offers"
        )
        return [views.offer(item, self.settings.currency) for item in decode(reply.body, wire.OFFERS).offers]

    async def sync_offers(self, offers: Sequence[Offer]) -> OfferSync:
        """Send our offers and hear what came of it; raise Invalid for a price in another currency."""
        self._refuse_other_currencies(offers)
        wanted = wire.OfferList(offers=tuple(map(views.offer_item, offers)))
        reply = await self._read(_json_call("POST", self.settings.sync_path, wanted), "sync offers")
        return views.offer_sync(decode(reply.body, wire.OFFER_SYNC), self.settings.currency)

    def _refuse_other_currencies(self, offers: Sequence[Offer]) -> None:
        """An offer has no field for a currency, so another's number would become another price."""
        prices = ("price", "minimum", "maximum")
        told = {
            f"offers[{n}].{name}": getattr(offer, name) for n, offer in enumerate(offers) for name in prices
        }
        wallet = self.settings.currency
        others = [field for field, price in told.items() if price and price.currency != wallet]
        if others:
            raise Invalid([(f"{field}.currency_code", f"this wallet is in {wallet}") for field in others])

    async def extract_accounts(self, query: AccountQuery) -> AccountsExtract:
        """Extract accounts, and the id of the export they can be downloaded as."""
        call = _json_call("POST", self.settings.accounts_path, views.accounts_filter(query))
        reply = await self._read(call, "extract accounts")
        return views.accounts_extract(decode(reply.body, wire.ACCOUNTS), self.settings.currency)

    @asynccontextmanager
    async def download_export(self, export_id: str) -> AsyncIterator[tuple[ExportFile, AsyncIterator[bytes]]]:
        """Open an export; its bytes are never in memory as a whole."""
        path = self.settings.export_path.replace("{id}", quote(export_id, safe=""))
        call = Call(method="GET", path=path)
        async with self.exchange.open(call, sign=self._sign, name="jeudimerci download export") as answer:
            if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise NoAnswer(f"download export answers HTTP {answer.status_code}")
            if answer.status_code != HTTPStatus.OK:
                bare = Reply(status=answer.status_code, headers={}, body=b"")
                raise Refused(views.decline_of(bare, missing=DeclineReason.RECORD_NOT_FOUND))
            yield views.export_file(answer.headers), answer.aiter_bytes()

    async def ticket_statistics(self, query: TicketQuery) -> TicketStatistics:
        """Count e-cards, issued and consumed."""
        wanted = wire.TicketFilter(
            from_day=query.from_day,
            to_day=query.to_day,
            is_consumed=query.is_consumed,
            offer_id=query.offer_id,
        )
        reply = await self._read(_json_call("POST", self.settings.tickets_path, wanted), "ticket statistics")
        told = decode(reply.body, wire.TICKETS)
        return TicketStatistics(
            issued=told.issued,
            consumed=told.consumed,
            issued_value=told.issued_value,
            consumed_value=told.consumed_value,
            currency=told.currency or self.settings.currency,
        )

    def read_webhook(self, webhook: Webhook) -> Sequence[ProviderEvent]:
        """Verify an event by its x-api-key and read it.

        The API has no signature and no time of sending, so a replay is stopped by `event_id` alone.
        """
        expected = self.settings.webhook_api_key
        given = webhook.headers.get("x-api-key", "")
        if expected is None or not hmac.compare_digest(given.encode(), expected.reveal().encode()):
            raise WebhookRejected("the event's x-api-key is not ours")
        try:
            event = decode(webhook.body, wire.EVENT)
        except Unreadable:
            raise WebhookRejected("the event cannot be read") from None
        return [views.event_of(event, webhook.body, currency=self.settings.currency, key=self._card_id_key)]

    async def _list(self) -> tuple[wire.ECard, ...]:
        call = Call(method="GET", path=self.settings.list_path, headers=_JSON)
        return _cards_in(await self._read(call, "list"))

    async def _listed(self, shown_id: str) -> wire.ECard:
        for card in await self._list():
            if hmac.compare_digest(views.card_id(card.code or "", self._card_id_key), shown_id):
                return card
        raise Refused(Decline(reason=DeclineReason.CARD_UNKNOWN))

    def _stored(self, card: wire.ECard) -> StoredCard:
        return views.stored_card(card, self.settings.currency, self._card_id_key)

    async def _code_of(self, card: CardRef) -> Secret:
        given = card.redemption_key or card.number
        if given is not None:
            return given
        return Secret((await self._listed(card.stored_card_id or card.provider_card_id)).code or "")

    def _details_call(self, code: Secret) -> Call:
        return Call(method="GET", path=_with_code(self.settings.details_path, code), headers=_JSON)

    def _delete_call(self, code: Secret) -> Call:
        return Call(method="DELETE", path=_with_code(self.settings.delete_path, code), headers=_JSON)

    async def _send(self, call: Call, name: str) -> Reply:
        return await self.exchange.send(call, sign=self._sign, name=f"jeudimerci {name}")

    async def _read(
        self, call: Call, name: str, *secrets: Secret, missing: DeclineReason | None = None
    ) -> Reply:
        reply = await self._send(call, name)
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise NoAnswer(f"{name} answers HTTP {reply.status}")
        if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            raise Refused(views.decline_of(reply, *secrets, missing=missing))
        return reply

    def _sign(self, call: Call, moment: Moment) -> Mapping[str, str]:
        del call, moment
        return {"x-api-key": self.settings.api_key.reveal()}


def _json_call(method: str, path: str, content: msgspec.Struct) -> Call:
    return Call(method=method, path=path, headers=_JSON, body=wire.encode(content))


def _with_code(path: str, code: Secret) -> str:
    return path.replace("{code}", quote(code.reveal(), safe=""))


def _cards_in(reply: Reply) -> tuple[wire.ECard, ...]:
    listed = decode(reply.body, wire.CARD_LIST)
    return listed.eCards if isinstance(listed, wire.ECards) else listed


def _named_card(card: CardRef | None) -> CardRef:
    if card is None or card == CardRef():
        raise Invalid([("card", "JeudiMerci finds an e-card by its Code or by the id it was shown with")])
    return card


def _code(card: IssuedCard) -> Secret:
    if card.redemption_key is None:
        raise Unsupported("an e-card without its code cannot be looked for")
    return card.redemption_key


def _completed(known: IssuedCard, seen: IssuedCard) -> IssuedCard:
    """Keep what only an event told (PIN, barcode, expiry) beside what the details tell."""
    return msgspec.structs.replace(
        known,
        redemption_url=known.redemption_url or seen.redemption_url,
        amount=known.amount or seen.amount,
    )


def _seen(reply: Reply) -> Acknowledgement:
    if reply.status == HTTPStatus.OK and decode(reply.body, wire.CARD).is_consumed:
        return Acknowledgement(receipt=Receipt.REFUSED, evidence="an e-card of this issue is fully consumed")
    if _is_open(reply):
        return Acknowledgement(receipt=Receipt.AGAIN, evidence=f"details answer HTTP {reply.status}")
    # Whatever else the look says, the delete after it has the last word.
    return Acknowledgement(receipt=Receipt.DONE)


def _deleted(reply: Reply) -> Acknowledgement:
    if reply.status in {HTTPStatus.OK, HTTPStatus.NO_CONTENT} or views.is_card_gone(reply):
        return Acknowledgement(receipt=Receipt.DONE)
    if "json" in reply.headers.get("content-type", ""):
        # A 404 whose JSON broke off may be the one that says the card is gone: it raises, and is no answer.
        decode(reply.body, wire.COMPLAINT)
    # The provider's own words may hold the code, which stands in the path alone; so none are kept.
    evidence = f"delete answers HTTP {reply.status}"
    return Acknowledgement(receipt=Receipt.AGAIN if _is_open(reply) else Receipt.REFUSED, evidence=evidence)


def _is_open(reply: Reply) -> bool:
    return reply.status in _AGAIN or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _unknown(evidence: str) -> Outcome:
    return Outcome(verdict=Verdict.UNKNOWN, evidence=evidence)
