"""Electrum's codes and what they mean here: the shape of each operation, and every documented enum.

Tables only; the JSON objects are in `wire`.
"""

from __future__ import annotations

import msgspec

from giftcard_adapters.values.cards import PinBlockFormat
from giftcard_adapters.values.declines import DeclineReason
from giftcard_adapters.values.operations import Operation
from giftcard_adapters.values.point_of_sale import EntryMode, PinEntryCapability, PosCondition


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What one operation looks like: everything that differs between the six."""

    path: str
    name: str
    """Electrum's operationId of the request."""
    noun: str
    """What follows `confirm` and `reverse` in the operationIds of the advices."""
    cards: tuple[str, ...] = ("card",)
    """Names of the card fields: the same in our operations and, in camelCase, in Electrum's."""
    has_amount: bool = True
    needs_amount: bool = True
    needs_product: bool = False
    has_tenders: bool = False
    has_basket: bool = False
    has_points: bool = False
    balance_of: int = 0
    """Which of the operation's cards the answered balances are of."""

    def message_type(self, kind: str) -> str:
        """Return Electrum's `requestType` of the REQUEST, the CONFIRMATION or the REVERSAL."""
        return f"{self.noun.upper()}_{kind}"


SHAPES = {
    Operation.ACTIVATE: Shape(
        path="activations",
        name="activate",
        noun="Activation",
        needs_amount=False,
        needs_product=True,
        has_tenders=True,
    ),
    Operation.LOAD: Shape(path="loads", name="load", noun="Load", has_tenders=True),
    Operation.REDEEM: Shape(
        path="redemptions", name="redemption", noun="Redemption", has_basket=True, has_points=True
    ),
    Operation.TRANSFER: Shape(
        path="transfers", name="transfer", noun="Transfer", cards=("source_card", "target_card")
    ),
    Operation.REPLACE: Shape(
        path="replaces",
        name="replace",
        noun="Replace",
        cards=("old_card", "new_card"),
        has_amount=False,
        needs_amount=False,
        balance_of=1,
    ),
    Operation.VOID: Shape(path="voids", name="void", noun="Void", has_amount=False, needs_amount=False),
}

TEMPLATES = {
    name: path
    for shape in SHAPES.values()
    for name, path in (
        (shape.name, f"/{shape.path}/{{requestId}}"),
        (f"confirm{shape.noun}", f"/{shape.path}/{{requestId}}/confirmations/{{adviceId}}"),
        (f"reverse{shape.noun}", f"/{shape.path}/{{requestId}}/reversals/{{adviceId}}"),
    )
} | {"lookupGiftcard": "/lookupGiftcard/{lookupId}"}
"""The path of each documented operation."""

DECLINES = {
    "DUPLICATE_RECORD": DeclineReason.DUPLICATE,
    "FORMAT_ERROR": DeclineReason.REQUEST_MALFORMED,
    "FUNCTION_NOT_SUPPORTED": DeclineReason.NOT_SUPPORTED,
    "GENERAL_ERROR": DeclineReason.PROVIDER_ERROR,
    "INVALID_AMOUNT": DeclineReason.AMOUNT_INVALID,
    "ROUTING_ERROR": DeclineReason.PROVIDER_MISCONFIGURED,
    "TRANSACTION_NOT_SUPPORTED": DeclineReason.NOT_SUPPORTED,
    "UNABLE_TO_LOCATE_RECORD": DeclineReason.RECORD_NOT_FOUND,
    "UPSTREAM_UNAVAILABLE": DeclineReason.PROVIDER_UNAVAILABLE,
    "INVALID_PRODUCT": DeclineReason.PRODUCT_INVALID,
    "CARD_NOT_ACTIVATED": DeclineReason.CARD_NOT_ACTIVE,
    "CARD_ACTIVATED": DeclineReason.CARD_ALREADY_ACTIVE,
    "CARD_VOIDED": DeclineReason.CARD_VOIDED,
    "CARD_BLOCKED": DeclineReason.CARD_BLOCKED,
    "CARD_DELETED": DeclineReason.CARD_DELETED,
    "FUNCTION_BLOCKED_FOR_CARD_RANK": DeclineReason.CARD_RANK_BLOCKED,
    "INSUFFICIENT_FUNDS": DeclineReason.FUNDS_INSUFFICIENT,
    "INVALID_CARD_NUMBER": DeclineReason.CARD_UNKNOWN,
    "CARD_EXPIRED": DeclineReason.CARD_EXPIRED,
    "INCORRECT_PIN": DeclineReason.PIN_INCORRECT,
    "TEMPORARY_FAILURE": DeclineReason.PROVIDER_UNAVAILABLE,
    "DO_NOT_HONOUR": DeclineReason.PROVIDER_REFUSED,
    "PIN_ATTEMPTS_EXCEEDED": DeclineReason.PIN_ATTEMPTS_EXCEEDED,
}
"""Every documented errorType; another becomes PROVIDER_REFUSED."""

