"""Gr4vy's answers as plain data: every field its OpenAPI document requires, and some others."""

from __future__ import annotations

from datetime import datetime

from giftcard_simulators.bank import BankCard
from giftcard_simulators.gr4vy.books import MERCHANT_ACCOUNT_ID
from giftcard_simulators.gr4vy.payments import Paid, PutBack, Redeemed
from giftcard_simulators.gr4vy.service import ServiceError
from giftcard_simulators.gr4vy.vault import NOBODY, Stored
from giftcard_simulators.sandbox import Plain

SERVICE: Plain = {
    "type": "gift-card-service",
    "id": "6f2c1a34-5c0d-4f0e-9a53-2f8a2c7c1d10",
    "gift_card_service_definition_id": "mock-gift-card",
    "display_name": "Mock gift card",
}
"""The one gift card service of the sandbox."""

_STATUSES = {"pending": "processing", "succeeded": "capture_succeeded", "failed": "authorization_failed"}
"""Gr4vy documents no `status` for a transaction without a payment method; this is an assumption."""

_GUEST = ("display_name", "external_identifier", "billing_details", "account_number")
_ECHOED = (
    "metadata",
    "payment_source",
    "merchant_initiated",
    "is_subsequent_payment",
    "account_funding_transaction",
    "airline",
    "cart_items",
    "statement_descriptor",
    "recipient",
    "installment_count",
    "approval_expires_at",
    "tax_amount",
    "duty_amount",
    "shipping_amount",
    "amount_includes_tax",
    "merchant_tax_id",
    "purchase_order_number",
    "customer_reference_number",
    "supplier_order_number",
)
"""What a Transaction in full tells as it was asked."""


def _face(number: str) -> dict[str, object]:
    return {"type": "gift-card", "bin": number[:6], "sub_bin": number[6:9], "last4": number[-4:]}


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _buyer(paid: Paid) -> Plain | None:
    buyer_id, external_id = paid.buyer
    if paid.buyer != NOBODY:
        return {"type": "buyer", "id": buyer_id or None, "external_identifier": external_id or None}
    guest = paid.asked.buyer
    return guest and {"type": "buyer", "id": None, **{name: guest.get(name) for name in _GUEST}}


def gift_card(card: BankCard, *, card_id: str, at: datetime, stored: Stored | None = None) -> Plain:
    """Return a GiftCard; `stored` is the card in the vault, where it is there."""
    used_at = _time(stored.last_used_at) if stored else None
    used = stored.usage_count if stored else 0
    return {
        **_face(card.number),
        "id": card_id,
        "merchant_account_id": MERCHANT_ACCOUNT_ID,
        "gift_card_service": SERVICE,
        "expiration_date": card.expiry,
        "buyer": _vault_buyer(stored, at) if stored else None,
        "created_at": _time(stored.created_at if stored else at),
        "updated_at": _time(stored.updated_at if stored else at),
        "usage_count": used,
        "cit_usage_count": used,
        "last_used_at": used_at,
        "cit_last_used_at": used_at,
    }


def _vault_buyer(stored: Stored, at: datetime) -> Plain | None:
    buyer_id, external_id = stored.buyer
    if stored.buyer == NOBODY:
        return None
    return {
        "type": "buyer",
        # A buyer named by the merchant's id alone has one of Gr4vy's too, unknown to the sandbox.
        "id": buyer_id or "00000000-0000-4000-8000-000000000000",
        "reconciliation_id": "sandbox",
        "merchant_account_id": MERCHANT_ACCOUNT_ID,
        "external_identifier": external_id or None,
        "created_at": _time(at),
        "updated_at": _time(at),
    }


def summary(number: str, card: BankCard | None, error: ServiceError | None, stored: Stored | None) -> Plain:
    """Return a GiftCardSummary: a balance, or why there is none."""
    used_at = _time(stored.last_used_at) if stored else None
    used = stored.usage_count if stored else 0
    return {
        **_face(number),
        "id": stored.id if stored else None,
        "merchant_account_id": MERCHANT_ACCOUNT_ID,
        "currency": card.currency if card else None,
        "expiration_date": card.expiry if card else None,
        "balance": card.available_minor if card and not error else None,
        "balance_error_code": error.code if error else None,
        "balance_raw_error_code": error.raw_code if error else None,
        "balance_raw_error_message": error.raw_message if error else None,
        "usage_count": used,
        "cit_usage_count": used,
        "last_used_at": used_at,
        "cit_last_used_at": used_at,
    }


