"""Electrum's answers to requests and lookups: replies in; outcomes and card views out.

A final verdict needs Electrum's own documented shape. A status that anybody on the way may give, with
an empty body or somebody else's, says nothing. docs/providers/electrum.md has every class with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

import msgspec

from giftcard_adapters.calls import Reply
from giftcard_adapters.electrum import readings, wire
from giftcard_adapters.electrum.codes import DECLINES, SHAPES
from giftcard_adapters.errors import NoAnswer, Refused, Unreadable
from giftcard_adapters.scrub import scrub
from giftcard_adapters.values.cards import CardRef, ClearPin, EncryptedPin, HashedPin
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money, MoneyError
from giftcard_adapters.values.operations import MoneyOperation
from giftcard_adapters.values.outcomes import Balances, Outcome, ToldCard, Verdict
from giftcard_adapters.values.reads import CardView, Lookup
from giftcard_adapters.values.secret import Secret

SUCCEEDED = frozenset({200, 201, 202})
NOT_LET_IN = frozenset({401, 403})
DUPLICATE = "DUPLICATE_RECORD"
NO_RECORD = "UNABLE_TO_LOCATE_RECORD"
GENERAL = "GENERAL_ERROR"

_FINAL_WITHOUT_BODY = frozenset({400, 501})
"""Electrum documents both as failed, their body may be empty. So is 503, which is any load balancer's too."""
_FINAL_SERVER_ERRORS = frozenset({501, 503})
_OF_THE_WAY = frozenset({408, 409, 421, 425, 429, 499})
"""Statuses of rate limiters and gateways."""
_FIRST_CLIENT_ERROR, _FIRST_SERVER_ERROR = 400, 500
_LOOKUP = "LOOKUP_REQUEST"
_INEXACT = "the answer names an amount or a currency that cannot be said exactly"


def outcome_of(ask: MoneyOperation, reply: Reply, zone: ZoneInfo) -> Outcome:
    """Return what became of a money request; raise Unreadable when that cannot be read."""
    if reply.status in SUCCEEDED:
        return _approval(ask, reply, zone)
    if is_open(reply.status):
        return Outcome(
            verdict=Verdict.UNKNOWN, evidence=f"the provider answered {reply.status}, which is not final"
        )
    if is_not_let_in(reply):
        refusal = Decline(reason=DeclineReason.CREDENTIALS_REFUSED, provider_code=str(reply.status))
        return Outcome(
            verdict=Verdict.FAILED, decline=refusal, evidence=f"the provider answered {reply.status}"
        )
    error = error_of(reply)
    if error is None:
        is_final = reply.status in _FINAL_WITHOUT_BODY
        return Outcome(
            verdict=Verdict.FAILED if is_final else Verdict.UNKNOWN,
            evidence=f"the provider answered {reply.status} and no reason",
        )
    if not is_about(error, {ask.transaction_id}, SHAPES[ask.operation].message_type("REQUEST")):
        raise Unreadable("the error is not about this request")
    return _refused(ask, error, reply.status)


def is_not_let_in(reply: Reply) -> bool:
    """Tell whether the credentials were refused by Electrum, and not by a page of somebody in between.

    Undocumented: the body is assumed to be empty or an ErrorDetail.
    """
    return reply.status in NOT_LET_IN and (not reply.body.strip() or error_of(reply) is not None)


def _refused(ask: MoneyOperation, error: wire.ErrorDetail, status: int) -> Outcome:
    if error.error_type == DUPLICATE:
        # We send once, so a proxy sent it twice, and the first copy may have moved money.
        return Outcome(verdict=Verdict.UNKNOWN, evidence="the provider says it saw this id before")
    if is_of_the_way(error, status):
        # Whoever says so may have passed the request on, and a decline would leave it standing.
        return Outcome(verdict=Verdict.UNKNOWN, evidence=f"somebody on the way answered {status}")
    return Outcome(verdict=Verdict.DECLINED, decline=decline_of(error, ask.cards))


def card_view(ask: Lookup, reply: Reply, zone: ZoneInfo) -> CardView:
    """Return what a lookup told; raise Refused, NoAnswer or Unreadable."""
    if reply.status not in SUCCEEDED:
        raise _refusal(ask, reply)
    response, _ = wire.LOOKUP_RESPONSE.read(reply.body)
    if response.id.lower() != ask.lookup_id or response.error_type:
        raise Unreadable("the answer is to another lookup")
    if ask.card and _is_another(ask.card, response.card):
        raise Unreadable("the answer is about another card")
    try:
        return _view(ask, response, zone)
    except MoneyError:
        raise Unreadable(_INEXACT) from None


