"""JeudiMerci's answers as our values: replies in; outcomes, receipts, card views and reports out.

Pure; nothing is sent here. What a list of e-cards can prove about an issue is in `purchases`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus

import msgspec

from giftcard_adapters.calls import Reply, retry_after_s
from giftcard_adapters.codec import decode
from giftcard_adapters.errors import NoAnswer, Refused, Unreadable
from giftcard_adapters.jeudimerci import codes, refusals, requests, wire
from giftcard_adapters.jeudimerci.refusals import complaint_of, decline_of
from giftcard_adapters.jeudimerci.settings import JeudiMerciSettings
from giftcard_adapters.paths import is_segment
from giftcard_adapters.scrub import scrub
from giftcard_adapters.times import instant
from giftcard_adapters.values.advices import Acknowledgement, Receipt
from giftcard_adapters.values.declines import DeclineReason
from giftcard_adapters.values.money import Money, MoneyError, from_decimal
from giftcard_adapters.values.operations import Issue
from giftcard_adapters.values.outcomes import Balances, IssuedCard, Outcome, Verdict
from giftcard_adapters.values.reads import (
    AccountRow,
    AccountsExtract,
    CardEvent,
    CardState,
    CardView,
    Offer,
    OfferSync,
    StoredCard,
    TicketStatistics,
)
from giftcard_adapters.values.secret import Secret


def unknown(evidence: str) -> Outcome:
    """Return an outcome that is still open, with what a person should know."""
    return Outcome(verdict=Verdict.UNKNOWN, evidence=evidence)


def outcome_of(ask: Issue, reply: Reply, settings: JeudiMerciSettings) -> Outcome:
    """Return what became of an issue, from the answer to its generate; raise Unreadable for no JSON."""
    if reply.status in codes.DECLINES and not refusals.is_from_between(reply):
        return Outcome(verdict=Verdict.DECLINED, decline=decline_of(reply))
    if reply.status != HTTPStatus.OK:
        return unknown(f"HTTP {reply.status} is not documented: {complaint_of(reply)}")
    answer, left_out = wire.CARDS.read(reply.body)
    return msgspec.structs.replace(_issued(ask, answer, settings), left_out=left_out)


def _issued(ask: Issue, answer: wire.ECards, settings: JeudiMerciSettings) -> Outcome:
    status = scrub(answer.status or "")
    named = tuple(card for card in answer.eCards if is_segment(card.code or ""))
    learnt = Outcome(
        verdict=Verdict.UNKNOWN,
        issued_cards=tuple(issued_card(card, settings) for card in named),
        references={"status": status} if status else {},
    )
    fault = _fault_of(ask, answer.eCards, settings)
    if not fault and status.casefold() not in map(str.casefold, settings.approved_statuses):
        fault = f"status {status!r} is not known to be final"
    if fault:
        return msgspec.structs.replace(learnt, evidence=fault)
    return msgspec.structs.replace(learnt, verdict=Verdict.APPROVED, approved=ask.amount)


def details_of(reply: Reply, code: Secret) -> wire.ECard | str:
    """Return the details of the e-card that was asked for, or a sentence that says why there are none."""
    if reply.status != HTTPStatus.OK:
        return f"details of a named e-card answer HTTP {reply.status}"
    details = wire.CARD.read(reply.body)[0]
    return details if details.code == code.reveal() else "the details name another e-card"


def found(ask: Issue, outcome: Outcome, seen: Sequence[wire.ECard], settings: JeudiMerciSettings) -> Outcome:
    """Return what became of an issue, from the details of each of its e-cards."""
    fault = _fault_of(ask, seen, settings)
    if fault:
        return msgspec.structs.replace(outcome, evidence=fault)
    told = [issued_card(card, settings) for card in seen]
    return msgspec.structs.replace(
        outcome,
        verdict=Verdict.APPROVED,
        approved=ask.amount,
        issued_cards=tuple(map(_completed, outcome.issued_cards, told)),
        evidence="",
    )


def _fault_of(ask: Issue, cards: Sequence[wire.ECard], settings: JeudiMerciSettings) -> str:
    """Say how the cards differ from those asked for; empty when they do not."""
    if not all(is_segment(card.code or "") for card in cards):
        return "an e-card came without its code"
    if len({card.code for card in cards}) != ask.quantity or len(cards) != ask.quantity:
        return f"{len(cards)} e-card(s) for {ask.quantity} asked for"
    others = sum(_has_other_cost(card, ask, settings) for card in cards)
    return f"{others} e-card(s) cost something else than {ask.amount}" if others else ""


def _has_other_cost(card: wire.ECard, ask: Issue, settings: JeudiMerciSettings) -> bool:
    if not settings.is_cost_face_value or card.cost is None:
        return False
    return money_of(card.cost, settings.currency) != ask.amount


def _completed(known: IssuedCard, seen: IssuedCard) -> IssuedCard:
    """Keep what only an event told (PIN, barcode, expiry) beside what the details tell."""
    return msgspec.structs.replace(
        known,
        redemption_url=known.redemption_url or seen.redemption_url,
        amount=known.amount or seen.amount,
    )


def looked_at(reply: Reply, path: str, settings: JeudiMerciSettings) -> Acknowledgement:
    """Return what an e-card's details, asked for at `path`, mean for the reversal of its issue."""
    if reply.status == HTTPStatus.OK:
        card, _ = wire.CARD.read(reply.body)
        if card.code is not None and requests.details(Secret(card.code), settings).path != path:
            return _again(reply, "the details name another e-card")
        if card.is_consumed:
            evidence = "an e-card of this issue is fully consumed"
            return Acknowledgement(receipt=Receipt.REFUSED, evidence=evidence)
    if reply.status != HTTPStatus.OK and _is_open(reply):
        return _again(reply, f"details answer HTTP {reply.status}")
    # Any other answer to the look decides nothing: the answer to the delete does.
    return Acknowledgement(receipt=Receipt.DONE)


