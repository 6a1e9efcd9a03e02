"""Gr4vy's answers as our values: replies in; outcomes, receipts, declines and card views out. Pure.

A success status proves little at Gr4vy: a 201 can hold a failed transaction, a succeeded intent a
failed redemption, a failed transaction a card that was charged. Gr4vy tells one balance, what can be
spent now, so the available balance is filled and the book balance stays empty.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from giftcard_adapters.calls import Reply, retry_after_s
from giftcard_adapters.errors import Unreadable
from giftcard_adapters.gr4vy import limits, wire
from giftcard_adapters.gr4vy.problems import (
    decline_for,
    decline_of,
    is_duplicate,
    is_turned_away,
    may_have_acted,
)
from giftcard_adapters.paths import is_segment
from giftcard_adapters.times import instant
from giftcard_adapters.values.advices import Acknowledgement, Receipt
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import CURRENCIES, Money, MoneyError
from giftcard_adapters.values.operations import Activate, Issue, Redeem
from giftcard_adapters.values.outcomes import Balances, IssuedCard, Outcome, ToldCard, Verdict
from giftcard_adapters.values.point_of_sale import Buyer
from giftcard_adapters.values.reads import CardState, CardView, StoredCard
from giftcard_adapters.values.secret import Secret

_RANK = {"succeeded": 0, "processing": 1}
"""Ranks refunds that carry our identifier; the first is the surest that the money is back."""

_BIN_LENGTH, _SUB_BIN_LENGTH, _LAST_LENGTH = 6, 3, 4


def unknown(evidence: str, references: dict[str, str] | None = None) -> Outcome:
    """Return an outcome that is still open, with what a person should know."""
    return Outcome(verdict=Verdict.UNKNOWN, evidence=evidence, references=references or {})


def face_of(card: wire.VaultCard | wire.GiftCardSummary) -> wire.GiftCardFace:
    """Return the part of an answer that says which card it is about."""
    return wire.GiftCardFace(bin=card.bin, sub_bin=card.sub_bin, last4=card.last4, id=card.id)


def is_same_card(face: wire.GiftCardFace, card: CardRef) -> bool:
    """Tell whether an answer is about the card that was asked for, as far as its digits show."""
    if card.number is None:
        return face.id in {None, card.stored_card_id}
    number = card.number.reveal()
    return (
        number.startswith(face.bin[:_BIN_LENGTH] + face.sub_bin[:_SUB_BIN_LENGTH])
        and number[-_LAST_LENGTH:] == face.last4
    )


def masked(face: wire.GiftCardFace) -> str:
    """Return the card as it may be shown; Gr4vy does not tell how long the number is."""
    return f"{face.bin}******{face.last4}"


def redeemed(ask: Redeem, reply: Reply) -> Outcome:
    """Return what became of `ask`; an answer that contradicts it is UNKNOWN (rule 4)."""
    transaction, left_out = wire.TRANSACTION.read(reply.body)
    return msgspec.structs.replace(_redeemed(ask, transaction), left_out=left_out)


def _redeemed(ask: Redeem, transaction: wire.WireTransaction) -> Outcome:
    contradiction = _contradiction(ask, transaction)
    if contradiction:
        return unknown(contradiction, _references(transaction))
    return _judged(transaction, limits.pin_of(ask.card))


def _judged(transaction: wire.WireTransaction, pin: Secret | None) -> Outcome:
    redemptions = transaction.gift_card_redemptions
    references = _references(transaction)
    if transaction.intent_outcome == "succeeded" and redemptions:
        if all(r.status == "succeeded" and r.refunded_amount == 0 for r in redemptions):
            return _approved(transaction)
        return unknown("the intent succeeded, but not every redemption stands", references)
    if transaction.intent_outcome == "failed":
        # Rejected in an anti-fraud review, a transaction fails and its redemptions are not put back.
        if any(_may_be_charged(redemption) for redemption in redemptions):
            return unknown("the transaction failed, but a card may have been charged", references)
        return Outcome(verdict=Verdict.DECLINED, decline=_why_failed(transaction, pin), references=references)
    return unknown(f"the intent is {transaction.intent_outcome:.20}, which is not final", references)


def _approved(transaction: wire.WireTransaction) -> Outcome:
    total = sum(redemption.amount for redemption in transaction.gift_card_redemptions)
    if total != transaction.amount:
        return unknown("the redemptions do not add up to the transaction", _references(transaction))
    if not is_segment(transaction.id) or not all(r.id for r in transaction.gift_card_redemptions):
        return unknown("the transaction cannot be reversed by the ids it has", _references(transaction))
    return Outcome(
        verdict=Verdict.APPROVED,
        approved=Money(transaction.currency, total),
        references=_references(transaction),
    )


def _may_be_charged(redemption: wire.Redemption) -> bool:
    if redemption.status in {"failed", "skipped"}:
        return False
    return not (redemption.status == "succeeded" and redemption.refunded_amount == redemption.amount)


def _why_failed(transaction: wire.WireTransaction, pin: Secret | None) -> Decline:
    for redemption in transaction.gift_card_redemptions:
        if redemption.error_code:
            text = f"{redemption.raw_error_code or ''} {redemption.raw_error_message or ''}".strip()
            return decline_for(redemption.error_code, text, pin)
    if transaction.error_code:
        return decline_for(transaction.error_code, transaction.raw_response_description or "", pin)
    return Decline(reason=DeclineReason.PROVIDER_REFUSED, provider_code="failed")


def _contradiction(ask: Redeem, transaction: wire.WireTransaction) -> str:
    amount = ask.amount
    if transaction.external_identifier not in {None, ask.transaction_id}:
        return "the answer is about a transaction with another external identifier"
    if amount is None or (transaction.currency, transaction.amount) != (amount.currency, amount.amount_minor):
        return "the answer says another amount or currency than was asked"
    redemptions = transaction.gift_card_redemptions
    if any(redemption.amount != amount.amount_minor for redemption in redemptions):
        return "a redemption is of another amount than was asked"
    if len(redemptions) > 1 or not all(is_same_card(r.gift_card, ask.card) for r in redemptions):
        return "the answer is about other cards than were asked"
    return ""


def _references(transaction: wire.WireTransaction) -> dict[str, str]:
    found = {"transaction_id": transaction.id, "reconciliation_id": transaction.reconciliation_id}
    if len(transaction.gift_card_redemptions) == 1:
        (redemption,) = transaction.gift_card_redemptions
        found["redemption_id"] = redemption.id
        found["service_redemption_id"] = redemption.gift_card_service_redemption_id or ""
    return {name: value for name, value in found.items() if value}


def refunded(asked: wire.RefundRequest, refund: wire.Refund, reply: Reply) -> Acknowledgement:
    """Return what a refund, told in `reply`, means for the reversal that asked for it.

    `failed`, `declined` and `voided` are Gr4vy's last word, and the money is not back: a person.
    """
    references = {"refund_id": refund.id}
    contradiction = refund_contradiction(asked, refund)
    if contradiction:
        return Acknowledgement(receipt=Receipt.REFUSED, evidence=contradiction, references=references)
    if refund.status == "succeeded":
        return Acknowledgement(receipt=Receipt.DONE, references=references)
    if refund.status in {"failed", "declined", "voided"}:
        return Acknowledgement(
            receipt=Receipt.REFUSED,
            evidence=f"the refund is {refund.status}: the money is not back on the card",
            decline=_why_not_refunded(refund),
            references=references,
        )
    evidence = f"the refund is {refund.status:.20}, which is not final"
    return msgspec.structs.replace(again(reply, evidence), references=references)


def again(reply: Reply, evidence: str = "") -> Acknowledgement:
    """Return that a reply says nothing final of the advice, and how long to leave Gr4vy alone."""
    return Acknowledgement(receipt=Receipt.AGAIN, evidence=evidence, retry_after_s=retry_after_s(reply))


def not_heard(reply: Reply) -> Acknowledgement:
    """Return that an error says nothing final of the advice."""
    decline = decline_of(reply)
    return msgspec.structs.replace(again(reply, decline.provider_code), decline=decline)


def _why_not_refunded(refund: wire.Refund) -> Decline:
    text = f"{refund.raw_response_code or ''} {refund.raw_response_description or ''}".strip()
    return decline_for(refund.error_code or refund.status, text)


def refund_contradiction(asked: wire.RefundRequest, refund: wire.Refund) -> str:
    """Say how a refund differs from what was asked; empty when it does not."""
    if refund.amount != asked.amount:
        return "the refund is of another amount than was asked"
    if refund.target_type != asked.target_type or refund.target_id not in {None, asked.target_id}:
        return "the refund is of something else than the redemption"
    if refund.external_identifier not in {None, asked.external_identifier}:
        return "the refund carries another external identifier"
    return ""


def furthest(refunds: Sequence[wire.Refund]) -> wire.Refund:
    """Return the most advanced of our own refunds of one advice."""
    return min(refunds, key=lambda refund: _RANK.get(refund.status, len(_RANK)))


def failed(decline: Decline) -> Outcome:
    """Return the outcome of a request that was turned away before it was looked at."""
    evidence = f"refused before it was looked at: {decline.provider_code}"
    return Outcome(verdict=Verdict.FAILED, decline=decline, evidence=evidence)


def refused_once(reply: Reply, pin: Secret | None = None) -> Outcome:
    """Return what an error means for a request that is never sent twice."""
    decline = decline_of(reply, pin)
    if is_turned_away(reply):
        return failed(decline)
    # Nothing of ours can have come before, so a record that is there already is somebody else's.
    if may_have_acted(reply) and not is_duplicate(reply):
        return unknown(f"Gr4vy answered {decline.provider_code}")
    return Outcome(verdict=Verdict.DECLINED, decline=decline)


def issued(ask: Issue, reply: Reply) -> Outcome:
    """Return the issued card: its URL and what is on it."""
    issuance, left_out = wire.ISSUANCE.read(reply.body)
    return msgspec.structs.replace(_issued(ask, issuance), left_out=left_out)


def _issued(ask: Issue, issuance: wire.Issuance) -> Outcome:
    references = {
        "issuance_id": issuance.id,
        "service_issuance_id": issuance.gift_card_service_payment_issuance_id,
    }
    references = {name: value for name, value in references.items() if value}
    amount = _money_of(issuance.amount, issuance.currency)
    card = IssuedCard(redemption_url=issuance.url, amount=amount)
    if (
        issuance.external_identifier not in {None, ask.transaction_id}
        or amount is None
        or amount != ask.amount
    ):
        doubt = unknown("another amount, currency or identifier was issued than was asked", references)
        return msgspec.structs.replace(doubt, issued_cards=(card,))
    return Outcome(verdict=Verdict.APPROVED, approved=amount, issued_cards=(card,), references=references)


def activated(ask: Activate, reply: Reply, zone: str) -> Outcome:
    """Return the activation, which Gr4vy answers with the card and without an amount."""
    card, left_out = wire.VAULT_CARD.read(reply.body)
    if not is_same_card(face_of(card), ask.card):
        return unknown("another card was activated than was asked")
    # The answer always has an id, but Gr4vy does not say what it means when nothing was stored.
    references = {"stored_card_id": card.id} if ask.store else {}
    expires_at = instant(card.expiration_date, zone)
    return Outcome(
        verdict=Verdict.APPROVED,
        approved=ask.amount,
        references=references,
        told_cards=(ToldCard(expires_at=expires_at),) if expires_at else (),
        left_out=left_out,
    )


def not_activated(ask: Activate, reply: Reply) -> Outcome:
    """Return what an error means for an activation."""
    outcome = refused_once(reply, limits.pin_of(ask.card))
    reason = outcome.decline.reason if outcome.decline else None
    if ask.store and reason in {DeclineReason.DUPLICATE, DeclineReason.LIMIT_EXCEEDED}:
        # It may be the vault that refused, after the card went live; Gr4vy does not document which.
        return unknown("refused while storing; the card may be active already")
    return outcome


_STATES = {"expired_card": CardState.EXPIRED, "inactive_card": CardState.INACTIVE}
"""Errors of a balance item that tell a card's state rather than a failure."""


