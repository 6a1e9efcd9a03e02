"""What GatePay's codes, statuses and JSON mean in our words. Pure functions and tables; nothing is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus

import msgspec

from giftcard_adapters.calls import Reply
from giftcard_adapters.codec import decode
from giftcard_adapters.errors import Refused
from giftcard_adapters.gatepay import wire
from giftcard_adapters.scrub import scrub
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money, MoneyError, from_decimal
from giftcard_adapters.values.outcomes import Balances, IssuedCard, Verdict
from giftcard_adapters.values.reads import CardEvent, CardState, CardView, ProviderEvent, Template
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.transaction_id import own_id

SUCCESS = "SUCCESS"
FAIL = "FAIL"

REFUSALS: Mapping[str, DeclineReason] = {
    "400001": DeclineReason.REQUEST_MALFORMED,
    "400002": DeclineReason.CREDENTIALS_REFUSED,
    "400003": DeclineReason.CREDENTIALS_REFUSED,
    "400007": DeclineReason.REQUEST_MALFORMED,
    "400020": DeclineReason.REQUEST_MALFORMED,
    "400201": DeclineReason.DUPLICATE,
    "400202": DeclineReason.RECORD_NOT_FOUND,
    "400204": DeclineReason.STATE_UNEXPECTED,
    "400621": DeclineReason.AMOUNT_INVALID,
    "400622": DeclineReason.CURRENCY_MISMATCH,
    "400624": DeclineReason.PROVIDER_MISCONFIGURED,
}
"""Documented codes that end a request; those from 400201 on are documented for other products only."""

OPEN: Mapping[str, DeclineReason] = {
    "300000": DeclineReason.PROVIDER_ERROR,
    "300001": DeclineReason.PROVIDER_ERROR,
    "400000": DeclineReason.PROVIDER_ERROR,
    "400603": DeclineReason.PROVIDER_UNAVAILABLE,
}
"""Documented codes after which a create may still have happened: system errors, and a time-out. One page
uses 300001 for a parameter error; since they disagree it stays open."""


class Standing(msgspec.Struct, frozen=True):
    """What a card's status says of its issue, of the card now, and in the provider's words."""

    issue: Verdict
    state: CardState | None
    meaning: str


STANDINGS: Mapping[str, Standing] = {
    "0": Standing(Verdict.UNKNOWN, None, "unknown"),
    "1": Standing(Verdict.UNKNOWN, CardState.PENDING, "pending payment"),
    "2": Standing(Verdict.APPROVED, CardState.ACTIVE, "not redeemed"),
    "3": Standing(Verdict.APPROVED, CardState.REDEEMED, "redeemed"),
    "4": Standing(Verdict.UNKNOWN, CardState.BLOCKED, "frozen"),
    "5": Standing(Verdict.DECLINED, CardState.FAILED, "payment failed"),
    "6": Standing(Verdict.UNKNOWN, CardState.PENDING, "manual review"),
    "7": Standing(Verdict.DECLINED, CardState.FAILED, "review rejected"),
    "8": Standing(Verdict.DECLINED, CardState.FAILED, "review payment failed"),
    "CREATED": Standing(Verdict.APPROVED, CardState.ACTIVE, "created, ready for distribution"),
    "REDEEMED": Standing(Verdict.APPROVED, CardState.REDEEMED, "fully redeemed"),
    "EXPIRED": Standing(Verdict.APPROVED, CardState.EXPIRED, "expired"),
    "CANCELLED": Standing(Verdict.UNKNOWN, CardState.VOIDED, "cancelled"),
}
"""The reference's numbers and the guide's words. Whether a frozen or a cancelled card was paid for is not
public, so neither ends an issue."""

_UNHEARD = Standing(Verdict.UNKNOWN, None, "a status that is not documented")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def standing(status: int | str | None) -> Standing:
    """Return what a status means; a number may come as text."""
    return STANDINGS.get(str(status), _UNHEARD)


def is_open(reply: Reply, envelope: wire.Envelope) -> bool:
    """Tell whether a create answered so may have happened all the same."""
    if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or envelope.status not in {SUCCESS, FAIL}:
        return True
    if envelope.status == SUCCESS:
        return reply.status != HTTPStatus.OK
    return code_of(envelope) in OPEN or not code_of(envelope)


def code_of(envelope: wire.Envelope) -> str:
    """Return the envelope's code as text; empty where it has none."""
    return "" if envelope.code is None else str(envelope.code)


def decline_of(envelope: wire.Envelope, *secrets: Secret | None) -> Decline:
    """Return a FAIL as a decline; a code that is not documented is the provider's refusal."""
    code = code_of(envelope)
    return Decline(
        reason=REFUSALS.get(code) or OPEN.get(code) or DeclineReason.PROVIDER_REFUSED,
        provider_code=code,
        provider_text=scrub(envelope.errorMessage or envelope.label or "", *secrets),
    )


