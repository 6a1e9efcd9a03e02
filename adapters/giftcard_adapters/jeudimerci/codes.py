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
}
"""Statuses that say nothing was done. Only 422 is documented; the others are what RFC 9110 means by
them, and 402 for an empty wallet is our assumption. Any status not here may have had an effect."""

IN_BETWEEN = frozenset({408, 409, 421, 425, 429, 499})
"""Statuses of proxies and rate limiters; JeudiMerci documents none as its own."""

NOT_ABOUT_THIS = frozenset({401, 403})
"""Statuses that are about our key; a key refused today may be accepted tomorrow."""