def summaries_of(reply: Reply) -> Sequence[wire.GiftCardSummary | None]:
    """Return each item of a balances answer, None for one that cannot be read: its fault is its own."""
    return [_summary(item) for item in wire.SUMMARIES.read(reply.body)[0].items]


def listed_summaries(reply: Reply) -> Sequence[wire.GiftCardSummary]:
    """Return each item of a list of cards; raise Unreadable where one cannot be read, which has no place."""
    return [wire.SUMMARY.read(bytes(item))[0] for item in wire.SUMMARIES.read(reply.body)[0].items]


def _summary(item: msgspec.Raw) -> wire.GiftCardSummary | None:
    try:
        return wire.SUMMARY.read(bytes(item))[0]
    except Unreadable:
        return None


_UNREADABLE = Decline(
    reason=DeclineReason.PROVIDER_ERROR, provider_text="what Gr4vy says of this card cannot be read"
)


def unaskable(fault: str) -> Decline:
    """Return the decline for a card that would make Gr4vy refuse the whole request."""
    return Decline(reason=DeclineReason.REQUEST_MALFORMED, provider_text=fault)


def balance_error(summary: wire.GiftCardSummary, card: CardRef | None = None) -> Decline | None:
    """Return why an item has no balance; None when it has one. No balance and no code is an error too."""
    if summary.balance_error_code:
        text = f"{summary.balance_raw_error_code or ''} {summary.balance_raw_error_message or ''}".strip()
        return decline_for(summary.balance_error_code, text, limits.pin_of(card) if card else None)
    if summary.balance is None or summary.currency is None:
        return Decline(
            reason=DeclineReason.PROVIDER_UNAVAILABLE, provider_text="the balance could not be fetched"
        )
    return _UNREADABLE if _money_of(summary.balance, summary.currency) is None else None