def is_open(status: int) -> bool:
    """Tell whether a status leaves open what happened, whatever is in the body.

    500 and 504 do as documented; other server errors, redirections, and successes that Electrum does not
    document come from somebody on the way.
    """
    return status < _FIRST_CLIENT_ERROR or (
        status >= _FIRST_SERVER_ERROR and status not in _FINAL_SERVER_ERRORS
    )


def error_of(reply: Reply) -> wire.ErrorDetail | None:
    """Return the error; None for an empty body, which is documented. Raises Unreadable for any other body."""
    return wire.ERROR_DETAIL.read(reply.body)[0] if reply.body.strip() else None


def is_of_the_way(error: wire.ErrorDetail, status: int) -> bool:
    """Tell whether an error may be a rate limiter's or a gateway's that speaks Electrum's form."""
    return status in _OF_THE_WAY and error.error_type == GENERAL


def is_about(error: wire.ErrorDetail, ids: set[str], request_type: str) -> bool:
    """Tell whether an error is Electrum's own and about the message that has one of `ids`.

    Electrum's test server leaves id and type out of a FORMAT_ERROR. A word that is not documented may be
    anybody's unless the id is ours.
    """
    is_ours = error.id.lower() in ids
    return (
        (is_ours or not error.id)
        and error.request_type in {"", request_type}
        and (is_ours or error.error_type in DECLINES)
    )


def decline_of(error: wire.ErrorDetail, cards: Sequence[CardRef] = ()) -> Decline:
    """Return why Electrum said no, without card data."""
    return Decline(
        reason=DECLINES.get(error.error_type, DeclineReason.PROVIDER_REFUSED),
        provider_code=scrub(error.error_type),
        provider_text=scrub(words_of(error), *_secrets(cards)),
    )


def words_of(error: wire.ErrorDetail) -> str:
    """Return what Electrum says of an error: its message, and each field it could not read; scrub it."""
    faults = error.detail_message.format_errors if error.detail_message else ()
    told = [": ".join(filter(None, (fault.field, fault.msg))) for fault in faults]
    return "; ".join(filter(None, (error.error_message, *told)))


def _secrets(cards: Sequence[CardRef]) -> Iterator[Secret | None]:
    for card in cards:
        yield card.number
        match card.pin:
            case ClearPin(pin=secret) | EncryptedPin(block=secret) | HashedPin(digest=secret):
                yield secret


def _approval(ask: MoneyOperation, reply: Reply, zone: ZoneInfo) -> Outcome:
    response, left_out = wire.RESPONSE.read(reply.body)
    amounts = response.amounts or wire.Amounts()
    try:
        asked, approved = readings.money(amounts.request_amount), readings.money(amounts.approved_amount)
    except MoneyError:
        raise Unreadable(_INEXACT) from None
    told = Outcome(
        verdict=Verdict.APPROVED,
        approved=approved or ask.amount,
        fee=readings.gift(amounts.fee_amount),
        balances=_balances(ask, amounts),
        additional_amounts=readings.additional(amounts),
        references=_references(response),
        third_party_identifiers=readings.identifiers(response.third_party_identifiers),
        slip=readings.slip(response.slip_data),
        points=readings.point_balances(response.points, zone),
        ledger_indicators=readings.sides(amounts),
        told_cards=_told_cards(ask, response),
        receiver=readings.institution(response.receiver),
        settlement_entity=readings.institution(response.settlement_entity),
        left_out=left_out,
    )
    doubt = _doubt(ask, response, asked, told.approved)
    if not doubt:
        return told
    return msgspec.structs.replace(told, verdict=Verdict.UNKNOWN, evidence=doubt, approved=None)


