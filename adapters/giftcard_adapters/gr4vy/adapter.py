"""Gr4vy: redemption as a transaction, reversal as its refund, activation, issuance and the card vault.

Two facts about Gr4vy shape this module. For 24 hours it answers a repeated Idempotency-Key with the
stored first answer, even if that was "pending" or a 500. Repeating alone therefore ends no such
unknown: a pending transaction is read again, and a refund that keeps failing is searched for. And a
repeat can be refused (the card left the vault meanwhile) although the first request went through. A
refusal is therefore a decline only after a search for our external identifier found nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

import msgspec

from giftcard_adapters.calls import Call, Reply
from giftcard_adapters.codec import decode
from giftcard_adapters.contract import Provider, Settings, traits
from giftcard_adapters.errors import (
    ExchangeError,
    NoAnswer,
    Refused,
    SettingsError,
    Unfindable,
    Unreadable,
    Unsupported,
)
from giftcard_adapters.gr4vy import answers, codes, limits, problems, requests, webhooks, wire
from giftcard_adapters.gr4vy.left_out import LEFT_OUT
from giftcard_adapters.gr4vy.settings import Gr4vySettings
from giftcard_adapters.gr4vy.tokens import TokenSigner
from giftcard_adapters.times import is_zone
from giftcard_adapters.values.advices import Acknowledgement, Advice, Receipt
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.operations import Activate, Issue, MoneyOperation, Redeem
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.reads import (
    CardView,
    Lookup,
    ProviderEvent,
    StoreCard,
    StoredCard,
    StoredCardPage,
    StoredCardQuery,
    Webhook,
)
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.traits import Ending, Guarantee

if TYPE_CHECKING:
    from giftcard_adapters.exchange import Exchange

_RESEND_WINDOW_S = 23 * 3600.0
"""Gr4vy remembers an Idempotency-Key for 24 hours; an hour is left for clocks and queues."""

_LIST_LAG_S = 60.0
"""An error on a younger advice is its first: it is sent again before the list is believed (assumption)."""

_DONE = frozenset({200, 201, 204})


class Gr4vy(Provider):
    """One Gr4vy merchant account."""

    settings_type: ClassVar[type[Settings]] = Gr4vySettings
    facts: ClassVar[str] = (
        "A redemption is final at once and is reversed by refunding it. Issuing and activating know no way "
        "back, and an unknown outcome of either needs a person. An issued card is only a URL."
    )
    balances_per_call: ClassVar[int] = 20
    """Gr4vy documents no limit; this many answer within a few seconds (assumption)."""
    leaves_out: ClassVar[Mapping[str, str]] = {
        "point_of_sale": "Gr4vy has no field for a till",
        "product": "Gr4vy issues by theme and activates by number",
        "basket": "Gr4vy's basket needs prices, which ours has not",
        "basket_reference": "Gr4vy has no field for it",
        "card_holder": "Gr4vy names a buyer by an id alone",
        "third_party_identifiers": "Gr4vy has one external identifier, and it is our transaction id",
        "transaction_type": "Gr4vy has no field for it",
        "source_account": "a gift card is the only account Gr4vy has here",
        "destination_account": "a gift card is the only account Gr4vy has here",
        **dict.fromkeys(
            ("ledger_indicator", "fee_amount", "fee_ledger_indicator", "additional_amounts"),
            "Gr4vy takes one amount",
        ),
        "slip": "Gr4vy prints nothing",
        "system_trace_number": "Gr4vy has no numbers of card networks",
        "retrieval_reference": "Gr4vy has no numbers of card networks",
        **dict.fromkeys(("card.expiry", "cards.expiry"), "Gr4vy knows a card by number and PIN"),
        **dict.fromkeys(("card.rank", "cards.rank"), "Gr4vy knows a card by number and PIN"),
        "issue.buyer": "an issued card is a URL and in nobody's vault",
        "issue.title": "the theme says what the card shows",
        "issue.external_reference": "Gr4vy takes metadata with a transaction only",
        "activate.external_reference": "Gr4vy takes metadata with a transaction only",
        **dict.fromkeys(("confirm_*.tenders", "confirm_*.note"), "Gr4vy has no confirmation"),
        "reverse_redeem.reason": "a refund's reason is free text: the note, or that the gateway reversed",
    }

    leaves_out_of_answers: ClassVar[Mapping[str, str]] = LEFT_OUT

    settings: Gr4vySettings

    def __init__(self, settings: Gr4vySettings, exchange: Exchange) -> None:
        """Read the key; raise SettingsError when it is not an EC P-521 private key."""
        super().__init__(settings, exchange)
        if not is_zone(settings.time_zone):
            raise SettingsError(["key 'time_zone': is no IANA time zone, such as UTC"])
        self._sign = TokenSigner(
            private_key=settings.private_key, scopes=settings.scopes, lifetime_s=settings.token_lifetime_s
        )

    def check(self, ask: MoneyOperation) -> None:
        """Raise Invalid or Unsupported for an operation that Gr4vy could not take."""
        limits.check_operation(ask)

    @traits(Guarantee.COMPENSATED, Ending.RESEND, resend_window_s=_RESEND_WINDOW_S, is_reversal_partial=True)
    async def redeem(self, ask: Redeem) -> Outcome:
        """Take the amount from the card as a transaction without a payment method."""
        self.check(ask)
        reply = await self._send(requests.redemption(ask, self.settings), "redeem")
        if reply.status in _DONE:
            return await self._settled(ask, reply)
        return await self._not_taken(ask, reply)

    @traits(Guarantee.NONE, Ending.PERSON)
    async def issue(self, ask: Issue) -> Outcome:
        """Issue one virtual card by theme; what comes back is a URL, never a number."""
        self.check(ask)
        reply = await self._send(requests.issuance(ask, self.settings), "issue")
        if reply.status not in _DONE:
            return answers.refused_once(reply)
        return answers.issued(ask, reply)

    @traits(Guarantee.NONE, Ending.PERSON)
    async def activate(self, ask: Activate) -> Outcome:
        """Activate a physical card, with an opening amount, and store it in the vault if asked."""
        self.check(ask)
        reply = await self._send(requests.activation(ask, self.settings), "activate")
        if reply.status in _DONE:
            return answers.activated(ask, reply, self.settings.time_zone)
        return answers.not_activated(ask, reply)

    async def find(self, ask: MoneyOperation, outcome: Outcome | None) -> Outcome:
        """Look for the transaction; after the resend window, finding none proves there never was one."""
        if not isinstance(ask, Redeem):
            raise Unfindable("Gr4vy has no way to look for an issuance or an activation")
        known = outcome.references.get("transaction_id") if outcome is not None else None
        try:
            found = await self._read_transaction(ask, known) if known else await self._seek(ask)
        except ExchangeError as fault:
            return answers.unknown(f"looked for the transaction: {fault}")
        return found or Outcome(
            verdict=Verdict.FAILED, evidence="Gr4vy has no transaction with our external identifier"
        )

    async def _settled(self, ask: Redeem, reply: Reply) -> Outcome:
        transaction, _ = wire.TRANSACTION.read(reply.body)
        if transaction.intent_outcome != "pending":
            return answers.redeemed(ask, reply)
        try:
            return await self._read_transaction(ask, transaction.id)
        except ExchangeError:
            return answers.redeemed(ask, reply)

    async def _not_taken(self, ask: Redeem, reply: Reply) -> Outcome:
        decline = problems.decline_of(reply, limits.pin_of(ask.card))
        if problems.is_turned_away(reply):
            return answers.failed(decline)
        is_duplicate = problems.is_duplicate(reply)
        if problems.may_have_acted(reply) and not is_duplicate:
            return answers.unknown(f"Gr4vy answered {decline.provider_code}")
        try:
            found = await self._seek(ask)
        except ExchangeError:
            return answers.unknown(f"{decline.provider_code}, and looking for the transaction failed")
        if found is None and is_duplicate:
            return answers.unknown("duplicate_record, and no transaction of ours is to be seen")
        return found or Outcome(verdict=Verdict.DECLINED, decline=decline)

    async def _seek(self, ask: Redeem) -> Outcome | None:
        """Return what the transaction with our external identifier says; None when there is none."""
        reply = await self._send(requests.transaction_search(ask, self.settings), "find")
        if reply.status not in _DONE:
            raise NoAnswer(f"find: {problems.decline_of(reply).provider_code}")
        rows = wire.TRANSACTION_PAGE.read(reply.body)[0].items
        ours = [row.id for row in rows if row.external_identifier == ask.transaction_id]
        if rows and not ours:
            # The question was not heeded, so ours may be on a page we did not see.
            raise NoAnswer("find: the list is of other transactions than were asked for")
        if not ours:
            return None
        if len(ours) > 1:
            return answers.unknown(
                "two transactions carry our external identifier", {"transaction_id": ours[0]}
            )
        # A row of the list has no intent_outcome: only the transaction in full tells what came of it.
        return await self._read_transaction(ask, ours[0])

    async def _read_transaction(self, ask: Redeem, transaction_id: str) -> Outcome:
        call = requests.transaction(transaction_id, self.settings)
        reply = await self._send(call, "get transaction")
        references = {"transaction_id": transaction_id}
        if reply.status not in _DONE:
            return answers.unknown(f"get transaction: {problems.decline_of(reply).provider_code}", references)
        if wire.TRANSACTION.read(reply.body)[0].id != transaction_id:
            return answers.unknown("the answer is about another transaction", references)
        return answers.redeemed(ask, reply)

    def reversal(self, ask: MoneyOperation, outcome: Outcome | None, advice: Advice) -> tuple[Call, ...]:
        """Write the refund that puts a redemption back; raise ValueError unless it was approved."""
        if not isinstance(ask, Redeem):
            raise Unsupported("Gr4vy reverses redemptions only")
        return (requests.refund(outcome, advice, self.settings),)

    async def deliver(self, call: Call, advice: Advice, *, age_s: float) -> Acknowledgement:
        """Send the refund; once Gr4vy has forgotten the key, look for an earlier one first."""
        if age_s >= _RESEND_WINDOW_S:
            earlier = await self._seek_refund(call, advice)
            if earlier is not None:
                return earlier
        reply = await self._send(call, "reverse")
        if reply.status in _DONE:
            return await self._refund_settled(call, advice, reply)
        return await self._not_refunded(call, advice, reply, age_s)

    async def _refund_settled(self, call: Call, advice: Advice, reply: Reply) -> Acknowledgement:
        asked, (refund, _) = decode(call.body, wire.REFUND_REQUEST), wire.REFUND.read(reply.body)
        if refund.status == "processing":
            # The key would bring back this same stored answer for a day; ask for the present one.
            reply = await self._send(requests.one_refund(refund.id, self.settings), "get refund")
            if reply.status in _DONE:
                present, _ = wire.REFUND.read(reply.body)
                refund = present if present.id == refund.id else refund
        if answers.refund_contradiction(asked, refund):
            # One contradicting answer alone is not given to a person; the list of refunds decides.
            return await self._seek_refund(call, advice) or answers.refunded(asked, refund, reply)
        return answers.refunded(asked, refund, reply)

    async def _not_refunded(self, call: Call, advice: Advice, reply: Reply, age_s: float) -> Acknowledgement:
        decline, again = problems.decline_of(reply), answers.not_heard(reply)
        if problems.is_turned_away(reply) or decline.provider_code == "concurrent_request":
            return again
        if problems.may_have_acted(reply) and age_s < _LIST_LAG_S:
            return again
        earlier = await self._seek_refund(call, advice)
        if earlier is not None:
            return earlier
        if problems.may_have_acted(reply):
            return again
        # A 404 too: the redemption was approved, so a transaction Gr4vy does not know is an alarm.
        evidence = f"the refund was refused: {decline.provider_code}"
        return Acknowledgement(receipt=Receipt.REFUSED, evidence=evidence, decline=decline)

    async def _seek_refund(self, call: Call, advice: Advice) -> Acknowledgement | None:
        """Return what our own earlier refund came to; None when there surely is none."""
        reply = await self._send(requests.get(call.path, self.settings), "find refund")
        if reply.status not in _DONE:
            return answers.again(reply, f"find refund: {problems.decline_of(reply).provider_code}")
        refunds, _ = wire.REFUND_PAGE.read(reply.body)
        ours = [refund for refund in refunds.items if refund.external_identifier == advice.advice_id]
        if ours:
            return answers.refunded(decode(call.body, wire.REFUND_REQUEST), answers.furthest(ours), reply)
        if refunds.next_cursor:
            # The request takes no cursor, so what is on the next page cannot be seen.
            return Acknowledgement(receipt=Receipt.REFUSED, evidence="more refunds than Gr4vy lists")
        return None

    async def lookup(self, ask: Lookup) -> CardView:
        """Return what Gr4vy knows of a card: balance, expiry, and whether it is inactive or expired."""
        card = limits.check_lookup(ask)
        (summary,) = await self._summaries([card])
        if summary is None:
            raise Unreadable("gr4vy balances: the card's balance cannot be read")
        view = answers.lookup_view(summary, card, self.settings.time_zone)
        if isinstance(view, Decline):
            raise Refused(view)
        return view

    async def balances(self, cards: Sequence[CardRef], ask: Lookup) -> Sequence[CardView | Decline]:
        """Return the balances of many cards.

        One bad card makes Gr4vy refuse them all, so it is declined here and not sent; asked for alone, it is
        Invalid.
        """
        del ask
        refused = [limits.faults_of(card) for card in cards]
        if len(cards) == 1 and refused[0]:
            raise refused[0]
        sent = [card for card, fault in zip(cards, refused, strict=True) if not fault]
        items = iter(await self._summaries(sent) if sent else ())
        return [
            answers.unaskable(str(fault))
            if fault
            else answers.balance_view(next(items), card, self.settings.time_zone)
            for card, fault in zip(cards, refused, strict=True)
        ]

    async def _summaries(self, cards: Sequence[CardRef]) -> Sequence[wire.GiftCardSummary | None]:
        """Return what Gr4vy says of each card, None of one that cannot be read."""
        reply = await self._ask(requests.balances(cards, self.settings), "balances")
        summaries = answers.summaries_of(reply)
        # That the items come in the order of the question is an assumption, so it is checked.
        if len(summaries) != len(cards) or not all(
            summary is None or answers.is_same_card(answers.face_of(summary), card)
            for summary, card in zip(summaries, cards, strict=True)
        ):
            raise Unreadable("the balances are of other cards than were asked")
        return summaries

    async def store_card(self, ask: StoreCard) -> StoredCard:
        """Put a card into the vault; not idempotent at Gr4vy, which refuses a card it has already."""
        limits.check_store(ask)
        call = requests.storage(ask, self.settings)
        reply = await self._ask(call, "store card", pin=limits.pin_of(ask.card))
        card, _ = wire.VAULT_CARD.read(reply.body)
        if not answers.is_same_card(answers.face_of(card), ask.card):
            raise Unreadable("another card was stored than was asked")
        return answers.stored_card(card, self.settings.time_zone)

    async def get_stored_card(self, stored_card_id: str) -> StoredCard:
        """Return one stored card, without its balance."""
        reply = await self._ask(requests.stored_card(stored_card_id, self.settings), "get stored card")
        card, _ = wire.VAULT_CARD.read(reply.body)
        if card.id != stored_card_id.lower():
            raise Unreadable("gr4vy get stored card: the answer is about another card")
        return answers.stored_card(card, self.settings.time_zone)

    async def list_stored_cards(self, query: StoredCardQuery) -> StoredCardPage:
        """Return a page of the vault, or all of a buyer's cards with their balances.

        Listing balances makes Gr4vy drop the buyer's empty and expired cards.
        """
        limits.check_list(query)
        reply = await self._ask(requests.card_list(query, self.settings), "list stored cards")
        if query.with_balances:
            return StoredCardPage(
                cards=tuple(
                    answers.stored_summary(item, query.buyer, self.settings.time_zone)
                    for item in answers.listed_summaries(reply)
                )
            )
        page, _ = wire.VAULT_PAGE.read(reply.body)
        return StoredCardPage(
            cards=tuple(answers.stored_card(card, self.settings.time_zone) for card in page.items),
            next_page_token=page.next_cursor or "",
        )

    async def delete_stored_card(self, stored_card_id: str) -> None:
        """Take a card out of the vault; the card itself stays valid.

        Raises NoAnswer for a success that is not the documented 204: somebody else's page proves nothing.
        """
        reply = await self._ask(requests.deletion(stored_card_id, self.settings), "delete stored card")
        if reply.status != HTTPStatus.NO_CONTENT:
            raise NoAnswer(f"gr4vy delete stored card: HTTP {reply.status} is not documented")

    def read_webhook(self, webhook: Webhook) -> Sequence[ProviderEvent]:
        """Verify an event against every active secret, and read it."""
        webhooks.verify(webhook, self.settings)
        return webhooks.read(webhook, self.settings.time_zone)

    @property
    def templates(self) -> Mapping[str, str]:
        """Return the paths of the documented operations."""
        return codes.TEMPLATES

    async def _send(self, call: Call, name: str) -> Reply:
        return await self.exchange.send(call, sign=self._sign, name=f"gr4vy {name}")

    async def _ask(self, call: Call, name: str, *, pin: Secret | None = None) -> Reply:
        """Send a read or a vault call; raise Refused for a no, NoAnswer for what may not be final."""
        reply = await self._send(call, name)
        if reply.status in _DONE:
            return reply
        decline = problems.decline_of(reply, pin)
        if problems.may_have_acted(reply) and not problems.is_duplicate(reply):
            raise NoAnswer(f"gr4vy {name}: {decline.provider_code}")
        if decline.reason is DeclineReason.RECORD_NOT_FOUND:
            decline = msgspec.structs.replace(decline, reason=DeclineReason.CARD_UNKNOWN)
        raise Refused(decline)