def _money_of(amount: int | None, currency: str | None) -> Money | None:
    """Return an amount of minor units; None when it is not told, or no money that we can hold."""
    if amount is None or currency not in CURRENCIES:
        return None
    try:
        return Money(currency, amount)
    except MoneyError:
        return None


def balance_view(summary: wire.GiftCardSummary | None, card: CardRef, zone: str) -> CardView | Decline:
    """Return the card's balance, or why there is none; None stands for an item that cannot be read."""
    if summary is None:
        return _UNREADABLE
    return balance_error(summary, card) or _view(summary, card, CardState.ACTIVE, zone)


def lookup_view(summary: wire.GiftCardSummary, card: CardRef, zone: str) -> CardView | Decline:
    """Return everything told of the card; an expired or inactive card is a state, not a refusal."""
    state = _STATES.get(summary.balance_error_code or "")
    return balance_view(summary, card, zone) if state is None else _view(summary, card, state, zone)


def _view(summary: wire.GiftCardSummary, card: CardRef, state: CardState, zone: str) -> CardView:
    return CardView(
        masked_card=card.masked() if card.number is not None else masked(face_of(summary)),
        state=state,
        balances=_balances(summary),
        provider_state=summary.balance_error_code or "",
        expires_at=instant(summary.expiration_date, zone),
        references=_facts(summary),
    )


