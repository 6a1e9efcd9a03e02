"""The bodies Gr4vy takes for gift cards, checked as its OpenAPI document says; unknown fields are refused.

Every documented field is taken. An object that bears on no gift card (`Unread`) is not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, TypeVar
from uuid import UUID

import msgspec

from giftcard_simulators.gr4vy.problems import Problem

Number = Annotated[str, msgspec.Meta(min_length=16, max_length=19, pattern=r"^[0-9]+\Z")]
PinText = Annotated[str, msgspec.Meta(min_length=1)]
MinorUnits = Annotated[int, msgspec.Meta(ge=0, le=99_999_999)]
Currency = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")]
Country = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}\Z")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Unread = dict[str, object]

_UNKNOWN_FIELD = re.compile(r"unknown field `(\w*)`")
_MISSING_FIELD = re.compile(r"required field `(\w*)`")

T = TypeVar("T")


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body whose every field is known."""


class StoreBody(_Body, frozen=True, kw_only=True):
    """GiftCardCreate."""

    number: Number
    pin: PinText
    buyer_id: UUID | None = None
    buyer_external_identifier: Name | None = None


class CardItem(_Body, frozen=True, kw_only=True):
    """A card by number and PIN, or by the id it is stored under."""

    number: Number | None = None
    pin: PinText | None = None
    id: UUID | None = None


class PaidItem(CardItem, frozen=True, kw_only=True):
    """A card and what it pays."""

    amount: MinorUnits


class BalancesBody(_Body, frozen=True, kw_only=True):
    """GiftCardBalanceRequest."""

    items: tuple[CardItem, ...]


class ActivationBody(_Body, frozen=True, kw_only=True):
    """GiftCardActivationCreate."""

    number: Number
    pin: PinText | None = None
    amount: MinorUnits | None = None
    currency: Currency | None = None
    external_identifier: Name | None = None
    store: bool = False
    buyer_id: UUID | None = None
    buyer_external_identifier: Name | None = None


class IssuanceBody(_Body, frozen=True, kw_only=True):
    """GiftCardIssuanceCreate."""

    theme: Name
    amount: MinorUnits
    currency: Currency
    external_identifier: Name | None = None


class TransactionBody(_Body, frozen=True, kw_only=True):
    """TransactionCreate."""

    amount: MinorUnits
    currency: Currency
    gift_cards: tuple[PaidItem, ...] | None = None
    intent: Literal["authorize", "capture"] = "authorize"
    external_identifier: Name | None = None
    buyer_id: UUID | None = None
    buyer_external_identifier: Name | None = None
    buyer: Unread | None = None
    payment_method: Unread | None = None
    payment_source: Literal["ecommerce", "moto", "recurring", "installment", "card_on_file"] = "ecommerce"
    merchant_initiated: bool = False
    is_subsequent_payment: bool = False
    store: bool = False
    async_capture: bool = False
    account_funding_transaction: bool = False
    allow_partial_authorization: bool = False
    is_amount_estimated: bool | None = None
    country: Country | None = None
    metadata: dict[str, str] | None = None
    description: str | None = None
    statement_descriptor: Unread | None = None
    cart_items: tuple[Unread, ...] | None = None
    airline: Unread | None = None
    recipient: Unread | None = None
    browser_info: Unread | None = None
    connection_options: Unread | None = None
    three_d_secure: Unread | None = None
    three_d_secure_data: Unread | None = None
    integration_client: Literal["redirect", "web", "android", "ios"] | None = None
    anti_fraud_fingerprint: str | None = None
    payment_service_id: UUID | None = None
    shipping_details_id: UUID | None = None
    previous_scheme_transaction_id: Line | None = None
    previous_transaction_link_id: Line | None = None
    installment_count: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None
    approval_expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    tax_amount: MinorUnits | None = None
    duty_amount: MinorUnits | None = None
    shipping_amount: MinorUnits | None = None
    amount_includes_tax: bool | None = None
    merchant_tax_id: Line | None = None
    purchase_order_number: Line | None = None
    customer_reference_number: Line | None = None
    supplier_order_number: Line | None = None


class RefundBody(_Body, frozen=True, kw_only=True):
    """TransactionRefundCreate."""

    amount: MinorUnits | None = None
    target_type: Literal["payment-method", "gift-card-redemption"] = "payment-method"
    target_id: UUID | None = None
    reason: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    external_identifier: Annotated[str, msgspec.Meta(min_length=1, max_length=300)] | None = None


class RefundAllBody(_Body, frozen=True, kw_only=True):
    """TransactionRefundAllCreate."""

    reason: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    external_identifier: Annotated[str, msgspec.Meta(min_length=1, max_length=300)] | None = None


def read(body: bytes, kind: type[T]) -> T:
    """Read a body; raise a Problem that names the place."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as fault:
        raise Problem(400, pointer=_pointer(str(fault))) from None
    except msgspec.DecodeError:
        raise Problem(400, message="The body is not JSON", pointer="/") from None


def _pointer(fault: str) -> str:
    """Return the place a validation error speaks of, a missing or unknown field included."""
    way = fault.partition(" - at `$")[2].strip("`").replace(".", "/").replace("[...]", "/0")
    way = re.sub(r"\[(\d+)\]", r"/\1", way)
    field = _UNKNOWN_FIELD.search(fault) or _MISSING_FIELD.search(fault)
    return f"{way}/{field[1]}" if field else way or "/"


def check_use_case(body: TransactionBody) -> None:
    """Raise a Problem for flags that the document rules out together."""
    is_agreed = body.payment_source in {"recurring", "installment"}
    is_on_file = body.payment_source == "card_on_file"
    if is_agreed and not (body.merchant_initiated or body.store):
        raise Problem(400, pointer="/store", message="A first recurring payment must be stored")
    if body.merchant_initiated and not (is_on_file or (is_agreed and body.is_subsequent_payment)):
        raise Problem(
            400, pointer="/is_subsequent_payment", message="A merchant starts no such payment by itself"
        )
    if body.async_capture and body.intent != "capture":
        raise Problem(400, pointer="/async_capture", message="Only a capture can be asynchronous")


def check_cards(items: Sequence[CardItem], place: str) -> None:
    """Raise a Problem, which tells of both ways, unless each card of a list is named in exactly one."""
    for n, item in enumerate(items):
        by_number = item.number is not None and item.pin is not None and item.id is None
        by_id = item.id is not None and item.number is None and item.pin is None
        if not (by_number or by_id):
            raise Problem(400, pointers=[f"{place}/{n}/{name}" for name in ("number", "pin", "id")])


def buyer_of(buyer_id: UUID | None, external_id: str | None) -> tuple[str, str]:
    """Return the buyer's two names; raise a Problem when both are given."""
    if buyer_id is not None and external_id is not None:
        raise Problem(400, pointer="/buyer_id", message="Name the buyer by one id, not by two")
    return (str(buyer_id) if buyer_id else "", external_id or "")
