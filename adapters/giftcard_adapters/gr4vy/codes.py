"""Gr4vy's codes and words, and what they mean in ours. Tables only."""

from __future__ import annotations

from collections.abc import Mapping

from giftcard_adapters.values.declines import DeclineReason

DECLINES: Mapping[str, DeclineReason] = {
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


CODE_BY_STATUS = {
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


ORDERS = {
    "last_use_time": "last_used_at",
    "usage_count": "usage_count",
    "customer_last_use_time": "cit_last_used_at",
    "customer_usage_count": "cit_usage_count",
}
"""What a buyer's cards can be sorted by: our name, and Gr4vy's."""

NOT_LOOKED_AT = frozenset({401, 403, 405, 429})
"""Statuses of a request refused before anything was looked at: it surely had no effect."""

REFUSED = NOT_LOOKED_AT | {400, 404, 422}
"""The documented statuses of a no; any other, a 202 or a redirect too, leaves open what was done."""

TEMPLATES = {
    f"gr4vy {name}": path
    for name, path in {
        "redeem": "/transactions",
        "find": "/transactions",
        "get transaction": "/transactions/{transaction_id}",
        "issue": "/gift-cards/issuances",
        "activate": "/gift-cards/activations",
        "reverse": "/transactions/{transaction_id}/refunds",
        "find refund": "/transactions/{transaction_id}/refunds",
        "get refund": "/refunds/{refund_id}",
        "balances": "/gift-cards/balances",
        "store card": "/gift-cards",
        "get stored card": "/gift-cards/{gift_card_id}",
        "delete stored card": "/gift-cards/{gift_card_id}",
    }.items()
}
"""The path of each documented operation; `list stored cards` has two."""
