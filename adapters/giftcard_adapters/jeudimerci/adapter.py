"""JeudiMerci e-cards of Kyzpay: cards bought from a partner wallet, live once generated.

Sources: the public pages "Generate E-Cards" and "Receive webhook events". Of the seven other
operations only the titles are public: their paths are settings, and their bodies are assumptions.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

import msgspec

from giftcard_adapters.calls import Call, Moment, Reply
from giftcard_adapters.contract import Provider, Settings, traits
from giftcard_adapters.errors import (
    NoAnswer,
    Refused,
    SettingsError,
    Unreadable,
    Unsupported,
)
from giftcard_adapters.jeudimerci import answers, limits, purchases, refusals, requests, webhooks, wire
from giftcard_adapters.jeudimerci.exports import export_file
from giftcard_adapters.jeudimerci.settings import JeudiMerciSettings, faults_of
from giftcard_adapters.values.advices import Acknowledgement, Advice
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.operations import Issue, MoneyOperation
from giftcard_adapters.values.outcomes import Outcome
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

if TYPE_CHECKING:
    from giftcard_adapters.exchange import Exchange

_FIND_WINDOW_S = 2 * 3600.0
"""A generate ends within an hour, so a later search finds nothing new."""

_LONGEST_COMPLAINT = 64 * 1024
"""Bytes; of an error in place of an export."""


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
                *("ledger_indicator", "fee_amount", "fee_ledger_indicator", "additional_amounts", "slip"),
                *("issue.buyer", "issue.title"),
            ),
            "generate takes a number of cards and a price, and nothing else",
        ),
        **dict.fromkeys(("card.expiry", "card.pin", "card.rank"), "an e-card is its code alone"),
        **dict.fromkeys(("confirm_issue.tenders", "confirm_issue.note"), "JeudiMerci has no confirmation"),
        **dict.fromkeys(("reverse_issue.reason", "reverse_issue.note"), "a delete has no body"),
    }

    leaves_out_of_answers: ClassVar[Mapping[str, str]] = {
        "generateECards.eCards.PurchaseDate": "the time of the issue, which the gateway tells",
        "generateECards.eCards.IsFullyConsumed": "a new e-card is not; a lookup tells it later",
        **dict.fromkeys(
            ("getECard.ShortenedURL", "listECards.eCards.ShortenedURL"),
            "whoever has the page has the card: Issue alone tells it",
        ),
        "deleteECard.status": "its words are not public; the HTTP status tells (assumption)",
    }

    def __init__(self, settings: JeudiMerciSettings, exchange: Exchange) -> None:
        """Keep the settings; raise SettingsError for what their types cannot check."""
        super().__init__(settings, exchange)
        faults = list(faults_of(settings))
        if faults:
            raise SettingsError(faults)

    def check(self, ask: MoneyOperation) -> None:
        """Raise Invalid or Unsupported for an issue that JeudiMerci could not take."""
        limits.check_operation(ask, self.settings)

    @traits(Guarantee.COMPENSATED, Ending.FIND, find_window_s=_FIND_WINDOW_S)
    async def issue(self, ask: Issue) -> Outcome:
        """Generate `quantity` e-cards of `amount` each; sent once and never again."""
        reply = await self._send(requests.issuance(ask, self.settings), "generate")
        return answers.outcome_of(ask, reply, self.settings)

    async def find(self, ask: MoneyOperation, outcome: Outcome | None) -> Outcome:
        """Say what became of an issue, by the codes that our answer or an event named, else by the list.

        A list never proves an approval, because nothing in it tells whose card it is. `purchases`
        says when it proves a failure.
        """
        if not isinstance(ask, Issue):
            raise Unsupported("JeudiMerci knows no other money operation than issue")
        if outcome is not None and outcome.issued_cards:
            return await self._find_named(ask, outcome)
        reply = await self._send(requests.card_list(self.settings), "list")
        if reply.status != HTTPStatus.OK:
            said = refusals.complaint_of(reply)
            return answers.unknown(f"the list of e-cards answers HTTP {reply.status}: {said}")
        listed = answers.cards_in(reply.body)
        return purchases.judge_list(ask, listed, reply.headers.get("date", ""), self.settings)

    async def _find_named(self, ask: Issue, outcome: Outcome) -> Outcome:
        seen: list[wire.ECard] = []
        for card in outcome.issued_cards:
            code = requests.code_of(card)
            reply = await self._send(requests.details(code, self.settings), "details")
            details = answers.details_of(reply, code)
            if isinstance(details, str):
                return msgspec.structs.replace(outcome, evidence=details)
            seen.append(details)
        return answers.found(ask, outcome, seen, self.settings)

    def reversal(self, ask: MoneyOperation, outcome: Outcome | None, advice: Advice) -> tuple[Call, ...]:
        """Write a details request for every e-card, then a delete of every one.

        Raises Unsupported for a partial reversal, and while no e-card is known.
        """
        return requests.reversal(ask, outcome, advice, self.settings)

    async def deliver(self, call: Call, advice: Advice, *, age_s: float) -> Acknowledgement:
        """Ask for the details of one e-card, or delete it; one that is gone already counts as deleted."""
        del advice, age_s
        if call.method == "GET":
            return answers.looked_at(await self._send(call, "details"), call.path, self.settings)
        return answers.deleted(await self._send(call, "delete"))

    async def lookup(self, ask: Lookup) -> CardView:
        """Return whether an e-card is fully consumed; JeudiMerci tells no other balance."""
        code = await self._code_of(limits.check_card(ask.card))
        call = requests.details(code, self.settings)
        body = await self._read(call, "details", code, missing=DeclineReason.CARD_UNKNOWN)
        card = wire.CARD.read(body)[0]
        if card.code not in {None, code.reveal()}:
            raise Unreadable("the answer is about another e-card")
        return answers.card_view(card, code, self.settings)

    async def get_stored_card(self, stored_card_id: str) -> StoredCard:
        """Return one e-card by the id we show for it."""
        return answers.stored_card(await self._listed(stored_card_id), self.settings)

    async def list_stored_cards(self, query: StoredCardQuery) -> StoredCardPage:
        """Return a page of the e-cards; the provider documents no paging, so pages are cut here."""
        limits.check_list(query)
        cards = await self._list()
        start = int(query.page_token or 0)
        end = start + query.page_size if query.page_size else len(cards)
        return StoredCardPage(
            cards=tuple(answers.stored_card(card, self.settings) for card in cards[start:end]),
            next_page_token=str(end) if end < len(cards) else "",
        )

    async def delete_stored_card(self, stored_card_id: str) -> None:
        """Delete an e-card, and with it what is left on it."""
        code = Secret((await self._listed(stored_card_id)).code or "")
        call = requests.deletion(code, self.settings)
        reply = await self._send(call, "delete")
        answers.read(reply, "delete", code, missing=DeclineReason.CARD_UNKNOWN)
        if not answers.is_deletion(reply):
            raise NoAnswer(f"delete answers HTTP {reply.status} and no JSON")

    async def list_offers(self) -> Sequence[Offer]:
        """Return the provider's offers, where `offers_path` says that there is such a list."""
        body = await self._read(requests.offers(self.settings), "list offers")
        return answers.offers(body, self.settings.currency)

    async def sync_offers(self, offers: Sequence[Offer]) -> OfferSync:
        """Send our offers; raise Invalid for a price in another currency.

        Returns what the provider created, updated and removed.
        """
        limits.check_offers(offers, self.settings.currency)
        body = await self._read(requests.offer_sync(offers, self.settings), "sync offers")
        return answers.offer_sync(wire.OFFER_SYNC.read(body)[0], self.settings.currency)

    async def extract_accounts(self, query: AccountQuery) -> AccountsExtract:
        """Extract accounts, and the id of the export they can be downloaded as."""
        body = await self._read(requests.accounts_extract(query, self.settings), "extract accounts")
        return answers.accounts_extract(wire.ACCOUNTS.read(body)[0], self.settings.currency)

    @asynccontextmanager
    async def download_export(self, export_id: str) -> AsyncIterator[tuple[ExportFile, AsyncIterator[bytes]]]:
        """Open an export; its bytes are streamed."""
        call = requests.export(export_id, self.settings)
        async with self.exchange.open(call, sign=self._sign, name="jeudimerci download export") as answer:
            if answer.status_code != HTTPStatus.OK:
                said = Reply(
                    status=answer.status_code, headers={}, body=await _beginning(answer.aiter_bytes())
                )
                answers.read(said, "download export", missing=DeclineReason.RECORD_NOT_FOUND)
                raise NoAnswer(f"download export answers HTTP {answer.status_code}")
            yield export_file(answer.headers), answer.aiter_bytes()

    async def ticket_statistics(self, query: TicketQuery) -> TicketStatistics:
        """Count e-cards, issued and consumed."""
        body = await self._read(requests.ticket_statistics(query, self.settings), "ticket statistics")
        return answers.ticket_statistics(wire.TICKETS.read(body)[0], self.settings.currency)

    def read_webhook(self, webhook: Webhook) -> Sequence[ProviderEvent]:
        """Verify an event by its x-api-key and read it.

        The API has no signature and no time of sending, so a replay is stopped by `event_id` alone.
        """
        webhooks.verify(webhook, self.settings)
        return webhooks.read(webhook, self.settings)

    async def _list(self) -> tuple[wire.ECard, ...]:
        return answers.cards_in(await self._read(requests.card_list(self.settings), "list"))

    async def _listed(self, shown_id: str) -> wire.ECard:
        for card in await self._list():
            if hmac.compare_digest(answers.card_id(card.code or "", self.settings.id_key), shown_id):
                return card
        raise Refused(Decline(reason=DeclineReason.CARD_UNKNOWN))

    async def _code_of(self, card: CardRef) -> Secret:
        given = card.redemption_key or card.number
        if given is not None:
            return given
        return Secret((await self._listed(card.stored_card_id or card.provider_card_id)).code or "")

    @property
    def templates(self) -> Mapping[str, str]:
        """Return the paths that the settings name."""
        paths = {
            "generate": self.settings.generate_path,
            "list": self.settings.list_path,
            "details": self.settings.details_path,
            "delete": self.settings.delete_path,
            "list offers": self.settings.offers_path,
            "sync offers": self.settings.sync_path,
            "extract accounts": self.settings.accounts_path,
            "download export": self.settings.export_path,
            "ticket statistics": self.settings.tickets_path,
        }
        return {f"jeudimerci {name}": path for name, path in paths.items()}

    async def _send(self, call: Call, name: str) -> Reply:
        return await self.exchange.send(call, sign=self._sign, name=f"jeudimerci {name}")

    async def _read(
        self, call: Call, name: str, *secrets: Secret, missing: DeclineReason | None = None
    ) -> bytes:
        return answers.read(await self._send(call, name), name, *secrets, missing=missing)

    def _sign(self, call: Call, moment: Moment) -> Mapping[str, str]:
        del call, moment
        return {"x-api-key": self.settings.api_key.reveal()}


async def _beginning(pieces: AsyncIterator[bytes]) -> bytes:
    """Return the beginning of an error's body; no complaint is longer."""
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > _LONGEST_COMPLAINT:
            break
    return bytes(body[:_LONGEST_COMPLAINT])
