"""Electrum's answers as our values: replies in; outcomes, receipts and card views out.

The outcome classes are those of Electrum's protocol page: 200, 201 and 202 succeeded; 500, 504 and
silence are unknown; 400, 501, 503 and the rest failed. Where that page is open, what is chosen here
stands in docs/providers/electrum.md with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import msgspec

from giftcard_adapters.calls import Reply
from giftcard_adapters.codec import decode
from giftcard_adapters.electrum import wire
from giftcard_adapters.electrum.codes import DECLINES, SHAPES
from giftcard_adapters.errors import NoAnswer, Refused, Unreadable
from giftcard_adapters.scrub import scrub
from giftcard_adapters.values.advices import Acknowledgement, Advice, AdviceKind, Receipt
from giftcard_adapters.values.cards import CardRef, ClearPin
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money, MoneyError, from_numeric_code
from giftcard_adapters.values.operations import MoneyOperation
from giftcard_adapters.values.outcomes import Balances, Outcome, Slip, SlipLine, Verdict
from giftcard_adapters.values.point_of_sale import (
    Address,
    CardHolder,
    Institution,
    Product,
    ThirdPartyIdentifier,
)
from giftcard_adapters.values.points import PointBalances, Points
from giftcard_adapters.values.reads import CardView, Club, Lookup
from giftcard_adapters.values.secret import Secret

_SUCCEEDED = frozenset({200, 201, 202})
_NOT_LET_IN = frozenset({401, 403})
_NOT_FOUND = 404
_FINAL_SERVER_ERRORS = frozenset({501, 503})
_FIRST_SERVER_ERROR = 500
_DUPLICATE = "DUPLICATE_RECORD"
_NO_RECORD = "UNABLE_TO_LOCATE_RECORD"
_IN_PROGRESS = "Request in progress"
_PASSING = frozenset({"TEMPORARY_FAILURE", "UPSTREAM_UNAVAILABLE"})
_WIDEST_SLIP = 10_000
"""Characters; no printer is wider, and the contract has no room for more."""
_NOTHING_LEFT_TO_REVERSE = frozenset({"Request failed", "Request reversed"})
"""GENERAL_ERROR texts of Electrum's test server that say a reversal's aim is reached already."""


def outcome_of(ask: MoneyOperation, reply: Reply) -> Outcome:
    """Return what became of a money request; raise Unreadable when that cannot be read."""
    if reply.status in _SUCCEEDED:
        return _approval(ask, _response(reply))
    if _is_open(reply.status):
        return Outcome(
            verdict=Verdict.UNKNOWN, evidence=f"the provider answered {reply.status}, which is not final"
        )
    if reply.status in _NOT_LET_IN:
        refusal = Decline(reason=DeclineReason.CREDENTIALS_REFUSED, provider_code=str(reply.status))
        return Outcome(
            verdict=Verdict.FAILED, decline=refusal, evidence=f"the provider answered {reply.status}"
        )
    error = _error(reply)
    if error is None:
        return Outcome(verdict=Verdict.FAILED, evidence=f"the provider answered {reply.status} and no reason")
    if error.error_type == _DUPLICATE:
        # We send once, so a proxy sent it twice, and the first copy may have moved money.
        return Outcome(verdict=Verdict.UNKNOWN, evidence="the provider says it saw this id before")
    return Outcome(verdict=Verdict.DECLINED, decline=_decline(error, ask.cards))


def acknowledgement_of(advice: Advice, request_id: str, reply: Reply) -> Acknowledgement:
    """Return whether an advice is final; raise Unreadable (so it is not final) for an unknown body."""
    if reply.status in _SUCCEEDED:
        return _echoed(advice, request_id, reply)
    if _is_open(reply.status) or reply.status in {*_NOT_LET_IN, 503}:
        return Acknowledgement(receipt=Receipt.AGAIN, evidence=f"the provider answered {reply.status}")
    error = _error(reply)
    if error is not None:
        return _advice_error(advice, error)
    is_missing = reply.status == _NOT_FOUND
    return Acknowledgement(
        receipt=Receipt.NO_SUCH_TRANSACTION if is_missing else Receipt.REFUSED,
        evidence=f"the provider answered {reply.status} and no reason",
    )


def card_view(ask: Lookup, reply: Reply) -> CardView:
    """Return what a lookup told; raise Refused, NoAnswer or Unreadable."""
    if reply.status not in _SUCCEEDED:
        raise _refusal(ask, reply)
    response = _response(reply)
    if response.id != ask.lookup_id or response.error_type:
        raise Unreadable("the answer is to another lookup")
    with _Exact():
        return _view(ask, response)


def _is_open(status: int) -> bool:
    """Tell whether a status leaves open what happened; 502 and similar ones come from a proxy."""
    return status >= _FIRST_SERVER_ERROR and status not in _FINAL_SERVER_ERRORS


def _response(reply: Reply) -> wire.TransactionResponse:
    return decode(reply.body, wire.RESPONSE)


def _error(reply: Reply) -> wire.ErrorDetail | None:
    """Return the error; None for an empty body, which is documented. Raises Unreadable for any other body."""
    return decode(reply.body, wire.ERROR_DETAIL) if reply.body.strip() else None


def _decline(error: wire.ErrorDetail, cards: Sequence[CardRef] = ()) -> Decline:
    return Decline(
        reason=DECLINES.get(error.error_type, DeclineReason.PROVIDER_REFUSED),
        provider_code=scrub(error.error_type),
        provider_text=scrub(error.error_message, *_secrets(cards)),
    )


def _secrets(cards: Sequence[CardRef]) -> Iterator[Secret | None]:
    for card in cards:
        yield card.number
        if isinstance(card.pin, ClearPin):
            yield card.pin.pin


class _Exact:
    """Turns MoneyError into Unreadable."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _kind: object, fault: BaseException | None, _trace: object) -> None:
        """Translate MoneyError."""
        if isinstance(fault, MoneyError):
            raise Unreadable("the answer names an amount or a currency that cannot be said exactly") from None


