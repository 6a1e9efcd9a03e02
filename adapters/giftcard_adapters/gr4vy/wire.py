"""Gr4vy's answers as structs, and what its codes mean in our words.

Typed to Gr4vy's OpenAPI document; fields we have no use for are left out. What follows from an
answer is decided in `verdict` and `gr4vy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from giftcard_adapters.calls import Reply
from giftcard_adapters.codec import decode
from giftcard_adapters.errors import Unreadable
from giftcard_adapters.scrub import scrub
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.secret import Secret

REASONS: Mapping[str, DeclineReason] = {
    # What a gift card service says: the GiftCardErrorCode of a redemption or of a balance item.
    "invalid_gift_card": DeclineReason.CARD_UNKNOWN,
    "expired_card": DeclineReason.CARD_EXPIRED,
    "inactive_card": DeclineReason.CARD_NOT_ACTIVE,
    "invalid_service_credentials": DeclineReason.PROVIDER_MISCONFIGURED,
    "invalid_amount": DeclineReason.AMOUNT_INVALID,
    "incorrect_currency": DeclineReason.CURRENCY_MISMATCH,
    "insufficient_funds": DeclineReason.FUNDS_INSUFFICIENT,
    "invalid_service_configuration": DeclineReason.PROVIDER_MISCONFIGURED,
    "operation_canceled": DeclineReason.CANCELED,
    "service_error": DeclineReason.PROVIDER_ERROR,
    "service_network_error": DeclineReason.PROVIDER_UNAVAILABLE,
    "unknown_error": DeclineReason.PROVIDER_ERROR,
    "max_gift_cards_reached": DeclineReason.LIMIT_EXCEEDED,
    "suspected_fraud": DeclineReason.SUSPECTED_FRAUD,
    "canceled_payment_method": DeclineReason.CARD_VOIDED,
    "duplicate_transaction": DeclineReason.DUPLICATE,
    "unexpected_state": DeclineReason.STATE_UNEXPECTED,
    # What Gr4vy itself says: the `code` of an error body.
    "bad_request": DeclineReason.REQUEST_MALFORMED,
    "unauthorized": DeclineReason.CREDENTIALS_REFUSED,
    "forbidden": DeclineReason.CREDENTIALS_REFUSED,
    "not_found": DeclineReason.RECORD_NOT_FOUND,
    "method_not_allowed": DeclineReason.PROVIDER_MISCONFIGURED,
    "duplicate_record": DeclineReason.DUPLICATE,
    "concurrent_request": DeclineReason.PROVIDER_UNAVAILABLE,
    "too_early": DeclineReason.PROVIDER_UNAVAILABLE,
    "too_many_requests": DeclineReason.PROVIDER_UNAVAILABLE,
    "server_error": DeclineReason.PROVIDER_ERROR,
    "bad_gateway": DeclineReason.PROVIDER_UNAVAILABLE,
    "gateway_timeout": DeclineReason.PROVIDER_UNAVAILABLE,
}

_CODE_BY_STATUS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "duplicate_record",
    422: "bad_request",
    425: "too_early",
    429: "too_many_requests",
    500: "server_error",
    502: "bad_gateway",
    504: "gateway_timeout",
}
"""For a body that is not Gr4vy's, such as a proxy's page, and for the 422 shape, which has no code."""


class GiftCardFace(msgspec.Struct, frozen=True, kw_only=True):
    """What Gr4vy shows of a card wherever it names one: first six, next three, last four digits."""

    bin: str
    sub_bin: str
    last4: str
    id: str | None = None


class Redemption(msgspec.Struct, frozen=True, kw_only=True):
    """One card's part in a transaction; `status` is created, succeeded, failed or skipped."""

    id: str
    status: str
    amount: int
    refunded_amount: int
    gift_card: GiftCardFace
    gift_card_service_redemption_id: str | None = None
    error_code: str | None = None
    raw_error_code: str | None = None
    raw_error_message: str | None = None


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction in full; `intent_outcome` is pending, succeeded or failed, and then never changes."""

    id: str
    currency: str
    amount: int
    intent_outcome: str
    gift_card_redemptions: tuple[Redemption, ...]
    external_identifier: str | None = None
    reconciliation_id: str = ""
    error_code: str | None = None
    raw_response_description: str | None = None


class TransactionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the list of transactions: unlike the transaction in full it has no `intent_outcome`."""

    id: str
    external_identifier: str | None = None


class TransactionRows(msgspec.Struct, frozen=True, kw_only=True):
    """A page of transactions."""

    items: tuple[TransactionRow, ...]