def _facts(summary: wire.GiftCardSummary) -> dict[str, str]:
    told = {
        "stored_card_id": summary.id,
        "usage_count": summary.usage_count,
        "cit_usage_count": summary.cit_usage_count,
        "last_used_at": summary.last_used_at,
        "cit_last_used_at": summary.cit_last_used_at,
    }
    return {name: str(fact) for name, fact in told.items() if fact}


def _balances(summary: wire.GiftCardSummary) -> Balances:
    return Balances(available=_money_of(summary.balance, summary.currency))


def stored_card(card: wire.VaultCard, zone: str) -> StoredCard:
    """Return a card of the vault; Gr4vy never tells its number, PIN or balance."""
    return StoredCard(
        stored_card_id=card.id,
        masked_card=masked(face_of(card)),
        buyer=_buyer(card),
        expires_at=instant(card.expiration_date, zone),
        created_at=instant(card.created_at, zone),
        updated_at=instant(card.updated_at, zone),
        last_used_at=instant(card.last_used_at, zone),
        customer_last_used_at=instant(card.cit_last_used_at, zone),
        usage_count=card.usage_count,
        customer_usage_count=card.cit_usage_count,
        provider_service=card.gift_card_service.gift_card_service_definition_id,
    )


def _buyer(card: wire.VaultCard) -> Buyer | None:
    if card.buyer is None:
        return None
    return Buyer(buyer_id=card.buyer.id or "", external_id=card.buyer.external_identifier or "")


def stored_summary(summary: wire.GiftCardSummary, buyer: Buyer | None, zone: str) -> StoredCard:
    """Return one of a buyer's cards, with its balance or why there is none."""
    error = balance_error(summary)
    return StoredCard(
        stored_card_id=summary.id or "",
        masked_card=masked(face_of(summary)),
        buyer=buyer,
        expires_at=instant(summary.expiration_date, zone),
        last_used_at=instant(summary.last_used_at, zone),
        customer_last_used_at=instant(summary.cit_last_used_at, zone),
        usage_count=summary.usage_count,
        customer_usage_count=summary.cit_usage_count,
        balances=None if error else _balances(summary),
        balance_error=error,
    )