ENTRY_MODES = {
    EntryMode.MANUAL: "MANUAL",
    EntryMode.MAGSTRIPE: "MAGSTRIPE_CVV",
    EntryMode.MAGSTRIPE_WITHOUT_CVV: "MAGSTRIPE_NO_CVV",
    EntryMode.BARCODE: "BARCODE",
    EntryMode.OCR: "OCR",
    EntryMode.CHIP: "ICC_CVV",
    EntryMode.CHIP_WITHOUT_CVV: "ICC_NO_CVV",
    EntryMode.CONTACTLESS_CHIP: "CONTACTLESS_ICC",
    EntryMode.CONTACTLESS_MAGSTRIPE: "CONTACTLESS_MAGSTRIPE",
    EntryMode.ON_FILE: "ORIG_MODE",
    EntryMode.FALLBACK: "FALLBACK",
}
PIN_ENTRY = {
    PinEntryCapability.CAN_ACCEPT: "CAN_ACCEPT",
    PinEntryCapability.CANNOT_ACCEPT: "CANNOT_ACCEPT",
}
UNKNOWN_MODE = "UNKNOWN"
"""Electrum's value for an entry mode or PIN entry capability that the caller left out."""

CONDITIONS = {
    PosCondition.NORMAL: "NORMAL_PRESENTMENT",
    PosCondition.CUSTOMER_NOT_PRESENT: "CUSTOMER_NOT_PRESENT",
    PosCondition.CARD_NOT_PRESENT: "CUSTOMER_PRESENT_AND_CARD_NOT_PRESENT",
    PosCondition.IDENTITY_VERIFIED: "CUSTOMER_IDENTITY_VERIFIED",
    PosCondition.PUBLIC_UTILITY_TERMINAL: "PUBLIC_UTILITY_TERMINAL",
    PosCondition.CUSTOMER_TERMINAL: "CUSTOMER_TERMINAL",
    PosCondition.MANUAL_REVERSAL: "MANUAL_REVERSAL",
    PosCondition.UNATTENDED_CAN_RETAIN: "UNATTENDED_TERMINAL_AND_CARD_CAN_BE_RETAINED",
    PosCondition.UNATTENDED_CANNOT_RETAIN: "UNATTENDED_TERMINAL_AND_CARD_CANNOT_BE_RETAINED",
}
PIN_BLOCK_FORMATS = {
    PinBlockFormat.ISO_0: "ISO_9564_FORMAT_0",
    PinBlockFormat.ISO_1: "ISO_9564_FORMAT_1",
    PinBlockFormat.ISO_3: "ISO_9564_FORMAT_3",
}
TRANSACTION_TYPES = frozenset(
    {
        "GOODS_AND_SERVICES",
        "CASH_WITHDRAWAL",
        "DEBIT_ADJUSTMENT",
        "GOODS_AND_SERVICES_WITH_CASH_BACK",
        "NON_CASH",
        "RETURNS",
        "DEPOSIT",
        "CREDIT_ADJUSTMENT",
        "GENERAL_CREDIT",
        "AVAILABLE_FUNDS_INQUIRY",
        "BALANCE_INQUIRY",
        "GENERAL_INQUIRY",
        "CARD_VERIFICATION_INQUIRY",
        "CARDHOLDER_ACCOUNTS_TRANSFER",
        "GENERAL_TRANSFER",
        "PAYMENT_FROM_ACCOUNT",
        "GENERAL_PAYMENT",
        "PAYMENT_TO_ACCOUNT",
        "PAYMENT_FROM_ACCOUNT_TO_ACCOUNT",
        "PLACE_HOLD_ON_CARD",
        "GENERAL_ADMIN",
        "CHANGE_PIN",
        "CARD_HOLDER_INQUIRY",
        "POINTS_INQUIRY",
    }
)
"""Those of the newest public interface; its documents speak of 25 and list these 24."""
