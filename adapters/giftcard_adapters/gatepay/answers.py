"""GatePay's answers as our values: replies in; outcomes, declines, card views and templates out.

GatePay accepts an issue before it is paid for, and answers business errors with HTTP 200. Pure;
nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus

import msgspec

from giftcard_adapters.calls import Reply
from giftcard_adapters.errors import NoAnswer, Refused, Unreadable
from giftcard_adapters.gatepay import codes, wire
from giftcard_adapters.gatepay.requests import provider_currency
from giftcard_adapters.gatepay.settings import GatePaySettings
from giftcard_adapters.scrub import scrub
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money, MoneyError, from_decimal
from giftcard_adapters.values.operations import Issue
from giftcard_adapters.values.outcomes import Balances, IssuedCard, Outcome, Verdict
from giftcard_adapters.values.reads import CardEvent, CardState, CardView, Template
from giftcard_adapters.values.secret import Secret

_UNHEARD = codes.Standing(Verdict.UNKNOWN, None, "a status that is not documented")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def unknown(evidence: str) -> Outcome:
    """Return an outcome that is still open, with what a person should know."""
    return Outcome(verdict=Verdict.UNKNOWN, evidence=evidence)


def outcome_of(ask: Issue, reply: Reply, settings: GatePaySettings) -> Outcome:
    """Return what became of an issue, from the answer to its create; raise Unreadable when it cannot be read.

    An accepted card that is not paid for yet is UNKNOWN, and carries what a later query needs.
    """
    envelope, _ = wire.ENVELOPE.read(reply.body)
    if _is_open(reply, envelope):
        said = decline_of(envelope)
        return unknown(f"HTTP {reply.status}, code {said.provider_code}: {said.provider_text}")
    if envelope.status == codes.FAIL:
        return Outcome(verdict=Verdict.DECLINED, decline=decline_of(envelope))
    card, left_out = wire.CREATED_CARD.read(bytes(envelope.data))
    judged = _judge(ask, card, issued_card(card, ask.amount), settings)
    return msgspec.structs.replace(judged, left_out=left_out)


def found(ask: Issue, outcome: Outcome, reply: Reply, settings: GatePaySettings) -> Outcome:
    """Return what became of an issue, from a query for the card that `outcome` names."""
    known = outcome.issued_cards[0]
    try:
        data = card_data_of(reply, known.number, known.redemption_key)
        card, left_out = wire.CREATED_CARD.read(bytes(data))
    except Refused as refused:
        said = refused.decline
        return unknown(f"the query answers {said.provider_code}: {said.provider_text}")
    if _is_another(card, known):
        return unknown("the query answers another card")
    judged = _judge(ask, card, _completed(known, issued_card(card, ask.amount)), settings)
    return msgspec.structs.replace(
        judged, references=outcome.references | judged.references, left_out=left_out
    )


def _judge(ask: Issue, card: wire.CreatedCard, issued: IssuedCard, settings: GatePaySettings) -> Outcome:
    """Say what a card's status and amount mean for the issue that made it."""
    if not (issued.number or issued.redemption_key):
        return unknown("the answer names no card")
    stands = standing(card.status)
    learnt = Outcome(verdict=Verdict.UNKNOWN, issued_cards=(issued,), references=references_of(card))
    if fault := _fault_of(ask, card, settings):
        return msgspec.structs.replace(learnt, evidence=fault)
    match stands.issue:
        case Verdict.APPROVED:
            return msgspec.structs.replace(learnt, verdict=Verdict.APPROVED, approved=ask.amount)
        case Verdict.DECLINED:
            decline = _failed(card, stands, issued)
            return Outcome(verdict=Verdict.DECLINED, decline=decline, references=learnt.references)
    evidence = f"accepted, not surely issued: {card.status} {stands.meaning}"
    return msgspec.structs.replace(learnt, evidence=scrub(evidence))


def _fault_of(ask: Issue, card: wire.CreatedCard, settings: GatePaySettings) -> str:
    """Say how an answer differs from what was asked; a dialect may tell neither amount nor currency."""
    if ask.amount is None:
        return "no amount was asked for"
    if card.currency and card.currency != provider_currency(ask.amount.currency, settings):
        return f"the card is in {scrub(card.currency)}, asked for was {ask.amount.currency}"
    try:
        told = ask.amount if card.amount is None else from_decimal(card.amount, ask.amount.currency)
    except MoneyError as fault:
        return f"the card's amount has {fault}"
    return "" if told == ask.amount else f"the card is worth {told}, asked for was {ask.amount}"


def _is_another(card: wire.CreatedCard, known: IssuedCard | CardRef) -> bool:
    """Tell whether an answer names another card; one that names none is taken for the one asked about."""
    numbers_differ = known.number is not None and card.number not in {"", known.number.reveal()}
    keys_differ = known.redemption_key is not None and card.redemption_key not in {
        "",
        known.redemption_key.reveal(),
    }
    return numbers_differ or keys_differ


def _failed(card: wire.CreatedCard, stands: codes.Standing, issued: IssuedCard) -> Decline:
    text = scrub(card.complaint, issued.number, issued.redemption_key) or stands.meaning
    return Decline(reason=DeclineReason.PROVIDER_REFUSED, provider_code=str(card.status), provider_text=text)


def _completed(known: IssuedCard, seen: IssuedCard) -> IssuedCard:
    return msgspec.structs.replace(
        known,
        number=known.number or seen.number,
        redemption_key=known.redemption_key or seen.redemption_key,
    )


