"""AcmeCards' answers as our values: replies in; outcomes, receipts and card views out. Pure."""

from __future__ import annotations

from giftcard_adapters.calls import Call, Reply
from giftcard_adapters.codec import decode
from giftcard_adapters.errors import Refused, Unreadable
from giftcard_adapters.scrub import scrub
from giftcard_adapters.values.advices import Acknowledgement, Receipt
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money, MoneyError, exponent_of
from giftcard_adapters.values.operations import Redeem
from giftcard_adapters.values.outcomes import Balances, Outcome, Verdict
from giftcard_adapters.values.reads import CardView
from giftcard_adapters.values.secret import Secret

from . import codes, wire


def outcome_of(ask: Redeem, reply: Reply) -> Outcome:
    """Return what became of a redemption; raise Unreadable when that cannot be read."""
    if reply.status == codes.CREATED:
        return _approval(ask, decode(reply.body, wire.HOLD))
    if reply.status not in codes.REFUSED:
        return _unknown(f"the provider answered {reply.status}, which is not final")
    verdict = Verdict.FAILED if reply.status == codes.UNAUTHORIZED else Verdict.DECLINED
    return Outcome(verdict=verdict, decline=decline_of(reply, ask.card.number))


def acknowledgement_of(call: Call, reply: Reply) -> Acknowledgement:
    """Return whether an advice is final; raise Unreadable when that cannot be read."""
    if reply.status == codes.DONE:
        is_ours = f"/{decode(reply.body, wire.HOLD).id}/" in call.path
        evidence = "" if is_ours else "the answer is about another redemption"
        return Acknowledgement(receipt=Receipt.DONE if is_ours else Receipt.AGAIN, evidence=evidence)
    if reply.status == codes.UNAUTHORIZED or reply.status not in codes.REFUSED:
        return Acknowledgement(receipt=Receipt.AGAIN, evidence=f"the provider answered {reply.status}")
    is_unseen = reply.status == codes.NOT_FOUND
    receipt = Receipt.NO_SUCH_TRANSACTION if is_unseen else Receipt.REFUSED
    return Acknowledgement(receipt=receipt, decline=decline_of(reply))


def card_view(number: Secret, reply: Reply) -> CardView:
    """Return a card's state and balances; raise Refused or Unreadable."""
    if reply.status in codes.REFUSED:
        raise Refused(decline_of(reply, number))
    if reply.status != codes.DONE:
        raise Unreadable(f"the provider answered {reply.status}")
    told = decode(reply.body, wire.ACME_CARD)
    book, held = _money(told.cents, told.currency), _money(told.held_cents, told.currency)
    available = Money(book.currency, book.amount_minor - held.amount_minor)
    return CardView(
        masked_card=number.masked_number(),
        state=codes.STATES.get(told.state),
        provider_state=scrub(told.state),
        balances=Balances(book=book, available=available),
    )


def decline_of(reply: Reply, number: Secret | None = None) -> Decline:
    """Return the decline in an error answer."""
    told = decode(reply.body, wire.REFUSAL)
    return Decline(
        reason=codes.DECLINES.get(told.code, DeclineReason.PROVIDER_REFUSED),
        provider_code=scrub(told.code, number),
        provider_text=scrub(told.message, number),
    )


def _approval(ask: Redeem, hold: wire.Hold) -> Outcome:
    """Believe an approval only if it is about this redemption and this amount (rule 4)."""
    approved = _money(hold.cents, hold.currency)
    if hold.id != ask.transaction_id:
        return _unknown("the answer is about another redemption")
    if approved != ask.amount:
        return _unknown(f"{approved} was approved, asked for was {ask.amount}")
    left = Balances(available=_money(hold.left_cents, hold.currency))
    return Outcome(verdict=Verdict.APPROVED, approved=approved, balances=(left,))


def _unknown(evidence: str) -> Outcome:
    return Outcome(verdict=Verdict.UNKNOWN, evidence=evidence)


def _money(cents: int, currency: str) -> Money:
    try:
        exponent_of(currency)
    except MoneyError:
        raise Unreadable("the answer is in no currency we know") from None
    return Money(currency, cents)
