"""The bodies JeudiMerci takes; a field that is not known is ignored, as FastAPI does."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

WireNumber = int | float

T = TypeVar("T")

_MISSING_FIELD = re.compile(r"required field `(\w*)`")


class BodyFault(Exception):
    """A body that cannot be read: where, what is wrong there, and what kind of fault that is."""

    def __init__(self, place: tuple[str | int, ...], text: str, kind: str) -> None:
        """Keep the three."""
        super().__init__(kind)
        self.place = place
        self.text = text
        self.kind = kind


class _Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A JSON object."""


class Purchase(_Body, frozen=True, kw_only=True):
    """ECardPurchaseRequest; the price is in whole cents (assumption)."""

    num_cards: Annotated[int, Meta(ge=1)]
    price: Decimal


class WireOffer(_Body, frozen=True, kw_only=True):
    """KyzPayOfferDto; its fields are assumed."""

    offer_id: Annotated[str, Meta(min_length=1)]
    name: str | UnsetType = UNSET
    offer_type: str | UnsetType = UNSET
    code_type: str | UnsetType = UNSET
    usage_location: str | UnsetType = UNSET
    price: WireNumber | UnsetType = UNSET
    min_price: WireNumber | UnsetType = UNSET
    max_price: WireNumber | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class OfferList(_Body, frozen=True, kw_only=True):
    """The offers to be kept."""

    offers: tuple[WireOffer, ...]


class AccountsFilter(_Body, frozen=True, kw_only=True):
    """Which accounts; the days change nothing here, because the sandbox's accounts have no history."""

    from_day: date | None = None
    to_day: date | None = None
    currency: Annotated[str, Meta(pattern=r"^([A-Z]{3})?\Z")] | None = None
    account_ids: tuple[str, ...] | None = None
    mandate_type: str | None = None
    export_format: Literal["", "csv", "json"] = ""


class TicketFilter(_Body, frozen=True, kw_only=True):
    """Which e-cards."""

    from_day: date | None = None
    to_day: date | None = None
    is_consumed: bool | None = None
    offer_id: str | None = None


def read(body: bytes, kind: type[T]) -> T:
    """Read a body; raise BodyFault at its first fault."""
    try:
        message = msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as fault:
        raise BodyFault(_place(str(fault)), str(fault).partition(" - at ")[0], "value_error") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BodyFault(("body",), "JSON decode error", "json_invalid") from None
    if isinstance(message, Purchase):
        _check_price(message.price, body)
    return message


def _check_price(price: Decimal, body: bytes) -> None:
    """Refuse a quoted price, which a Decimal would take, and one that is no positive number of cents."""
    place = ("body", "price")
    if isinstance(msgspec.json.decode(body)["price"], str):
        raise BodyFault(place, "Input should be a valid number", "float_type")
    if price <= 0 or price * 100 % 1:
        raise BodyFault(place, "Input should be a positive number of cents", "value_error")


def _place(fault: str) -> tuple[str | int, ...]:
    """Return the place a validation error speaks of, as FastAPI writes it; an item has no number."""
    way = fault.partition(" - at `$")[2].strip("`").replace("[...]", ".0")
    named: list[str | int] = [int(one) if one.isdecimal() else one for one in way.split(".") if one]
    missing = _MISSING_FIELD.search(fault)
    return ("body", *named, *([missing[1]] if missing else ()))
