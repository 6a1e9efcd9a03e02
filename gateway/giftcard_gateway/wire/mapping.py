"""Compiles conversions between messages and structs from both declarations, so that no field can be dropped.

A field goes to the field of the same name unless a rename says otherwise. `reading` refuses, when
the gateway starts, a message field that no struct field takes; `writing` a struct field that no
message field takes, and a message field that nothing fills. What a field means is decided elsewhere.
"""

# ruff: noqa: ANN401 - fields are of every type, and protobuf and typing have no types for their own insides
from __future__ import annotations

import types
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from google.api.field_behavior_pb2 import REQUIRED, field_behavior
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from giftcard_adapters.values.money import Money
from giftcard_adapters.values.points import Points
from giftcard_adapters.values.reads import CardEvent
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.wire import values

S = TypeVar("S", bound=msgspec.Struct)
E = TypeVar("E", bound=StrEnum)
M = TypeVar("M", bound=Message)

Convert = Callable[[Any], Any]
"""Turns one value into the other side's; Any because fields are of every type."""

_READ: Mapping[type, Convert] = {
    Money: values.money_from,
    datetime: values.time_from,
    date: values.day_from,
    Decimal: values.decimal_from,
    Secret: Secret,
}
_WRITE: Mapping[type, Convert] = {
    Money: values.money_to,
    datetime: values.time_to,
    date: values.day_to,
    Decimal: values.decimal_to,
}


def enum_reader(kind: type[E], wire: EnumDescriptor) -> Callable[[int], E]:
    """Return the conversion of a wire enum into ours; both must have the same values."""
    return _members(kind, wire).__getitem__


def enum_writer(kind: type[E], wire: EnumDescriptor) -> Callable[[E], Any]:
    """Return the conversion of our enum into the wire's, whose numbers each have a type of their own."""
    return enum_numbers(kind, wire).__getitem__


def enum_numbers(kind: type[E], wire: EnumDescriptor) -> dict[E, Any]:
    """Return the wire's number of each member of our enum; both must have the same values."""
    return {member: number for number, member in _members(kind, wire).items()}


def _members(kind: type[E], wire: EnumDescriptor) -> dict[int, E]:
    prefix = wire.values_by_number[0].name.removesuffix("UNSPECIFIED")
    names = {value.name.removeprefix(prefix): value.number for value in wire.values if value.number}
    if set(names) != {member.name for member in kind}:
        raise TypeError(f"{kind.__name__} and {wire.full_name} have different values")
    return {number: kind[name] for name, number in names.items()}


def reading(
    message: Descriptor,
    struct: type[S],
    *,
    renamed: Mapping[str, str] | None = None,
    by_hand: Mapping[str, Convert] | None = None,
    apart: Collection[str] = (),
) -> Callable[..., S]:
    """Compile the conversion of a request's message into a struct.

    `renamed` goes from message field to struct field; `by_hand` converts a message field in its own
    way; `apart` names the message fields that the caller of the conversion reads.
    Further struct fields are given to the conversion as keywords.
    """
    renamed, by_hand = renamed or {}, by_hand or {}
    behaviour: Any = field_behavior
    hints = get_type_hints(struct)
    needed = {field.name for field in msgspec.structs.fields(struct) if field.required}
    steps: dict[int, tuple[str, Convert | None] | None] = {}
    for field in message.fields:
        if field.name in apart:
            steps[field.number] = None
            continue
        name = renamed.get(field.name, field.name)
        if name not in hints:
            raise TypeError(f"{struct.__name__} has no place for {message.full_name}.{field.name}")
        if name in needed and REQUIRED not in field.GetOptions().Extensions[behaviour]:
            raise TypeError(f"{struct.__name__}.{name} needs a default: {field.full_name} may be absent")
        steps[field.number] = name, by_hand.get(field.name) or _reader(field, hints[name])

    def read(wire: Message, **given: Any) -> S:
        for field, value in wire.ListFields():
            if (step := steps[field.number]) is not None:
                name, convert = step
                given[name] = value if convert is None else convert(value)
        return struct(**given)

    return read


def _reader(field: FieldDescriptor, hint: Any) -> Convert | None:
    kind = _bare(hint)
    if get_origin(kind) is dict:
        return dict
    if get_origin(kind) is tuple:
        item = _reader_of_one(field, get_args(kind)[0])
        return tuple if item is None else lambda items: tuple(map(item, items))
    return _reader_of_one(field, kind)


