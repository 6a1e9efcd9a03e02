"""JeudiMerci's HTTP statuses, and what they mean in our words. Tables only."""

from __future__ import annotations

from collections.abc import Mapping

from giftcard_adapters.values.declines import DeclineReason

DECLINES: Mapping[int, DeclineReason] = {
    401: DeclineReason.CREDENTIALS_REFUSED,
    402: DeclineReason.WALLET_INSUFFICIENT,
    403: DeclineReason.CREDENTIALS_REFUSED,
    404: DeclineReason.PROVIDER_MISCONFIGURED,
    405: DeclineReason.PROVIDER_MISCONFIGURED,
    413: DeclineReason.REQUEST_MALFORMED,
    415: DeclineReason.REQUEST_MALFORMED,
    422: DeclineReason.REQUEST_MALFORMED,
    429: DeclineReason.PROVIDER_UNAVAILABLE,
}
"""Statuses that say nothing was done. Only 422 is documented; the others are what RFC 9110 means by
them, and 402 for an empty wallet is our assumption. Any status not here may have had an effect."""

NOT_FINAL = frozenset({202, 401, 403, 408, 425, 429})
"""Answers to a delete, besides 5xx, that leave it open; a key refused today may be accepted tomorrow."""
