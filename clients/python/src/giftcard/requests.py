"""Making a request from keyword arguments, by the descriptor of the request: one way for all of them.

Only what cannot be sent is refused here. What a request must say is the gateway's to judge, for it lists
every fault at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.type.money_pb2 import Money

from giftcard.cards import Card, PinLike
from giftcard.money import Amount, minor_to_money, to_money

_Request = TypeVar("_Request", bound=Message)


def new_transaction_id() -> str:
    """Make the id of a new transaction: a version-4 UUID. Keep it before you call."""
    return str(uuid.uuid4())


def make_request(kind: type[_Request], fields: Mapping[str, object]) -> _Request:
    """Make a request; raise TypeError or ValueError, which never show a value, for what cannot be sent.

    A field given as None is left out.
    """
    # Which of its two implementations protobuf runs on makes no difference here.
    descriptor = cast("Descriptor", kind.DESCRIPTOR)
    # The constructor's own types differ from message to message.
    make = cast("Callable[..., _Request]", kind)
    given = {name: value for name, value in fields.items() if value is not None}
    _take_cards(descriptor, given)
    _take_amounts(descriptor, given)
    if isinstance(given.get("transaction_id"), uuid.UUID):
        given["transaction_id"] = str(given["transaction_id"])
    request = kind()
    for name, value in given.items():
        if name not in descriptor.fields_by_name:
            raise TypeError(f"{descriptor.name} has no field {name}.")
        try:
            request.MergeFrom(make(**{name: value}))
        except (TypeError, ValueError):
            # Without the cause, whose text might show the value.
            raise TypeError(f"{descriptor.name}.{name} cannot take this {type(value).__name__}.") from None
    return request


def _fields_of(descriptor: Descriptor, kind: str) -> list[str]:
    """List the fields that hold a message of a kind, by its full name."""
    return [
        field.name
        for field in descriptor.fields
        if field.message_type is not None and field.message_type.full_name == kind
    ]


def _take_cards(descriptor: Descriptor, given: dict[str, object]) -> None:
    """Put messages where cards were given, with the PIN and expiry of one given by its number alone."""
    extras = {name: given.pop(name) for name in ("pin", "expiry") if name in given}
    for name in _fields_of(descriptor, "giftcard.v1.Card"):
        card = given.get(name)
        if isinstance(card, str):
            pin, expiry = (
                cast("PinLike | None", extras.pop("pin", None)),
                cast("str", extras.pop("expiry", "")),
            )
            card = Card.number(card, pin=pin, expiry=expiry)
        if isinstance(card, Card):
            given[name] = card.to_message()
    if extras:
        raise TypeError(
            f"{' and '.join(extras)}: only with a card given by its number; else use Card.number."
        )


def _take_amounts(descriptor: Descriptor, given: dict[str, object]) -> None:
    """Put Money where amounts were given in major or minor units."""
    currency = given.pop("currency", None)
    is_used = False
    for name in _fields_of(descriptor, "google.type.Money"):
        minor = f"{name}_minor"
        if minor in given and name in given:
            raise TypeError(f"Say {name} or {minor}, not both.")
        if minor in given:
            given[name] = minor_to_money(cast("int", given.pop(minor)), _need(currency))
            is_used = True
        elif name in given and not isinstance(given[name], Money):
            given[name] = to_money(cast("Amount", given[name]), _need(currency))
            is_used = True
    if currency is not None and not is_used:
        raise TypeError("A currency goes with an amount that is not Money already.")


def _need(currency: object) -> str:
    """Return the currency, or raise TypeError if there is none."""
    if not isinstance(currency, str):
        raise TypeError("An amount needs its currency, such as currency='ZAR'.")
    return currency
