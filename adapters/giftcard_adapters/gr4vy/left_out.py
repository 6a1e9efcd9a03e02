"""What Gr4vy's answers tell and callers are not told, with the reasons: a table of the adapter's.

Paths are in Gr4vy's own names, as `Provider.leaves_out_of_answers` has them.
"""

from __future__ import annotations

from collections.abc import Mapping

_OF_PAYMENTS = (
    *("account_funding_transaction", "additional_identifiers", "airline", "amount_includes_tax"),
    *(
        "anti_fraud_decision",
        "approval_expires_at",
        "auth_response_code",
        "authorized_amount",
        "authorized_at",
    ),
    *("avs_response_code", "buyer_approval_timedout_at", "canceled_at", "captured_amount", "captured_at"),
    *("cart_items", "checkout_session_id", "country", "customer_reference_number", "cvv_response_code"),
    *("disputed", "duty_amount", "installment_count", "instrument_type", "is_subsequent_payment"),
    *("iso_response_code", "merchant_advice_code", "merchant_initiated", "merchant_tax_id", "method"),
    *("multi_tender", "payment_method", "payment_service", "payment_service_transaction_id"),
    *("payment_source", "pending_review", "purchase_order_number", "reauthorized_from_transaction_id"),
    *("recipient", "refunded_amount", "scheme_transaction_id", "session_token", "settled"),
    *("settled_amount", "settled_currency", "shipping_amount", "shipping_details", "statement_descriptor"),
    *("status", "supplier_order_number", "tax_amount", "three_d_secure", "transaction_link_id", "voided_at"),
)
_OF_BUYERS = (
    *("reconciliation_id", "created_at", "updated_at", "display_name", "account_number", "billing_details"),
)
_VAULTED = ("create_gift_card", "get_gift_card", "list_gift_cards.items")

LEFT_OUT: Mapping[str, str] = {
    "*.type": "the name of the shape",
    "*.merchant_account_id": "the one in the settings",
    **dict.fromkeys((f"create_transaction.{one}" for one in _OF_PAYMENTS), "of payments, which are not ours"),
    **dict.fromkeys(
        (f"create_transaction.{one}" for one in ("buyer", "intent", "metadata")), "an echo of the request"
    ),
    **dict.fromkeys(
        (
            *("create_transaction.error_code", "create_transaction.raw_response_*"),
            *(
                "create_transaction.gift_card_redemptions.*error_*",
                "list_gift_card_balances.items.balance_raw_*",
            ),
            *("create_transaction_refund.error_code", "create_transaction_refund.raw_response_*"),
        ),
        "says why not, and is told where something failed",
    ),
    "create_transaction.gift_card_redemptions.gift_card.id": "the card is the request's; its face is checked",
    **dict.fromkeys(
        (
            *(
                f"{one}.{at}"
                for one in ("issue_gift_card", "create_transaction")
                for at in ("created_at", "updated_at")
            ),
            *(
                f"activate_gift_card.{one}"
                for one in ("created_at", "updated_at", "*usage_count", "*last_used_at")
            ),
        ),
        "the gateway tells a transaction's own times; a stored card tells its use",
    ),
    "activate_gift_card.id": "the id in the vault: told where the card was stored",
    "activate_gift_card.buyer": "an echo of the request",
    **dict.fromkeys(
        (
            *(
                f"{one}.gift_card_service"
                for one in ("create_transaction", "issue_gift_card", "activate_gift_card")
            ),
            *(f"{one}.gift_card_service.{part}" for one in _VAULTED for part in ("id", "display_name")),
        ),
        "the operator's own configuration at Gr4vy; a stored card tells the service's kind",
    ),
    **dict.fromkeys(
        (f"{one}.buyer.{part}" for one in _VAULTED for part in _OF_BUYERS),
        "a buyer is named by its ids; Gr4vy keeps the person",
    ),
    **dict.fromkeys(
        ("get_gift_card.sub_bin", "list_gift_cards.items.sub_bin"),
        "digits that a masked number does not show",
    ),
    **dict.fromkeys(("list_gift_cards.limit", "list_gift_cards.previous_cursor"), "lists go forwards alone"),
    **dict.fromkeys(
        (
            f"create_transaction_refund.{one}"
            for one in ("amount", "currency", "target_*", "external_identifier")
        ),
        "checked: where one is another's, the list of refunds decides",
    ),
    **dict.fromkeys(
        (
            f"create_transaction_refund.{one}"
            for one in (
                *("transaction_id", "transaction_external_identifier", "*reconciliation_id", "created_at"),
                *("updated_at", "settled*", "payment_service_refund_id", "reason", "creator"),
            )
        ),
        "an acknowledgement tells the refund's id alone",
    ),
}