def _doubt(
    ask: MoneyOperation, response: wire.TransactionResponse, asked: Money | None, approved: Money | None
) -> str:
    """Say how an approval differs from what was asked (rule 4), or nothing."""
    if response.error_type:
        return f"the provider answered success with the error {scrub(response.error_type)}"
    if response.id.lower() != ask.transaction_id:
        return "the provider approved another transaction id"
    if ask.amount is not None and asked not in {None, ask.amount}:
        return f"the provider says {asked} was asked for"
    if ask.amount is not None and approved != ask.amount:
        return f"the provider approved {approved}"
    for card, name in zip(ask.cards, SHAPES[ask.operation].cards, strict=True):
        if _is_another(card, getattr(response, name)):
            return "the provider approved another card"
    return ""


def _is_another(card: CardRef, echo: wire.CardEcho | None) -> bool:
    """Tell whether an answer names another card; a digit that is masked differs from none."""
    if card.number is None or echo is None or echo.pan is None:
        return False
    ours, theirs = card.number.reveal(), echo.pan.reveal()
    return len(ours) != len(theirs) or any(
        map(str.isdigit, {told for digit, told in zip(ours, theirs, strict=True) if told != digit})
    )


def _told_cards(ask: MoneyOperation, response: wire.TransactionResponse) -> tuple[ToldCard, ...]:
    told = []
    for name in SHAPES[ask.operation].cards:
        echo = getattr(response, name) or wire.CardEcho()
        told.append(ToldCard(expiry=echo.expiry_date, rank=echo.rank))
    return () if told == [ToldCard()] * len(told) else tuple(told)


def _references(response: wire.TransactionResponse) -> dict[str, str]:
    return {k: v for k, v in (("stan", response.stan), ("rrn", response.rrn)) if v}


def _balances(ask: MoneyOperation, amounts: wire.Amounts) -> tuple[Balances, ...]:
    both = readings.gift_balances(amounts)
    if both == Balances():
        return ()
    told = SHAPES[ask.operation].balance_of
    return tuple(both if n == told else Balances() for n in range(len(ask.cards)))


def _refusal(ask: Lookup, reply: Reply) -> Refused | NoAnswer:
    if is_open(reply.status):
        return NoAnswer(f"lookup: the provider answered {reply.status}")
    if is_not_let_in(reply):
        return Refused(Decline(reason=DeclineReason.CREDENTIALS_REFUSED, provider_code=str(reply.status)))
    error = error_of(reply)
    if error is None:
        return _bare_refusal(reply.status)
    if not is_about(error, {ask.lookup_id}, _LOOKUP):
        return Unreadable("the error is not about this lookup")
    decline = decline_of(error, (ask.card,) if ask.card else ())
    if error.error_type == NO_RECORD:
        decline = msgspec.structs.replace(decline, reason=DeclineReason.CARD_UNKNOWN)
    return Refused(decline)


def _bare_refusal(status: int) -> Refused | Unreadable:
    """Read an error without a body; a 404 is a path that nobody serves, and says nothing of a card."""
    if status in _FINAL_SERVER_ERRORS:
        return Refused(Decline(reason=DeclineReason.PROVIDER_UNAVAILABLE, provider_code=str(status)))
    if status in _FINAL_WITHOUT_BODY:
        return Refused(Decline(reason=DeclineReason.PROVIDER_REFUSED, provider_code=str(status)))
    return Unreadable(f"the provider answered {status} and no reason")


def _view(ask: Lookup, response: wire.TransactionResponse, zone: ZoneInfo) -> CardView:
    echo = response.card or wire.CardEcho()
    number = echo.pan or (ask.card.number if ask.card else None)
    amounts = response.amounts or wire.Amounts()
    return CardView(
        masked_card=number.masked_number() if number else "",
        balances=readings.balances(amounts),
        expiry=echo.expiry_date,
        rank=echo.rank,
        product=readings.product(response.product),
        points=readings.point_balances(response.points, zone),
        clubs=tuple(readings.club(club) for club in response.clubs),
        marketing_attributes=tuple(readings.club(one) for one in response.marketing_attributes),
        card_holder=readings.card_holder(response.card_holder, zone),
        references=_references(response),
        additional_amounts=readings.additional(amounts),
        slip=readings.slip(response.slip_data),
        third_party_identifiers=readings.identifiers(response.third_party_identifiers),
        receiver=readings.institution(response.receiver),
        settlement_entity=readings.institution(response.settlement_entity),
        fee=readings.gift(amounts.fee_amount),
        approved=readings.gift(amounts.approved_amount),
        point_of_sale=readings.point_of_sale(response.pos_info),
        ledger_indicators=readings.sides(amounts),
    )
