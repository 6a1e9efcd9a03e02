"""AcmeCards' codes, states and statuses, and what they mean in ours. Tables only."""

from __future__ import annotations

from collections.abc import Mapping

from giftcard_adapters.values.declines import DeclineReason
from giftcard_adapters.values.reads import CardState

DECLINES: Mapping[str, DeclineReason] = {
    "no_such_card": DeclineReason.CARD_UNKNOWN,
    "card_locked": DeclineReason.CARD_BLOCKED,
    "not_enough": DeclineReason.FUNDS_INSUFFICIENT,
    "wrong_currency": DeclineReason.CURRENCY_MISMATCH,
    "no_such_redemption": DeclineReason.RECORD_NOT_FOUND,
    "already_closed": DeclineReason.STATE_UNEXPECTED,
    "malformed": DeclineReason.REQUEST_MALFORMED,
    "bad_signature": DeclineReason.CREDENTIALS_REFUSED,
}
"""Every code of the manual's table "Problems"."""

STATES = {"open": CardState.ACTIVE, "locked": CardState.BLOCKED}

DONE, CREATED, UNAUTHORIZED, NOT_FOUND = 200, 201, 401, 404

REFUSED = frozenset({400, UNAUTHORIZED, 402, NOT_FOUND, 409})
"""The manual's statuses of a final no; any other status says nothing about the money."""
