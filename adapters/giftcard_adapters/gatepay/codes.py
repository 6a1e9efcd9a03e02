"""GatePay's codes and card statuses, and what they mean in ours. Tables only."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from giftcard_adapters.values.declines import DeclineReason
from giftcard_adapters.values.outcomes import Verdict
from giftcard_adapters.values.reads import CardState

SUCCESS = "SUCCESS"


FAIL = "FAIL"


DECLINES: Mapping[str, DeclineReason] = {
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