def standing(status: int | str | None) -> codes.Standing:
    """Return what a status means; a number may come as text."""
    return codes.STANDINGS.get(str(status), _UNHEARD)


def _is_open(reply: Reply, envelope: wire.Envelope) -> bool:
    """Tell whether a create with this answer may have happened all the same."""
    if not _is_final(reply, envelope):
        return True
    return envelope.status == codes.FAIL and (code_of(envelope) in codes.OPEN or not code_of(envelope))


def _is_final(reply: Reply, envelope: wire.Envelope) -> bool:
    """Tell whether GatePay itself decided: with HTTP 200, by SUCCESS or FAIL. Nothing else says anything."""
    return reply.status == HTTPStatus.OK and envelope.status in {codes.SUCCESS, codes.FAIL}


def code_of(envelope: wire.Envelope) -> str:
    """Return the envelope's code as text; empty where it has none."""
    return "" if envelope.code is None else str(envelope.code)


def decline_of(envelope: wire.Envelope, *secrets: Secret | None) -> Decline:
    """Return a FAIL as a decline; a code that is not documented is the provider's refusal."""
    code = code_of(envelope)
    return Decline(
        reason=codes.DECLINES.get(code) or codes.OPEN.get(code) or DeclineReason.PROVIDER_REFUSED,
        provider_code=code,
        provider_text=scrub(envelope.errorMessage or envelope.label or "", *secrets),
    )


def data_of(reply: Reply) -> msgspec.Raw:
    """Return the data of a read's answer; raise Refused for a FAIL, NoAnswer for what decides nothing."""
    envelope = _heard(reply)
    if envelope.status == codes.FAIL:
        raise Refused(decline_of(envelope))
    return envelope.data


def card_data_of(reply: Reply, *secrets: Secret | None) -> msgspec.Raw:
    """Return the data of a read about one card, whose absence is told as an unknown order (assumption)."""
    envelope = _heard(reply)
    if envelope.status == codes.SUCCESS:
        return envelope.data
    said = decline_of(envelope, *secrets)
    if said.reason is DeclineReason.RECORD_NOT_FOUND:
        said = msgspec.structs.replace(said, reason=DeclineReason.CARD_UNKNOWN)
    raise Refused(said)


def _heard(reply: Reply) -> wire.Envelope:
    envelope, _ = wire.ENVELOPE.read(reply.body)
    if not _is_final(reply, envelope):
        raise NoAnswer(f"HTTP {reply.status}, code {scrub(code_of(envelope))}: no business answer")
    return envelope


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


def card_view(reply: Reply, asked: CardRef, currencies: Mapping[str, str]) -> CardView:
    """Return what a query tells of a card; raise Refused when it is unknown, Unreadable for another.

    The time of redemption counts for a redeemed card alone: an example shows it on one that is not.
    """
    card = wire.QUERIED_CARD.read(bytes(card_data_of(reply, asked.number, asked.redemption_key)))[0]
    if _is_another(card, asked):
        raise Unreadable("the answer is about another card")
    stands = standing(card.status)
    amount = money_of(card.amount, card.currency, currencies)
    events = [CardEvent(name="create", at=_time(card.create_time), amount=amount)] if card.create_time else []
    if stands.state is CardState.REDEEMED:
        events.append(CardEvent(name="redeem", at=_time(card.exchange_time), amount=amount))
    unmapped = f"{card.amount} {card.currency}" if card.amount is not None and amount is None else None
    redeemer = str(card.exchange_uid) if card.exchange_uid else None
    told = {
        "title": card.title,
        "creator_name": card.creator_name,
        "exchange_uid": redeemer,
        "amount": unmapped,
    }
    return CardView(
        masked_card=asked.masked(),
        state=stands.state,
        balances=balances_of(stands.state, amount),
        provider_state=f"{card.status} {stands.meaning}",
        history=tuple(events),
        references=references_of(card) | {name: value for name, value in told.items() if value},
    )


def balance_view(reply: Reply, asked: CardRef, currencies: Mapping[str, str]) -> CardView:
    """Return what the guide's balance call tells of a card; raise Refused for the merchant account's."""
    told = wire.CARD_BALANCE.read(bytes(card_data_of(reply, asked.number, asked.redemption_key)))[0]
    if told.balance_list is not None:
        text = "balance_list: this server speaks the reference dialect and tells the merchant's account"
        raise Refused(Decline(reason=DeclineReason.PROVIDER_MISCONFIGURED, provider_text=text))
    worth = money_of(told.balance, told.currency, currencies)
    return CardView(
        masked_card=asked.masked(),
        state=standing(told.status).state,
        balances=Balances(book=worth, available=worth),
        provider_state=str(told.status or ""),
    )


def templates(reply: Reply) -> Sequence[Template]:
    """Return every cover template; raise Refused when GatePay says no."""
    return [_template(item) for item in wire.TEMPLATES.read(bytes(data_of(reply)))[0]]


def _template(item: wire.TemplateItem) -> Template:
    """Return a cover template of either dialect."""
    titles = {"en": item.title_en, "zh": item.title_cn, "": item.templateName}
    return Template(
        template_id=item.card_temp_id or item.templateId or "",
        titles={language: title for language, title in titles.items() if title},
        image_url=item.image_url or item.coverUrl or "",
        kind=item.cover_type or "",
        provider_state=item.status or "",
    )


def _time(milliseconds: int | None) -> datetime | None:
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds) if milliseconds else None
    except OverflowError:
        return None