def data_of(reply: Reply) -> msgspec.Raw:
    """Return the data of a read's answer; raise Refused for a FAIL or an error status, else Unreadable."""
    envelope = decode(reply.body, wire.ENVELOPE)
    if envelope.status != SUCCESS or reply.status != HTTPStatus.OK:
        raise Refused(decline_of(envelope))
    return envelope.data


def card_data_of(reply: Reply, *secrets: Secret | None) -> msgspec.Raw:
    """Return the data of a read about one card, whose absence is told as an unknown order (assumption)."""
    envelope = decode(reply.body, wire.ENVELOPE)
    if envelope.status == SUCCESS and reply.status == HTTPStatus.OK:
        return envelope.data
    said = decline_of(envelope, *secrets)
    if said.reason is DeclineReason.RECORD_NOT_FOUND:
        said = msgspec.structs.replace(said, reason=DeclineReason.CARD_UNKNOWN)
    raise Refused(said)


def issued_card(card: wire.CreatedCard, amount: Money | None) -> IssuedCard:
    """Return a card just created, whatever it told of itself."""
    return IssuedCard(
        number=Secret(card.number) if card.number else None,
        redemption_key=Secret(card.redemption_key) if card.redemption_key else None,
        amount=amount,
    )


def references_of(card: wire.CreatedCard) -> dict[str, str]:
    """Return the provider's ids of a card that are no secrets."""
    told = {"card_temp_id": card.card_temp_id, "batch_id": card.batchId}
    return {name: value for name, value in told.items() if value}


def money_of(amount: Decimal | None, code: str | None, currencies: Mapping[str, str]) -> Money | None:
    """Return a provider's amount; None for a currency ISO 4217 and the settings do not know."""
    iso = next((ours for ours, theirs in currencies.items() if theirs == code), code)
    if amount is None or not iso:
        return None
    try:
        return from_decimal(amount, iso)
    except MoneyError:
        return None


def balances_of(state: CardState | None, amount: Money | None) -> Balances:
    """Return what a card is worth now: all of it until it is redeemed, then nothing (assumption).

    A frozen card keeps its worth and can spend none of it.
    """
    if amount is None or state not in {CardState.ACTIVE, CardState.REDEEMED, CardState.BLOCKED}:
        return Balances()
    nothing = Money(amount.currency, 0)
    if state is CardState.REDEEMED:
        return Balances(book=nothing, available=nothing)
    return Balances(book=amount, available=nothing if state is CardState.BLOCKED else amount)


def card_view(card: wire.GiftCard, asked: CardRef, currencies: Mapping[str, str]) -> CardView:
    """Return what a query tells of a card.

    The time of redemption counts for a redeemed card alone: an example shows it on one that is not.
    """
    stands = standing(card.status)
    amount = money_of(card.amount, card.currency, currencies)
    events = [CardEvent(name="create", at=_time(card.create_time), amount=amount)] if card.create_time else []
    if stands.state is CardState.REDEEMED:
        events.append(CardEvent(name="redeem", at=_time(card.exchange_time), amount=amount))
    unmapped = f"{card.amount} {card.currency}" if card.amount is not None and amount is None else None
    told = {"title": card.title, "creator_name": card.creator_name, "amount": unmapped}
    return CardView(
        masked_card=asked.masked(),
        state=stands.state,
        balances=balances_of(stands.state, amount),
        provider_state=f"{card.status} {stands.meaning}",
        history=tuple(events),
        references=references_of(card) | {name: value for name, value in told.items() if value},
    )


def template(item: wire.TemplateItem) -> Template:
    """Return a cover template of either dialect."""
    titles = {"en": item.title_en, "zh": item.title_cn, "": item.templateName}
    return Template(
        template_id=item.card_temp_id or item.templateId or "",
        titles={language: title for language, title in titles.items() if title},
        image_url=item.image_url or item.coverUrl or "",
        kind=item.cover_type or "",
        provider_state=item.status or "",
    )


def event_of(told: wire.Notification, batch: wire.Batch, body: bytes) -> ProviderEvent:
    """Return a callback as an event, named by what the provider says to de-duplicate by.

    It proves nothing about a create: the API that makes batches is not public.
    """
    named = batch.externalId or told.bizId or hashlib.sha256(body).hexdigest()
    ids = {"external_id": batch.externalId, "biz_id": told.bizId}
    return ProviderEvent(
        event_id=f"{told.bizType}:{named}:{told.bizStatus}",
        name=told.bizType,
        transaction_id=own_id(batch.externalId),
        references={name: value for name, value in ids.items() if value},
        attributes={"status": told.bizStatus, **_totals(batch)},
    )


def _totals(batch: wire.Batch) -> dict[str, str]:
    sums: dict[str, Decimal] = {}
    for item in batch.batchItemList:
        sums[item.currency] = sums.get(item.currency, Decimal(0)) + item.amount
    totals = {f"total_{currency}": f"{total:f}" for currency, total in sums.items()}
    return {"cards": str(len(batch.batchItemList)), **totals} if sums else {}


def _time(milliseconds: int | None) -> datetime | None:
    return _EPOCH + timedelta(milliseconds=milliseconds) if milliseconds else None
