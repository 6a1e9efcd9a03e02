"""Declines: one list of reasons for all providers, with the provider's own code and text."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class DeclineReason(StrEnum):
    """Why a provider said no, in one list for all providers."""

    CARD_UNKNOWN = "CARD_UNKNOWN"
    CARD_NOT_ACTIVE = "CARD_NOT_ACTIVE"
    CARD_ALREADY_ACTIVE = "CARD_ALREADY_ACTIVE"
    CARD_EXPIRED = "CARD_EXPIRED"
    CARD_VOIDED = "CARD_VOIDED"
    CARD_BLOCKED = "CARD_BLOCKED"
    CARD_DELETED = "CARD_DELETED"
    CARD_RANK_BLOCKED = "CARD_RANK_BLOCKED"
    PIN_INCORRECT = "PIN_INCORRECT"
    PIN_ATTEMPTS_EXCEEDED = "PIN_ATTEMPTS_EXCEEDED"
    FUNDS_INSUFFICIENT = "FUNDS_INSUFFICIENT"
    WALLET_INSUFFICIENT = "WALLET_INSUFFICIENT"
    AMOUNT_INVALID = "AMOUNT_INVALID"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    PRODUCT_INVALID = "PRODUCT_INVALID"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    DUPLICATE = "DUPLICATE"
    SUSPECTED_FRAUD = "SUSPECTED_FRAUD"
    CANCELED = "CANCELED"
    RECORD_NOT_FOUND = "RECORD_NOT_FOUND"
    STATE_UNEXPECTED = "STATE_UNEXPECTED"
    REQUEST_MALFORMED = "REQUEST_MALFORMED"
    CREDENTIALS_REFUSED = "CREDENTIALS_REFUSED"
    PROVIDER_MISCONFIGURED = "PROVIDER_MISCONFIGURED"
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    PROVIDER_ERROR = "PROVIDER_ERROR"
    PROVIDER_REFUSED = "PROVIDER_REFUSED"
    NOT_SUPPORTED = "NOT_SUPPORTED"


class Decline(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A provider's refusal: our reason, and the provider's own code and text (scrubbed of card data)."""

    reason: DeclineReason
    provider_code: str = ""
    provider_text: str = ""