def _approval(ask: MoneyOperation, response: wire.TransactionResponse) -> Outcome:
    amounts = response.amounts or wire.Amounts()
    with _Exact():
        told = Outcome(
            verdict=Verdict.APPROVED,
            approved=_money(amounts.approved_amount) or ask.amount,
            fee=_money(amounts.fee_amount),
            balances=_balances(ask, amounts),
            additional_amounts={name: _exact(one) for name, one in amounts.additional_amounts.items()},
            references={k: v for k, v in (("stan", response.stan), ("rrn", response.rrn)) if v},
            third_party_identifiers=_identifiers(response.third_party_identifiers),
            slip=_slip(response.slip_data),
            points=_point_balances(response.points),
            card_expiry=response.card.expiry_date if response.card else "",
            receiver=_institution(response.receiver),
            settlement_entity=_institution(response.settlement_entity),
        )
        doubt = _doubt(ask, response, _money(amounts.request_amount), told.approved)
    if not doubt:
        return told
    return msgspec.structs.replace(told, verdict=Verdict.UNKNOWN, evidence=doubt, approved=None)


def _doubt(
    ask: MoneyOperation, response: wire.TransactionResponse, asked: Money | None, approved: Money | None
) -> str:
    """Say how an approval differs from what was asked (rule 4), or nothing."""
    if response.error_type:
        return f"the provider answered success with the error {scrub(response.error_type)}"
    if response.id != ask.transaction_id:
        return "the provider approved another transaction id"
    if ask.amount is not None and asked not in {None, ask.amount}:
        return f"the provider says {asked} was asked for"
    if ask.amount is not None and approved != ask.amount:
        return f"the provider approved {approved}"
    return ""


def _money(amount: wire.LedgerAmount | None) -> Money | None:
    return _exact(amount) if amount else None


def _exact(amount: wire.LedgerAmount) -> Money:
    return Money(from_numeric_code(amount.currency), amount.amount)


def _balance(amount: wire.LedgerAmount | None) -> Money | None:
    """Read a balance; one marked DEBIT is owed by the holder, so below zero."""
    money = _money(amount)
    if money is None or amount is None or amount.ledger_indicator != "DEBIT":
        return money
    return Money(money.currency, -abs(money.amount_minor))


def _both(amounts: wire.Amounts) -> Balances:
    return Balances(book=_balance(amounts.balance_amount), available=_balance(amounts.available_balance))


def _balances(ask: MoneyOperation, amounts: wire.Amounts) -> tuple[Balances, ...]:
    both = _both(amounts)
    if both == Balances():
        return ()
    told = SHAPES[ask.operation].balance_of
    return tuple(both if n == told else Balances() for n in range(len(ask.cards)))


def _echoed(advice: Advice, request_id: str, reply: Reply) -> Acknowledgement:
    echo = decode(reply.body, wire.ADVICE_ECHO) if reply.body.strip() else wire.AdviceEcho()
    if echo.id not in {"", advice.advice_id} or echo.request_id not in {"", request_id}:
        return Acknowledgement(receipt=Receipt.AGAIN, evidence="the provider acknowledged another advice")
    return Acknowledgement(receipt=Receipt.DONE)


def _advice_error(advice: Advice, error: wire.ErrorDetail) -> Acknowledgement:
    final = _advice_receipt(advice, error)
    return Acknowledgement(
        receipt=final,
        evidence=scrub(f"{error.error_type} {error.error_message}".strip()),
        decline=_decline(error) if final is Receipt.REFUSED else None,
    )


def _advice_receipt(advice: Advice, error: wire.ErrorDetail) -> Receipt:
    if error.error_type == _DUPLICATE:
        return Receipt.DUPLICATE
    if error.error_type == _NO_RECORD:
        return Receipt.NO_SUCH_TRANSACTION
    if error.error_type in _PASSING:
        return Receipt.AGAIN
    is_reversal = advice.kind is AdviceKind.REVERSAL
    if (
        is_reversal
        and error.error_type == "GENERAL_ERROR"
        and error.error_message in _NOTHING_LEFT_TO_REVERSE
    ):
        return Receipt.DONE
    if error.error_type == "GENERAL_ERROR" and error.error_message == _IN_PROGRESS:
        # Electrum's test server keeps the id of an advice it turned away so, and calls the same bytes a
        # duplicate ever after.
        return Receipt.NOT_YET
    return Receipt.REFUSED


