"""What a stranger may put into every field of every request, by the field's type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.decimal_pb2 import Decimal
from google.type.money_pb2 import Money

from tests.gateway.wire.filled import Place, is_leaf, is_required, is_set, places

TEXTS: Mapping[str, str] = {
    "NUL": "a\0b",
    "ten kilobytes": "x" * 10_000,
    "five thousand digits": "9" * 5_000,
    "not ASCII": "ünïcödé",
    "beyond 16 bits": "\U0001f600\U0010ffff",
    "line breaks": "a\r\nb: c\u2028",
    "control characters": "\x01\x1b[31m\x7f\x9f",
    "right to left": "\u202eabc\u200f",
    "no character": "\ufffe\uffff\ufeff",
    "blank": " \t\u00a0",
    "other digits": "\u0661\u0662\u0663",
    "SQL": "'; DROP TABLE transactions; --",
    "JSON": '{"a":' * 5_000,
    "a path": "../..%2f%00",
    "a time after all years": "9999-12-31T23:59:59-23:59",
}
_INT32, _INT64 = 2**31, 2**63
_WHOLE = {"most": _INT64 - 1, "least": -_INT64, "minus one": -1, "zero": 0}
_KINDS: Mapping[int, Mapping[str, Any]] = {
    FieldDescriptor.TYPE_STRING: TEXTS,
    FieldDescriptor.TYPE_INT32: {**_WHOLE, "most": _INT32 - 1, "least": -_INT32},
    FieldDescriptor.TYPE_INT64: _WHOLE,
    FieldDescriptor.TYPE_ENUM: {"most": _INT32 - 1, "least": -_INT32, "minus one": -1, "zero": 0},
    FieldDescriptor.TYPE_DOUBLE: {
        "most": 1.7e308,
        "least": 5e-324,
        "minus one": -1.0,
        "zero": -0.0,
        "endless": float("inf"),
        "no number": float("nan"),
    },
    FieldDescriptor.TYPE_BOOL: {},
}
_FIRST_S, _LAST_S = -62_135_596_800, 253_402_300_799
_MESSAGES: Mapping[str, Mapping[str, Message]] = {
    "google.protobuf.Timestamp": {
        "the first": Timestamp(seconds=_FIRST_S),
        "the last": Timestamp(seconds=_LAST_S, nanos=999_999_999),
        "before the first": Timestamp(seconds=_FIRST_S - 1),
        "after the last": Timestamp(seconds=_LAST_S + 1),
        "most": Timestamp(seconds=_INT64 - 1),
        "least": Timestamp(seconds=-_INT64),
        "minus one": Timestamp(nanos=-1),
        "many nanos": Timestamp(nanos=_INT32 - 1),
        "zero": Timestamp(),
    },
    "google.protobuf.Duration": {
        "most": Duration(seconds=_INT64 - 1, nanos=999_999_999),
        "least": Duration(seconds=-_INT64),
        "minus one": Duration(seconds=-1),
        "two signs": Duration(seconds=1, nanos=-1),
        "many nanos": Duration(nanos=_INT32 - 1),
        "zero": Duration(),
    },
    "google.type.Money": {
        "most": Money(currency_code="ZAR", units=_INT64 - 1, nanos=_INT32 - 1),
        "least": Money(currency_code="ZAR", units=-_INT64, nanos=-_INT32),
        "most that counts": Money(currency_code="ZAR", units=_INT64 // 100 - 1),
        "most that counts of no minor units": Money(currency_code="JPY", units=_INT64 - 2),
        "minus one": Money(currency_code="ZAR", units=-1),
        "zero": Money(),
        "not ASCII": Money(currency_code="ZÄR", units=1),
        "NUL": Money(currency_code="ZA\0", units=1),
    },
    "google.type.Date": {
        "the first": Date(year=1, month=1, day=1),
        "the last": Date(year=9999, month=12, day=31),
        "after the last": Date(year=10_000, month=1, day=1),
        "most": Date(year=_INT32 - 1, month=_INT32 - 1, day=_INT32 - 1),
        "least": Date(year=-_INT32, month=-_INT32, day=-_INT32),
        "zero": Date(),
        "no such day": Date(year=2025, month=2, day=29),
    },
    "google.type.Decimal": {name: Decimal(value=text) for name, text in TEXTS.items()}
    | {text: Decimal(value=text) for text in ("NaN", "-Infinity", "1e999999999", "-1", "0" * 16 + "1")},
}


def kinds_of(place: Place) -> Mapping[str, Any]:
    """Return what may be put into a place, by its name."""
    field = place.field
    if field.message_type is None:
        return _KINDS[field.type]
    if field.message_type.GetOptions().map_entry:
        return TEXTS
    return _MESSAGES[field.message_type.full_name]


def put(place: Place, value: Any) -> None:  # noqa: ANN401 - a value of any field's type
    """Put a value into a place; into a map as key and as value."""
    there = getattr(place.holder, place.field.name)
    if place.field.message_type is not None and place.field.message_type.GetOptions().map_entry:
        there.clear()
        there[value] = value
    elif place.field.is_repeated:
        del there[:]
        there.append(value)
    elif place.field.message_type is not None:
        there.CopyFrom(value)
    else:
        setattr(place.holder, place.field.name, value)


def tried(request: Message) -> Iterator[tuple[str, str]]:
    """Put everything hostile into each field that is set, one after the other; give its path and what it is.

    Between two of them the request is as it was.
    """
    for place in list(places(request)):
        if not (is_leaf(place.field) and is_set(place)):
            continue
        kept = type(place.holder)()
        kept.CopyFrom(place.holder)
        for name, value in kinds_of(place).items():
            put(place, value)
            yield place.path, name
        _restore(place, kept)


def with_values(request: Message, wanted: Iterable[tuple[str, str]]) -> None:
    """Put what the names say into the fields at the paths."""
    there = {place.path: place for place in places(request)}
    for path, name in wanted:
        put(there[path], kinds_of(there[path])[name])


def strip(request: Message, path: str) -> None:
    """Take out of a request what it need not have besides the field at a path."""
    here: Any = request
    for part in path.split("."):
        name, _, at = part.partition("[")
        for field, _ in here.ListFields():
            if field.name != name and not is_required(field):
                here.ClearField(field.name)
        here = getattr(here, name)
        if at:
            here = here[int(at.rstrip("]"))]


def _restore(place: Place, kept: Message) -> None:
    name = place.field.name
    place.holder.ClearField(name)
    value = getattr(kept, name)
    if place.field.message_type is not None and place.field.message_type.GetOptions().map_entry:
        getattr(place.holder, name).update(value)
    elif place.field.is_repeated:
        getattr(place.holder, name).extend(value)
    elif place.field.message_type is not None:
        getattr(place.holder, name).CopyFrom(value)
    else:
        setattr(place.holder, name, value)
