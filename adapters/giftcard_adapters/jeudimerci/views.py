"""JeudiMerci's JSON as our values: cards, refusals, events, offers, accounts, tickets. Pure functions.

Ours to the provider's JSON too, for the offers of a synchronization. Nothing is sent from here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from decimal import Decimal
from email.message import Message
from http import HTTPStatus

from giftcard_adapters.calls import Reply
from giftcard_adapters.codec import decode
from giftcard_adapters.errors import Unreadable
from giftcard_adapters.jeudimerci import wire
from giftcard_adapters.jeudimerci.traces import exact_purchase
from giftcard_adapters.scrub import scrub
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money, MoneyError, from_decimal, to_decimal
from giftcard_adapters.values.outcomes import Balances, IssuedCard, Outcome, Verdict
from giftcard_adapters.values.reads import (
    AccountQuery,
    AccountRow,
    AccountsExtract,
    CardEvent,
    CardState,
    CardView,
    ExportFile,
    Offer,
    OfferSync,
    ProviderEvent,
    StoredCard,
)
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.transaction_id import own_id

REFUSALS: Mapping[int, DeclineReason] = {
    401: DeclineReason.CREDENTIALS_REFUSED,
    402: DeclineReason.WALLET_INSUFFICIENT,
    403: DeclineReason.CREDENTIALS_REFUSED,
    404: DeclineReason.PROVIDER_MISCONFIGURED,
    405: DeclineReason.PROVIDER_MISCONFIGURED,
    413: DeclineReason.REQUEST_MALFORMED,
    415: DeclineReason.REQUEST_MALFORMED,
    422: DeclineReason.REQUEST_MALFORMED,
    429: DeclineReason.PROVIDER_UNAVAILABLE,
}
"""Statuses that say nothing was done. Only 422 is documented; the others are what RFC 9110 means by
them, and 402 for an empty wallet is our assumption. Any status not here may have had an effect."""

_UNROUTED = "Not Found"
"""What FastAPI writes when no such path exists at all, so it proves nothing about a card (assumption)."""


def complaint_of(reply: Reply, *secrets: Secret | None) -> str:
    """Return what an error body says, scrubbed of card data; empty when it says nothing readable."""
    try:
        return scrub(decode(reply.body, wire.COMPLAINT).text(), *secrets)
    except Unreadable:
        return ""


def decline_of(reply: Reply, *secrets: Secret | None, missing: DeclineReason | None = None) -> Decline:
    """Return the refusal in an error answer to a read; `missing` is what 404 means there."""
    reason = REFUSALS.get(reply.status, DeclineReason.PROVIDER_REFUSED)
    if reply.status == HTTPStatus.NOT_FOUND and missing is not None:
        reason = missing
    return Decline(
        reason=reason, provider_code=str(reply.status), provider_text=complaint_of(reply, *secrets)
    )


def is_card_gone(reply: Reply) -> bool:
    """Tell whether an answer proves that the e-card named in the path does not exist (any more).

    A bare `Not Found` does not: with a wrong path in the settings every card would look deleted.
    """
    if reply.status == HTTPStatus.NOT_FOUND:
        return complaint_of(reply) not in {"", _UNROUTED}
    return reply.status == HTTPStatus.GONE


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


def issued_card(card: wire.ECard, currency: str, key: Secret) -> IssuedCard:
    """Return a generated e-card; its code is a key to whoever has it, and no card number."""
    code = card.code or ""
    return IssuedCard(
        redemption_key=Secret(code),
        redemption_url=Secret(card.url) if card.url else None,
        provider_card_id=card_id(code, key),
        amount=money_of(card.cost, currency),
    )


def card_view(card: wire.ECard, code: Secret, currency: str, key: Secret) -> CardView:
    """Return what an e-card's details tell: consumed or not, never a balance before that."""
    return CardView(
        masked_card=code.masked_key(),
        state=_STATES.get(card.is_consumed),
        balances=_balances(card, currency) or Balances(),
        provider_card_id=card_id(code.reveal(), key),
        provider_state=_WORDS.get(card.is_consumed, ""),
        history=_history(card, currency),
    )


def stored_card(card: wire.ECard, currency: str, key: Secret) -> StoredCard:
    """Return an e-card as a stored card: no code, no URL."""
    code = Secret(card.code or "")
    return StoredCard(
        stored_card_id=card_id(code.reveal(), key),
        masked_card=code.masked_key(),
        created_at=exact_purchase(card),
        state=_STATES.get(card.is_consumed),
        amount=money_of(card.cost, currency),
        balances=_balances(card, currency),
    )