def _reader_of_one(field: FieldDescriptor, kind: Any) -> Convert | None:
    if kind in _READ:
        return _READ[kind]
    if field.enum_type is not None and issubclass(kind, StrEnum):
        return enum_reader(kind, field.enum_type)
    if field.message_type is not None and issubclass(kind, msgspec.Struct):
        return reading(field.message_type, kind, **_READ_RULES.get(kind, {}))
    return None


def writing(
    struct: type[msgspec.Struct],
    message: type[M],
    *,
    renamed: Mapping[str, str] | None = None,
    by_hand: Mapping[str, Convert] | None = None,
    apart: Collection[str] = (),
    given: Collection[str] = (),
) -> Callable[..., M]:
    """Compile the conversion of a struct into an answer's message.

    `renamed` goes from struct field to message field; `by_hand` converts a struct field in its own
    way. The caller of the conversion writes the struct fields named in `apart`, and adds the message
    fields named in `given` as keywords.
    """
    renamed, by_hand = renamed or {}, by_hand or {}
    hints = get_type_hints(struct)
    fields = _fields(message.DESCRIPTOR)
    names: list[str] = []
    steps: list[tuple[str, Convert | None, bool]] = []
    for name in struct.__struct_fields__:
        if name in apart:
            continue
        target = renamed.get(name, name)
        if target not in fields:
            raise TypeError(f"{message.DESCRIPTOR.full_name} has no place for {struct.__name__}.{name}")
        convert = by_hand.get(name) or _writer(fields[target], hints[name])
        names.append(name)
        steps.append((target, convert, fields[target].has_presence))
    unfilled = set(fields) - {target for target, _, _ in steps} - set(given)
    if unfilled:
        raise TypeError(f"nothing fills {', '.join(sorted(unfilled))} of {message.DESCRIPTOR.full_name}")

    contents_of = attrgetter(*names, *names[:1])
    """Given one name more, so that it gives several contents even of a struct with one field."""

    def write(value: msgspec.Struct, **more: Any) -> M:
        for content, (target, convert, has_presence) in zip(contents_of(value), steps, strict=False):
            # A zero that was told is shown; a text that was not told is empty and no message.
            if content or (has_presence and content is not None and content != ""):
                more[target] = content if convert is None else convert(content)
        return message(**more)

    return write


def _fields(message: Any) -> dict[str, FieldDescriptor]:
    return {field.name: field for field in message.fields}


def _writer(field: FieldDescriptor, hint: Any) -> Convert | None:
    kind = _bare(hint)
    if get_origin(kind) is dict:
        (value_field,) = (one for one in _fields(field.message_type).values() if one.name == "value")
        return _table_writer(_writer_of_one(value_field, get_args(kind)[1]))
    if get_origin(kind) is tuple:
        item = _writer_of_one(field, get_args(kind)[0])
        return list if item is None else lambda items: list(map(item, items))
    return _writer_of_one(field, kind)


def _table_writer(item: Convert | None) -> Convert | None:
    return None if item is None else lambda table: {key: item(value) for key, value in table.items()}


def _writer_of_one(field: FieldDescriptor, kind: Any) -> Convert | None:
    if kind in _WRITE:
        return _WRITE[kind]
    if kind is Secret:
        raise TypeError(f"{field.full_name} would show a secret")
    if field.enum_type is not None and issubclass(kind, StrEnum):
        return enum_writer(kind, field.enum_type)
    if field.message_type is not None and issubclass(kind, msgspec.Struct):
        return writing(kind, GetMessageClass(field.message_type), **_WRITE_RULES.get(kind, {}))
    return None


def _bare(hint: Any) -> Any:
    """Return a type without its `| None`."""
    if get_origin(hint) in {Union, types.UnionType}:
        (hint,) = (one for one in get_args(hint) if one is not types.NoneType)
    return hint


def _day_text(day: Any) -> str:
    return values.day_from(day).isoformat()


def _text_day(text: str) -> Any:
    return values.day_to(date.fromisoformat(text))


_READ_RULES: Mapping[type[msgspec.Struct], Mapping[str, Any]] = {
    Points: {"renamed": {"expire_date": "expires_on"}, "by_hand": {"expire_date": _day_text}},
}
_WRITE_RULES: Mapping[type[msgspec.Struct], Mapping[str, Any]] = {
    Points: {"renamed": {"expires_on": "expire_date"}, "by_hand": {"expires_on": _text_day}},
    CardEvent: {"renamed": {"at": "event_time"}},
}
"""Structs whose fields are not called as on the wire, wherever they occur."""