def issuance(
    issuance_id: str, *, number: str, amount: int, currency: str, name: str | None, at: datetime
) -> Plain:
    """Return a GiftCardIssuance: the card is only reachable through its URL."""
    return {
        "type": "gift-card-issuance",
        "id": issuance_id,
        "merchant_account_id": MERCHANT_ACCOUNT_ID,
        "gift_card_service": SERVICE,
        "gift_card_service_payment_issuance_id": f"mock-{issuance_id}",
        "url": f"https://cards.sandbox.example/g/{number}",
        "amount": amount,
        "currency": currency,
        "external_identifier": name,
        "created_at": _time(at),
        "updated_at": _time(at),
    }


def _redemption(redemption: Redeemed, *, is_settled: bool) -> Plain:
    error = redemption.error if is_settled else None
    return {
        "type": "gift-card-redemption",
        "id": redemption.id,
        "status": redemption.status if is_settled else "created",
        "amount": redemption.amount,
        "refunded_amount": redemption.refunded,
        "gift_card_service_redemption_id": f"mock-{redemption.id}" if is_settled and not error else None,
        "error_code": error.code if error else None,
        "raw_error_code": error.raw_code if error else None,
        "raw_error_message": error.raw_message if error else None,
        "gift_card": {**_face(redemption.number), "id": redemption.stored_id or None},
    }


def transaction_row(paid: Paid, now: datetime) -> dict[str, object]:
    """Return a TransactionSummary, which has no `intent_outcome`."""
    is_settled = now >= paid.settled_at
    outcome = paid.outcome if is_settled else "pending"
    return {
        "type": "transaction",
        "id": paid.id,
        "reconciliation_id": paid.id.replace("-", "")[:22],
        "merchant_account_id": MERCHANT_ACCOUNT_ID,
        "currency": paid.asked.currency,
        "amount": paid.asked.amount,
        "status": _STATUSES[outcome],
        "authorized_amount": 0,
        "captured_amount": 0,
        "refunded_amount": 0,
        "settled_amount": 0,
        "settled": False,
        "country": paid.asked.country,
        "external_identifier": paid.asked.external_identifier,
        "intent": paid.asked.intent,
        "payment_method": None,
        "error_code": None,
        "pending_review": False,
        "buyer": _buyer(paid),
        "gift_card_redemptions": [_redemption(each, is_settled=is_settled) for each in paid.redemptions],
        "gift_card_service": SERVICE,
        "created_at": _time(paid.created_at),
        "updated_at": _time(paid.settled_at if is_settled else paid.created_at),
        "disputed": False,
    }


def transaction(paid: Paid, now: datetime) -> Plain:
    """Return a Transaction in full."""
    return {
        **transaction_row(paid, now),
        **{name: getattr(paid.asked, name) for name in _ECHOED},
        "intent_outcome": paid.outcome if now >= paid.settled_at else "pending",
        "multi_tender": len(paid.redemptions) > 1,
    }


def refund(put: PutBack, now: datetime) -> Plain:
    """Return a Refund."""
    is_settled = now >= put.settled_at
    error = put.error if is_settled else None
    return {
        "type": "refund",
        "id": put.id,
        "transaction_id": put.paid.id,
        "status": put.outcome if is_settled else "processing",
        "currency": put.paid.asked.currency,
        "amount": put.amount,
        "reason": put.reason,
        "target_type": "gift-card-redemption",
        "target_id": put.target_id,
        "reconciliation_id": put.id.replace("-", "")[:22],
        "external_identifier": put.external_identifier,
        "transaction_reconciliation_id": put.paid.id.replace("-", "")[:22],
        "transaction_external_identifier": put.paid.asked.external_identifier,
        "created_at": _time(put.created_at),
        "updated_at": _time(put.settled_at if is_settled else put.created_at),
        "error_code": error.code if error else None,
        "raw_response_code": error.raw_code if error else None,
        "raw_response_description": error.raw_message if error else None,
        "settled": False,
        "settled_amount": 0,
    }
