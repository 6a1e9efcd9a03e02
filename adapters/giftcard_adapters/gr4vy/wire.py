"""The JSON objects of Gr4vy, as msgspec structs.

Names and types are those of Gr4vy's OpenAPI document; unused fields are left out. `Wire` begins the
name of a struct where another package of ours has the plain name.
"""

from __future__ import annotations

import msgspec

from giftcard_adapters.lenient import Lenient
from giftcard_adapters.values.secret import Secret


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


class WireTransaction(msgspec.Struct, frozen=True, kw_only=True):
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


class TransactionPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of transactions."""

    items: tuple[TransactionRow, ...]


class RefundRequest(msgspec.Struct, frozen=True, kw_only=True):
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
    status: str
    currency: str
    amount: int
    target_type: str
    target_id: str | None = None
    external_identifier: str | None = None
    error_code: str | None = None
    raw_response_code: str | None = None
    raw_response_description: str | None = None


class RefundPage(msgspec.Struct, frozen=True, kw_only=True):
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


class VaultCard(msgspec.Struct, frozen=True, kw_only=True):
    """A card in the vault; never its number, its PIN or its balance."""

    id: str
    bin: str
    sub_bin: str
    last4: str
    created_at: str | None = None
    updated_at: str | None = None
    usage_count: int | None = None
    cit_usage_count: int | None = None
    gift_card_service: Service = Service()
    expiration_date: str | None = None
    buyer: BuyerSeen | None = None
    last_used_at: str | None = None
    cit_last_used_at: str | None = None


class VaultPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the vault."""

    items: tuple[VaultCard, ...]
    next_cursor: str | None = None


class GiftCardSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A card with its balance; the error of one card stands here, inside an HTTP 200."""

    bin: str
    sub_bin: str
    last4: str
    usage_count: int | None = None
    cit_usage_count: int | None = None
    id: str | None = None
    currency: str | None = None
    expiration_date: str | None = None
    balance: int | None = None
    balance_error_code: str | None = None
    balance_raw_error_code: str | None = None
    balance_raw_error_message: str | None = None
    last_used_at: str | None = None
    cit_last_used_at: str | None = None


class GiftCardSummaries(msgspec.Struct, frozen=True, kw_only=True):
    """Cards with their balances, each read by itself: a fault in one is that card's."""

    items: tuple[msgspec.Raw, ...]


class Issuance(msgspec.Struct, frozen=True, kw_only=True):
    """An issued virtual card: no number and no PIN, only the URL it is reached by."""

    id: str
    url: Secret
    amount: int
    currency: str
    gift_card_service_payment_issuance_id: str = ""
    external_identifier: str | None = None


class ErrorPlace(msgspec.Struct, frozen=True, kw_only=True):
    """One place in a request that Gr4vy refused, and the kind of fault."""

    pointer: str = ""
    type: str = ""


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an error, as Gr4vy documents it: its `type` is `error`."""

    type: str
    code: str
    message: str = ""
    details: tuple[ErrorPlace, ...] = ()


class FieldProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a 422: the place, and the kind of fault."""

    loc: tuple[str | int, ...] = ()
    type: str = ""


class FieldProblems(msgspec.Struct, frozen=True, kw_only=True):
    """The other body of a 422: a list of fields, without a code."""

    detail: tuple[FieldProblem, ...]


class WebhookTarget(msgspec.Struct, frozen=True, kw_only=True):
    """What an event is about; `type` is `transaction` or `refund`, among others."""

    type: str = ""
    id: str = ""
    status: str | None = None
    external_identifier: str | None = None
    transaction_id: str | None = None
    transaction_external_identifier: str | None = None


class WebhookEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook event."""

    type: str
    id: str = ""
    name: str = ""
    created_at: str | None = None
    merchant_account_id: str = ""
    environment: str = ""
    target: msgspec.Raw = msgspec.Raw(b"{}")


_CARD = ("id", "bin", "sub_bin", "last4")
_REFUND = ("id", "status", "currency", "amount", "target_type", "target_id", "external_identifier")

ERROR_BODY = Lenient(ErrorBody, decides=("type", "code"))
FIELD_PROBLEMS = Lenient(FieldProblems, decides=("detail",))
encode = msgspec.json.Encoder().encode
TRANSACTION = Lenient(
    WireTransaction,
    decides=(
        *("id", "currency", "amount", "intent_outcome", "external_identifier"),
        *(
            f"gift_card_redemptions.{name}"
            for name in ("id", "status", "amount", "refunded_amount", "gift_card")
        ),
    ),
)
TRANSACTION_PAGE = Lenient(TransactionPage, decides=("items",))
REFUND_REQUEST = msgspec.json.Decoder(RefundRequest)
REFUND = Lenient(Refund, decides=_REFUND)
REFUND_PAGE = Lenient(RefundPage, decides=(*(f"items.{name}" for name in _REFUND), "next_cursor"))
VAULT_CARD = Lenient(VaultCard, decides=_CARD)
VAULT_PAGE = Lenient(VaultPage, decides=(*(f"items.{name}" for name in _CARD), "next_cursor"))
SUMMARIES = Lenient(GiftCardSummaries, decides=("items",))
SUMMARY = Lenient(GiftCardSummary, decides=(*_CARD, "currency", "balance", "balance_error_code"))
ISSUANCE = Lenient(Issuance, decides=("id", "url", "amount", "currency", "external_identifier"))
WEBHOOK_EVENT = Lenient(WebhookEvent, decides=("type", "id", "name", "target"))
WEBHOOK_TARGET = Lenient(
    WebhookTarget,
    decides=("type", "id", "transaction_id", "external_identifier", "transaction_external_identifier"),
)
