"""Requests with every field filled in, made from the descriptors, and the places in them, to be broken.

What is REQUIRED, an id, an enum or money is read here from the contract a second time, on purpose:
the tests hold the validator against this reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from google.api import field_behavior_pb2, field_info_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.decimal_pb2 import Decimal
from google.type.money_pb2 import Money

from giftcard.v1 import (
    catalog_service_pb2,
    event_service_pb2,
    gift_card_service_pb2,
    provider_service_pb2,
    report_service_pb2,
    stored_card_service_pb2,
    transaction_service_pb2,
)

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
PAN = "6045120000000007"
SAMPLES: dict[str, Any] = {
    "CardNumber.pan": PAN,
    "CardNumber.expiry": "3012",
    "SwipedCard.track": ";6045120000000007=30121010000012345678?",
    "EncryptedPin.block": "0123456789ABCDEF",
    "EncryptedPin.account_number": "123456789012",
    "HashedPin.digest": "AB12",
    "Merchant.category_code": "5411",
    "Merchant.country": "ZA",
    "Merchant.region": "WC",
    "Address.country": "ZA",
    "CardHolder.phone": "+27821234567",
    "Slip.issuer_reference": "ABC1",
    "Tender.masked_card_number": "604512******0007",
    "ListStoredCardsRequest.order_by": "usage_count desc",
    "ExtractAccountsRequest.currency_code": "EUR",
    "ReconcileScope.end_time": Timestamp(seconds=2_000),
    "TransactionFilter.created_before": Timestamp(seconds=2_000),
    "GetTransactionRequest.wait": Duration(seconds=1),
}
SERVICES = tuple(
    service
    for module in (
        gift_card_service_pb2,
        transaction_service_pb2,
        provider_service_pb2,
        stored_card_service_pb2,
        catalog_service_pb2,
        report_service_pb2,
        event_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
)
METHODS: dict[str, MethodDescriptor] = {
    f"{service.full_name}/{method.name}": method for service in SERVICES for method in service.methods
}
REQUESTS: dict[str, Descriptor] = {method.input_type.name: method.input_type for method in METHODS.values()}


@dataclass(frozen=True)
class Place:
    """One field of a filled request: its path, the message that holds it, and the field."""

    path: str
    holder: Message
    field: FieldDescriptor


def fill(descriptor: Descriptor, variant: int = 0) -> Message:
    """Return a good request with every field set; `variant` chooses among the members of each oneof."""
    message = GetMessageClass(descriptor)()
    deeper = variant // _choices(descriptor)
    chosen = {oneof.fields[variant % len(oneof.fields)].name for oneof in descriptor.oneofs}
    for field in descriptor.fields:
        if field.containing_oneof is None or field.name in chosen:
            _fill_field(message, field, deeper)
    return message


def variants(descriptor: Descriptor) -> int:
    """Return how many variants show every member of every oneof at any depth."""
    deeper = [
        variants(field.message_type) for field in descriptor.fields if field.message_type and _is_ours(field)
    ]
    return _choices(descriptor) * max(deeper, default=1)


def _choices(descriptor: Descriptor) -> int:
    return max((len(oneof.fields) for oneof in descriptor.oneofs), default=1)


def places(message: Message, path: str = "") -> Iterator[Place]:
    """Yield every field of ours, set or not, at any depth of what is set."""
    fields: Iterable[Any] = message.DESCRIPTOR.fields
    for field in fields:
        here = f"{path}.{field.name}" if path else field.name
        yield Place(here, message, field)
        if not _is_ours(field):
            continue
        if field.is_repeated:
            for place, item in enumerate(getattr(message, field.name)):
                yield from places(item, f"{here}[{place}]")
        elif message.HasField(field.name):
            yield from places(getattr(message, field.name), here)


def is_set(place: Place) -> bool:
    """Tell whether a place holds something."""
    return place.field in {field for field, _ in place.holder.ListFields()}


def is_leaf(field: FieldDescriptor) -> bool:
    """Tell whether a field holds a value rather than further fields of ours."""
    return not _is_ours(field)


def alter(place: Place) -> None:
    """Put another good value into a field that is set."""
    holder, name = place.holder, place.field.name
    value = getattr(holder, name)
    if place.field.message_type is not None and place.field.message_type.GetOptions().map_entry:
        value["colour"] = "red"
    elif place.field.is_repeated:
        value[0] = _other(place.field, value[0])
    elif isinstance(value, Message):
        part = {"google.type.Decimal": "value", "google.type.Date": "year", "google.type.Money": "units"}
        leaf = part.get(value.DESCRIPTOR.full_name, "seconds")
        setattr(value, leaf, f"{value.value}5" if isinstance(value, Decimal) else getattr(value, leaf) + 1)
    else:
        setattr(holder, name, _other(place.field, value))


def _other(field: FieldDescriptor, value: Any) -> Any:  # noqa: ANN401 - a value of any field's type
    if field.enum_type is not None:
        return field.enum_type.values[2].number
    if isinstance(value, bool):
        return not value
    if field.name == "track":
        return str(value).replace("0007=", "0015=")
    return value + 1 if isinstance(value, int | float) else value.replace("usage", "customer_usage", 1) + "2"


def is_required(field: FieldDescriptor) -> bool:
    """Tell whether a field is marked REQUIRED."""
    marked = _mark(field, "field_behavior")
    return isinstance(marked, Iterable) and field_behavior_pb2.REQUIRED in marked


def is_alone(field: FieldDescriptor) -> bool:
    """Tell whether a field is no choice among several."""
    return field.containing_oneof is None or len(field.containing_oneof.fields) == 1


def is_uuid(field: FieldDescriptor) -> bool:
    """Tell whether a field is marked as a version-4 UUID."""
    marked: Any = _mark(field, "field_info")
    return marked is not None and marked.format == field_info_pb2.FieldInfo.UUID4


def is_money(field: FieldDescriptor) -> bool:
    """Tell whether a field is an amount."""
    return field.message_type is not None and field.message_type.full_name == "google.type.Money"


def _mark(field: FieldDescriptor, name: str) -> object:
    options = {option.full_name: value for option, value in field.GetOptions().ListFields()}
    return options.get(f"google.api.{name}")


def _is_ours(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and kind.file.package == "giftcard.v1" and not kind.GetOptions().map_entry


def _fill_field(message: Message, field: FieldDescriptor, variant: int) -> None:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        _fill_map(getattr(message, field.name), kind.fields_by_name["value"], variant)
    elif field.is_repeated:
        getattr(message, field.name).append(_sample(field, variant))
    elif kind is not None:
        getattr(message, field.name).CopyFrom(_sample(field, variant))
    else:
        setattr(message, field.name, _sample(field, variant))


def _fill_map(held: Any, field: FieldDescriptor, variant: int) -> None:  # noqa: ANN401 - protobuf's maps
    if field.message_type is not None:
        held["colour"].CopyFrom(_sample(field, variant))
    else:
        held["colour"] = "blue" if field.type == FieldDescriptor.TYPE_STRING else _sample(field, variant)


def _sample(field: FieldDescriptor, variant: int) -> Any:  # noqa: ANN401 - a value of any field's type
    named = SAMPLES.get(".".join(field.full_name.split(".")[-2:]))
    if named is not None:
        return named
    if is_uuid(field):
        return UUID
    if field.enum_type is not None:
        return field.enum_type.values[1].number
    if field.message_type is not None:
        known = _KNOWN.get(field.message_type.full_name)
        return known if known is not None else fill(field.message_type, variant)
    return _SCALARS[field.type]


_KNOWN: dict[str, Message] = {
    "google.type.Money": Money(currency_code="ZAR", units=12, nanos=340_000_000),
    "google.type.Date": Date(year=1990, month=2, day=28),
    "google.type.Decimal": Decimal(value="1.25"),
    "google.protobuf.Timestamp": Timestamp(seconds=1_000, nanos=5_000),
}
_SCALARS: dict[int, Any] = {
    FieldDescriptor.TYPE_STRING: "abc1",
    FieldDescriptor.TYPE_BOOL: True,
    FieldDescriptor.TYPE_INT32: 7,
    FieldDescriptor.TYPE_INT64: 8,
    FieldDescriptor.TYPE_DOUBLE: 2.5,
}