def _refusal(ask: Lookup, reply: Reply) -> Refused | NoAnswer:
    if _is_open(reply.status):
        return NoAnswer(f"lookup: the provider answered {reply.status}")
    if reply.status in _NOT_LET_IN:
        return Refused(Decline(reason=DeclineReason.CREDENTIALS_REFUSED, provider_code=str(reply.status)))
    error = _error(reply)
    if error is None:
        return Refused(Decline(reason=_bare(reply.status), provider_code=str(reply.status)))
    decline = _decline(error, (ask.card,) if ask.card else ())
    if error.error_type == _NO_RECORD:
        decline = msgspec.structs.replace(decline, reason=DeclineReason.CARD_UNKNOWN)
    return Refused(decline)


def _bare(status: int) -> DeclineReason:
    reasons = {_NOT_FOUND: DeclineReason.CARD_UNKNOWN, 503: DeclineReason.PROVIDER_UNAVAILABLE}
    return reasons.get(status, DeclineReason.PROVIDER_REFUSED)


def _view(ask: Lookup, response: wire.TransactionResponse) -> CardView:
    echo = response.card or wire.CardEcho()
    number = echo.pan or (ask.card.number if ask.card else None)
    return CardView(
        masked_card=number.masked_number() if number else "",
        balances=_both(response.amounts or wire.Amounts()),
        expiry=echo.expiry_date,
        product=_product(response.product),
        points=_point_balances(response.points),
        clubs=tuple(_club(club) for club in response.clubs),
        marketing_attributes=tuple(_club(one) for one in response.marketing_attributes),
        card_holder=_card_holder(response.card_holder),
        references={k: v for k, v in (("stan", response.stan), ("rrn", response.rrn)) if v},
    )


def _identifiers(told: Sequence[wire.Identifier]) -> tuple[ThirdPartyIdentifier, ...]:
    return tuple(
        ThirdPartyIdentifier(
            institution_id=one.institution_id, transaction_identifier=one.transaction_identifier
        )
        for one in told
    )


def _institution(party: wire.Party | None) -> Institution | None:
    return Institution(institution_id=party.id, name=party.name) if party else None


def _product(product: wire.WireProduct | None) -> Product | None:
    if product is None:
        return None
    return Product(product_id=product.id, barcode=product.barcode, product_type=product.type)


def _club(club: wire.WireClub) -> Club:
    return Club(
        name=club.name,
        description=club.description,
        is_member=club.member,
        may_be_marketed_to=club.market_to_customer,
        products=tuple(product for product in map(_product, club.products) if product),
    )


def _slip(data: wire.SlipData | None) -> Slip | None:
    if data is None:
        return None
    return Slip(
        lines=tuple(_slip_line(line) for line in data.message_lines),
        width=data.slip_width if 0 <= (data.slip_width or 0) <= _WIDEST_SLIP else None,
        issuer_reference=data.issuer_reference,
    )


def _slip_line(line: wire.WireSlipLine) -> SlipLine:
    return SlipLine(
        text=line.text,
        width_factor=line.font_width_scale_factor,
        height_factor=line.font_height_scale_factor,
        line=line.line,
        cut=line.cut,
        barcode=line.barcode.data if line.barcode else "",
        barcode_encoding=line.barcode.encoding if line.barcode else "",
    )


def _point_balances(told: wire.PointAmounts | None) -> PointBalances | None:
    if told is None:
        return None
    return PointBalances(
        requested=_points(told.request_amount),
        approved=_points(told.approved_amount),
        book=_points(told.balance_amount),
        available=_points(told.available_amount),
    )


def _points(told: wire.PointsAmount | None) -> Points | None:
    if told is None:
        return None
    return Points(
        amount=told.amount,
        worth=_money(told.currency_equivalent),
        due_to_expire=told.points_due_to_expire,
        expires_on=str(_day(told.expiry_date) or ""),
    )


def _card_holder(told: wire.Customer | None) -> CardHolder | None:
    if told is None:
        return None
    return CardHolder(
        first_name=told.first_name,
        last_name=told.last_name,
        address=_address(told),
        date_of_birth=_day(told.date_of_birth),
        status=told.status,
        phone=told.msisdn,
        email=told.email_address,
        profile_id=told.profile_id,
    )


def _address(told: wire.Customer) -> Address | None:
    details = told.address_details
    if details is None:
        return Address(lines=(told.address,)) if told.address else None
    return Address(
        lines=tuple(line for line in (details.address_line1, details.address_line2) if line),
        city=details.city,
        region=details.region,
        postal_code=details.postal_code,
        country=details.country,
    )


def _day(told: str) -> date | None:
    try:
        return date.fromisoformat(told[:10])
    except ValueError:
        return None