class RefundAsk(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a refund, in the order it is written; always explicit about amount and target.

    Left out, `target_type` would mean a payment method, which a gift card transaction has none of.
    """

    amount: int
    target_type: str
    target_id: str
    reason: str
    external_identifier: str


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """A refund; `status` is processing, succeeded, failed, declined or voided."""

    id: str
    transaction_id: str
    status: str
    currency: str
    amount: int
    target_type: str
    target_id: str | None = None
    external_identifier: str | None = None
    transaction_external_identifier: str | None = None
    error_code: str | None = None
    raw_response_code: str | None = None
    raw_response_description: str | None = None


class Refunds(msgspec.Struct, frozen=True, kw_only=True):
    """The refunds of one transaction; the request takes no cursor, though the answer may hold one."""

    items: tuple[Refund, ...]
    next_cursor: str | None = None


class BuyerSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The buyer a stored card belongs to."""

    id: str | None = None
    external_identifier: str | None = None


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """The gift card service behind Gr4vy, such as `mock-gift-card`."""

    gift_card_service_definition_id: str = ""


class GiftCard(msgspec.Struct, frozen=True, kw_only=True):
    """A card in the vault; never its number, its PIN or its balance."""

    id: str
    bin: str
    sub_bin: str
    last4: str
    created_at: datetime
    updated_at: datetime
    usage_count: int
    cit_usage_count: int
    gift_card_service: Service = Service()
    expiration_date: datetime | None = None
    buyer: BuyerSeen | None = None
    last_used_at: datetime | None = None
    cit_last_used_at: datetime | None = None


class GiftCards(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the vault."""

    items: tuple[GiftCard, ...]
    next_cursor: str | None = None


class GiftCardSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A card with its balance; the error of one card stands here, inside an HTTP 200."""

    bin: str
    sub_bin: str
    last4: str
    usage_count: int
    cit_usage_count: int
    id: str | None = None
    currency: str | None = None
    expiration_date: datetime | None = None
    balance: int | None = None
    balance_error_code: str | None = None
    balance_raw_error_code: str | None = None
    balance_raw_error_message: str | None = None
    last_used_at: datetime | None = None
    cit_last_used_at: datetime | None = None


class GiftCardSummaries(msgspec.Struct, frozen=True, kw_only=True):
    """Cards with their balances."""

    items: tuple[GiftCardSummary, ...]


class Issuance(msgspec.Struct, frozen=True, kw_only=True):
    """An issued virtual card: no number and no PIN, only the URL it is reached by."""

    id: str
    url: Secret
    amount: int
    currency: str
    gift_card_service_payment_issuance_id: str
    external_identifier: str | None = None


class _Detail(msgspec.Struct, frozen=True, kw_only=True):
    pointer: str = ""
    type: str = ""


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    message: str = ""
    details: tuple[_Detail, ...] = ()


class _Violation(msgspec.Struct, frozen=True, kw_only=True):
    loc: tuple[str | int, ...] = ()
    type: str = ""


class _Violations(msgspec.Struct, frozen=True, kw_only=True):
    detail: tuple[_Violation, ...]


_PROBLEM = msgspec.json.Decoder(_Problem)
_VIOLATIONS = msgspec.json.Decoder(_Violations)


def decline_for(code: str, text: str = "", pin: Secret | None = None) -> Decline:
    """Return the decline for one of Gr4vy's codes; one that is not documented keeps its own name."""
    reason = REASONS.get(code, DeclineReason.PROVIDER_REFUSED)
    return Decline(reason=reason, provider_code=scrub(code, pin), provider_text=scrub(text, pin))


def refusal(reply: Reply, pin: Secret | None = None) -> Decline:
    """Read an error answer of any shape: Gr4vy's own, the 422 list, or a stranger's page.

    Of a detail only the place and the kind are kept, because its message can repeat what was sent.
    """
    code = _CODE_BY_STATUS.get(reply.status, f"http_{reply.status}")
    try:
        problem = decode(reply.body, _PROBLEM)
    except Unreadable:
        return decline_for(code, _violations(reply), pin)
    places = "; ".join(f"{detail.pointer} {detail.type}".strip() for detail in problem.details)
    decline = decline_for(problem.code, f"{problem.message} {places}".strip(), pin)
    if problem.code == "bad_request" and "limit" in problem.message.lower():
        # A full vault has no code of its own, only a sentence saying that the limit is reached.
        return msgspec.structs.replace(decline, reason=DeclineReason.LIMIT_EXCEEDED)
    return decline


def _violations(reply: Reply) -> str:
    try:
        found = decode(reply.body, _VIOLATIONS).detail
    except Unreadable:
        return ""
    return "; ".join(f"{'.'.join(map(str, violation.loc))} {violation.type}" for violation in found)