def deleted(reply: Reply) -> Acknowledgement:
    """Return what the answer to a delete means; one that is not found may never have been there."""
    if is_deletion(reply) or (reply.status == HTTPStatus.GONE and refusals.is_gone(reply)):
        return Acknowledgement(receipt=Receipt.DONE)
    if refusals.is_gone(reply):
        return Acknowledgement(receipt=Receipt.GONE)
    # The provider's own words may hold the code, which stands in the path alone; so none are kept.
    evidence = f"delete answers HTTP {reply.status}"
    if refusals.is_about_this(reply):
        return Acknowledgement(receipt=Receipt.REFUSED, evidence=evidence)
    return _again(reply, evidence)


def is_deletion(reply: Reply) -> bool:
    """Tell whether a card was deleted: 204, or 200 with JSON, which a page of somebody else is not."""
    return reply.status == HTTPStatus.NO_CONTENT or (reply.status == HTTPStatus.OK and _is_json(reply))


def _is_json(reply: Reply) -> bool:
    try:
        decode(reply.body, wire.ANYTHING)
    except Unreadable:
        return False
    return True


def _is_open(reply: Reply) -> bool:
    return reply.status in codes.NOT_ABOUT_THIS or refusals.is_from_between(reply)


def _again(reply: Reply, evidence: str) -> Acknowledgement:
    return Acknowledgement(receipt=Receipt.AGAIN, evidence=evidence, retry_after_s=retry_after_s(reply))


def read(reply: Reply, name: str, *secrets: Secret, missing: DeclineReason | None = None) -> bytes:
    """Return the body of a read's answer; raise Refused for a no, NoAnswer for what may not be final."""
    if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        return reply.body
    if refusals.is_from_between(reply):
        raise NoAnswer(f"{name} answers HTTP {reply.status}")
    raise Refused(decline_of(reply, *secrets, missing=missing))


def cards_in(body: bytes) -> tuple[wire.ECard, ...]:
    """Return the e-cards of a list."""
    listed = wire.CARD_LIST.read(body)[0]
    return listed.eCards if isinstance(listed, wire.ECardList) else listed


def card_id(code: str, key: Secret) -> str:
    """Return the id we show for an e-card: a keyed hash, because its code is money to whoever reads it."""
    return hmac.new(key.reveal().encode(), code.encode(), hashlib.sha256).hexdigest()[:32]


def money_of(amount: Decimal | None, currency: str) -> Money | None:
    """Return an amount exactly; None when it is not told or has more decimals than the currency."""
    if amount is None:
        return None
    try:
        return from_decimal(amount, currency)
    except MoneyError:
        return None