_STATES: Mapping[bool | None, CardState] = {True: CardState.REDEEMED, False: CardState.ACTIVE}
_WORDS: Mapping[bool | None, str] = {True: "IsFullyConsumed", False: "not IsFullyConsumed"}


def _history(card: wire.ECard, currency: str) -> tuple[CardEvent, ...]:
    if not card.purchased:
        return ()
    return (CardEvent(name="purchase", at=exact_purchase(card), amount=money_of(card.cost, currency)),)


def _balances(card: wire.ECard, currency: str) -> Balances | None:
    """A fully consumed card has nothing left; what is left on any other is told by nobody."""
    return Balances(available=Money(currency, 0)) if card.is_consumed else None


def event_of(event: wire.Event, body: bytes, *, currency: str, key: Secret) -> ProviderEvent:
    """Return a webhook's event.

    An event that names a card proves that this card was spoken of, not that an issue is whole, and
    the values of eventType are not public. So its outcome is UNKNOWN with the card, and `find` asks.
    """
    about = event.resource
    card = _event_card(about, currency, key)
    proof = Outcome(
        verdict=Verdict.UNKNOWN,
        issued_cards=(card,) if card else (),
        evidence=f"the provider's event {scrub(event.event_type)} names an e-card",
    )
    return ProviderEvent(
        event_id=_event_id(event, body, key),
        name=event.event_type,
        occurred_at=event.date,
        transaction_id=own_id(about.merchant_operation_id),
        references=_told(operation_id=about.operation_id, merchant_operation_id=about.merchant_operation_id),
        outcome=proof if card else None,
        attributes=_told(offer_id=about.offer_id, amount=None if about.amount is None else str(about.amount)),
    )


def offer(item: wire.OfferItem, currency: str) -> Offer:
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


def offer_item(ours: Offer) -> wire.OfferItem:
    """Return one of our offers as the provider's JSON."""
    return wire.OfferItem(
        offer_id=ours.offer_id,
        name=ours.name,
        offer_type=ours.offer_type,
        code_type=ours.code_type,
        usage_location=ours.usage_location,
        price=to_decimal(ours.price) if ours.price else None,
        min_price=to_decimal(ours.minimum) if ours.minimum else None,
        max_price=to_decimal(ours.maximum) if ours.maximum else None,
        is_active=ours.is_active,
    )


def offer_sync(answer: wire.OfferSyncAnswer, currency: str) -> OfferSync:
    """Return what came of a synchronization."""
    return OfferSync(
        offers=tuple(offer(item, currency) for item in answer.offers),
        created=answer.created,
        updated=answer.updated,
        removed=answer.removed,
    )


def accounts_filter(query: AccountQuery) -> wire.AccountsFilter:
    """Return which accounts to extract as the provider's JSON."""
    return wire.AccountsFilter(
        from_day=query.from_day,
        to_day=query.to_day,
        currency=query.currency,
        account_ids=query.account_ids,
        mandate_type=query.mandate_type,
        export_format=query.export_format,
    )


def accounts_extract(answer: wire.AccountsAnswer, currency: str) -> AccountsExtract:
    """Return an extract; an account that names no currency has the wallet's."""
    return AccountsExtract(
        accounts=tuple(_account(item, currency) for item in answer.accounts),
        export_id=answer.export_id,
        is_ready=answer.is_ready,
    )


def export_file(headers: Mapping[str, str]) -> ExportFile:
    """Return what an answer's headers tell of the file in its body."""
    parsed = Message()
    parsed["content-disposition"] = headers.get("content-disposition", "")
    length = headers.get("content-length", "")
    # A compressed body is unpacked on its way, so its length is not the file's.
    is_plain = headers.get("content-encoding", "identity") == "identity"
    return ExportFile(
        file_name=parsed.get_filename() or "",
        content_type=headers.get("content-type", ""),
        size=int(length) if length.isdecimal() and is_plain else None,
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


def _event_card(about: wire.EventResource, currency: str, key: Secret) -> IssuedCard | None:
    if not about.virtual_card_code:
        return None
    return IssuedCard(
        redemption_key=Secret(about.virtual_card_code),
        pin=Secret(about.pin_code) if about.pin_code else None,
        barcode=Secret(about.bar_code) if about.bar_code else None,
        provider_card_id=card_id(about.virtual_card_code, key),
        amount=money_of(about.amount, currency),
        expires_at=about.expiration_date,
    )


def _event_id(event: wire.Event, body: bytes, key: Secret) -> str:
    """Name an event by what it speaks of; one without an operation is named by its whole body."""
    about = event.resource
    named = (event.event_type, about.operation_id or "", about.virtual_card_code or "")
    identity = wire.encode(named) if about.operation_id else body
    return hmac.new(key.reveal().encode(), identity, hashlib.sha256).hexdigest()


def _told(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
