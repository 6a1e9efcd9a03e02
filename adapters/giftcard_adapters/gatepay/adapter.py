"""GatePay gift cards of Gate.com: issued from the merchant's payment account, redeemed inside Gate.

Sources: the gift card guide, the API reference and the official SDKs. They disagree, so the setting
`dialect` chooses between guide and reference. Every request is signed. Business errors come with
HTTP 200. An issue is accepted before it is paid for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec

from giftcard_adapters.calls import Call, Moment, Reply
from giftcard_adapters.contract import Provider, Settings, traits
from giftcard_adapters.errors import Invalid, Refused, SettingsError, Unfindable, Unsupported
from giftcard_adapters.gatepay import answers, limits, requests, webhooks, wire
from giftcard_adapters.gatepay.settings import Dialect, GatePaySettings, faults_of
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline
from giftcard_adapters.values.operations import Issue, MoneyOperation
from giftcard_adapters.values.outcomes import Outcome
from giftcard_adapters.values.reads import CardView, Lookup, ProviderEvent, Template, Webhook, WebhookReply
from giftcard_adapters.values.traits import Ending, Guarantee

if TYPE_CHECKING:
    from giftcard_adapters.exchange import Exchange

_MS = 1000


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
                *("ledger_indicator", "fee_amount", "fee_ledger_indicator", "additional_amounts", "slip"),
            ),
            "a create takes a title, a template and an amount, a query names a card",
        ),
        **dict.fromkeys(
            (f"{card}.{part}" for card in ("card", "cards") for part in ("expiry", "pin", "rank")),
            "GatePay finds a card by its number or key alone",
        ),
        **dict.fromkeys(("confirm_issue.tenders", "confirm_issue.note"), "GatePay has no confirmation"),
    }

    leaves_out_of_answers: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            ("code", "label", "errorMessage"), "says why not, and is told where something was refused"
        ),
        **dict.fromkeys(
            ("create.data.reason", "create.data.err_msg"), "says why a card failed, and is told then"
        ),
        **dict.fromkeys(
            (f"create.data.{one}" for one in ("creator*", "exchange_uid", "owner", "give_count", "*_time")),
            "a new card's; a lookup tells who made and who redeemed it, and when",
        ),
        "query.data.exchange_time": "an example shows it on a card that is not redeemed; told of one that is",
    }

    def __init__(self, settings: GatePaySettings, exchange: Exchange) -> None:
        """Keep the settings; raise SettingsError for what their types cannot check."""
        super().__init__(settings, exchange)
        faults = faults_of(settings)
        if faults:
            raise SettingsError(faults)

    def check(self, ask: MoneyOperation) -> None:
        """Raise Invalid or Unsupported for an issue that GatePay could not take."""
        limits.check_operation(ask, self.settings)

    @traits(Guarantee.NONE, Ending.FIND)
    async def issue(self, ask: Issue) -> Outcome:
        """Create a card; sent only once, because a create carries no key of ours.

        An accepted card that is not paid for yet is UNKNOWN, with all that `find` needs to ask again.
        """
        reply = await self._send(requests.issuance(ask, self.settings), "create")
        return answers.outcome_of(ask, reply, self.settings)

    async def find(self, ask: MoneyOperation, outcome: Outcome | None) -> Outcome:
        """Query the card that an accepted create named; raise Unfindable when no answer named one."""
        if not isinstance(ask, Issue):
            raise Unsupported("GatePay knows no other money operation than issue")
        if outcome is None or not outcome.issued_cards:
            raise Unfindable("no answer named a card, and GatePay finds a card by its number or key only")
        known = outcome.issued_cards[0]
        reply = await self._send(requests.query(known.number, known.redemption_key, self.settings), "query")
        return answers.found(ask, outcome, reply, self.settings)

    async def lookup(self, ask: Lookup) -> CardView:
        """Return a card's state, amount and times; the guide's promised history has no public fields."""
        if ask.card is None:
            named = "card_holder" if ask.card_holder else "card"
            raise Invalid([(named, "GatePay finds a card by its number or its redemption key only")])
        return await self._view(ask.card)

    async def balances(self, cards: Sequence[CardRef], ask: Lookup) -> Sequence[CardView | Decline]:
        """Return what each card is worth; never the merchant account's balance."""
        del ask
        return [await self._balance(card) for card in cards]

    async def list_templates(self) -> Sequence[Template]:
        """Return every cover template; there is no paging."""
        return answers.templates(await self._send(requests.templates(self.settings), "templates"))

    def read_webhook(self, webhook: Webhook) -> Sequence[ProviderEvent]:
        """Verify a callback's signature, age and client, and read it."""
        webhooks.verify(webhook, self.settings)
        return webhooks.read(webhook, self.settings)

    def webhook_reply(self) -> WebhookReply:
        """Return the acknowledgement GatePay waits for; anything else is repeated for a day."""
        return WebhookReply(body=webhooks.ACKNOWLEDGEMENT)

    async def _view(self, card: CardRef) -> CardView:
        limits.check_card(card)
        reply = await self._send(requests.query(card.number, card.redemption_key, self.settings), "query")
        return answers.card_view(reply, card, self.settings.currencies)

    async def _balance(self, card: CardRef) -> CardView | Decline:
        try:
            if self.settings.dialect is Dialect.REFERENCE:
                return await self._view(card)
            return await self._balance_by_guide(card)
        except Refused as refused:
            return refused.decline

    async def _balance_by_guide(self, card: CardRef) -> CardView:
        limits.check_card(card)
        call = requests.balance(card.number, card.redemption_key, self.settings)
        return answers.balance_view(await self._send(call, "balance"), card, self.settings.currencies)

    @property
    def templates(self) -> Mapping[str, str]:
        """Return the paths of the dialect that the settings name."""
        paths = msgspec.structs.asdict(requests.PATHS[self.settings.dialect])
        prefix = requests.prefix(self.settings)
        return {f"gatepay {name}": prefix + path for name, path in paths.items()}

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