def issued_card(card: wire.ECard, settings: JeudiMerciSettings) -> IssuedCard:
    """Return a generated e-card; its code is a key to whoever has it, and no card number."""
    code = card.code or ""
    return IssuedCard(
        redemption_key=Secret(code),
        redemption_url=Secret(card.url) if card.url else None,
        provider_card_id=card_id(code, settings.id_key),
        amount=money_of(card.cost, settings.currency),
    )


def card_view(card: wire.ECard, code: Secret, settings: JeudiMerciSettings) -> CardView:
    """Return what an e-card's details tell: consumed or not, never a balance before that."""
    return CardView(
        masked_card=code.masked_key(),
        state=_STATES.get(card.is_consumed),
        balances=_balances(card, settings.currency) or Balances(),
        provider_card_id=card_id(code.reveal(), settings.id_key),
        provider_state=_WORDS.get(card.is_consumed, ""),
        history=_history(card, settings),
    )


def stored_card(card: wire.ECard, settings: JeudiMerciSettings) -> StoredCard:
    """Return an e-card as a stored card: no code, no URL."""
    code = Secret(card.code or "")
    return StoredCard(
        stored_card_id=card_id(code.reveal(), settings.id_key),
        masked_card=code.masked_key(),
        created_at=instant(card.purchased, settings.time_zone),
        state=_STATES.get(card.is_consumed),
        amount=money_of(card.cost, settings.currency),
        balances=_balances(card, settings.currency),
    )


_STATES: Mapping[bool | None, CardState] = {True: CardState.REDEEMED, False: CardState.ACTIVE}
_WORDS: Mapping[bool | None, str] = {True: "IsFullyConsumed", False: "not IsFullyConsumed"}


def _history(card: wire.ECard, settings: JeudiMerciSettings) -> tuple[CardEvent, ...]:
    if not card.purchased:
        return ()
    at = instant(card.purchased, settings.time_zone)
    return (CardEvent(name="purchase", at=at, amount=money_of(card.cost, settings.currency)),)


def _balances(card: wire.ECard, currency: str) -> Balances | None:
    """Return zero for a fully consumed card; JeudiMerci tells no other balance."""
    return Balances(available=Money(currency, 0)) if card.is_consumed else None


def _offer(item: wire.OfferItem, currency: str) -> Offer:
    """Return one of the provider's offers."""
    return Offer(
        offer_id=item.offer_id,
        name=item.name,
        offer_type=item.offer_type,
        code_type=item.code_type,
        usage_location=item.usage_location,
        price=money_of(item.price, currency),
        minimum=money_of(item.min_price, currency),
        maximum=money_of(item.max_price, currency),
        is_active=item.is_active,
    )


def offers(body: bytes, currency: str) -> Sequence[Offer]:
    """Return the provider's offers."""
    return [_offer(item, currency) for item in wire.OFFERS.read(body)[0].offers]


def offer_sync(answer: wire.OfferSyncAnswer, currency: str) -> OfferSync:
    """Return what came of a synchronization."""
    return OfferSync(
        offers=tuple(_offer(item, currency) for item in answer.offers),
        created=answer.created,
        updated=answer.updated,
        removed=answer.removed,
    )


def accounts_extract(answer: wire.AccountsAnswer, currency: str) -> AccountsExtract:
    """Return an extract; an account that names no currency has the wallet's."""
    return AccountsExtract(
        accounts=tuple(_account(item, currency) for item in answer.accounts),
        export_id=answer.export_id,
        is_ready=answer.is_ready,
    )


def _account(item: wire.AccountItem, currency: str) -> AccountRow:
    return AccountRow(
        account_id=item.account_id,
        name=item.name,
        balance=money_of(item.balance, item.currency or currency),
        mandate_type=item.mandate_type,
        contact_name=item.contact.name,
        contact_email=item.contact.email,
    )


def ticket_statistics(answer: wire.TicketsAnswer, currency: str) -> TicketStatistics:
    """Return how many e-cards were issued and consumed, and their worth in the wallet's currency."""
    return TicketStatistics(
        issued=answer.issued,
        consumed=answer.consumed,
        issued_value=answer.issued_value,
        consumed_value=answer.consumed_value,
        currency=answer.currency or currency,
    )
