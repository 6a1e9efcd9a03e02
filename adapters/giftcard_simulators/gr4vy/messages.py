"""The bodies Gr4vy takes for gift cards, checked as its OpenAPI document says; unknown fields are refused.

Of a transaction only what a gift card needs is played: a payment method is refused.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar
from uuid import UUID

import msgspec

from giftcard_simulators.gr4vy.problems import Problem

Number = Annotated[str, msgspec.Meta(min_length=16, max_length=19, pattern=r"^[0-9]+$")]
PinText = Annotated[str, msgspec.Meta(min_length=1)]
MinorUnits = Annotated[int, msgspec.Meta(ge=0, le=99_999_999)]
Currency = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]

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
    """TransactionCreate, as far as gift cards go."""

    amount: MinorUnits
    currency: Currency
    gift_cards: tuple[PaidItem, ...] = ()
    intent: Literal["authorize", "capture"] = "authorize"
    external_identifier: Name | None = None
    buyer_id: UUID | None = None
    buyer_external_identifier: Name | None = None
    metadata: dict[str, str] | None = None


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
        place = str(fault).rpartition("`$")[2].strip("`").replace(".", "/").replace("[...]", "/0")
        raise Problem(400, pointer=place or "/") from None
    except msgspec.DecodeError:
        raise Problem(400, message="The body is not JSON", pointer="/") from None


def check_card(item: CardItem) -> None:
    """Raise a Problem unless a card is named in exactly one way."""
    by_number = item.number is not None and item.pin is not None and item.id is None
    by_id = item.id is not None and item.number is None and item.pin is None
    if not (by_number or by_id):
        raise Problem(400, pointer="/items", message="Name a card by number and PIN, or by id")


def buyer_of(buyer_id: UUID | None, external_id: str | None) -> tuple[str, str]:
    """Return the buyer's two names; raise a Problem when both are given."""
    if buyer_id is not None and external_id is not None:
        raise Problem(400, pointer="/buyer_id", message="Name the buyer by one id, not by two")
    return (str(buyer_id) if buyer_id else "", external_id or "")
