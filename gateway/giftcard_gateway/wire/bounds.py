"""How much a request may hold, from the contract's option `bound`, counted before anything is walked.

`read` counts in the bytes of a large request before they become objects: two bytes on the wire can be two
hundred in memory. What is small enough to be read at once is counted by `wire.validation`, each list before
its items.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from giftcard.v1.bounds_pb2 import Bound, bound

_SMALL_BYTES = 16 * 1024
"""A request of no more bytes is read at once: it has 8,192 items at most, which take a millisecond."""
_MOST_FIELDS = 20_000
"""Fields of one request, nested and repeated ones counted; the largest that makes sense has 5,000."""
_VARINT, _FIXED_64, _LENGTH, _START, _END, _FIXED_32 = range(6)
_LAST_BYTE = 0x80
"""Below it a byte is the last of its number."""
_SKIPPED = {_FIXED_64: 8, _FIXED_32: 4}


class TooMany(Exception):
    """A request holds more than its bounds allow: the field's path, and what is wrong."""

    def __init__(self, path: str, fault: str) -> None:
        super().__init__(path, fault)
        self.path, self.fault = path.removeprefix("."), fault


@cache
def bound_of(field: FieldDescriptor) -> Bound:
    """Return what a field may hold; zeros say nothing."""
    option: Any = bound
    declared: Bound = field.GetOptions().Extensions[option]
    return declared


def is_map(field: FieldDescriptor) -> bool:
    """Tell whether a field is a map."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def too_many(field: FieldDescriptor) -> str:
    """Return what is said of a list or map that is too long."""
    return f"must have at most {bound_of(field).items} {'entries' if is_map(field) else 'items'}"


def read(kind: type[Message], encoded: bytes) -> Message:
    """Return a request from its bytes; raises TooMany, and DecodeError for what is no such message."""
    if len(encoded) > _SMALL_BYTES:
        _count(memoryview(encoded), cast("Descriptor", kind.DESCRIPTOR))
    return kind.FromString(encoded)


def _count(encoded: memoryview, message: Descriptor) -> None:
    left = [_MOST_FIELDS]
    try:
        _walk(encoded, message, "", left)
    except IndexError:
        raise DecodeError("the message breaks off") from None


def _walk(encoded: memoryview, message: Descriptor, path: str, left: list[int]) -> None:
    """Count what one message holds; `left` is how many fields the whole request may still have."""
    at, end = 0, len(encoded)
    fields, held = message.fields_by_number, Counter[int]()
    while at < end:
        left[0] -= 1
        if left[0] < 0:
            raise TooMany("", f"must have at most {_MOST_FIELDS} fields in all")
        tag, at = _varint(encoded, at)
        number, kind = tag >> 3, tag & 7
        field = fields.get(number)
        size = _SKIPPED.get(kind, 0)
        if kind == _VARINT:
            _, at = _varint(encoded, at)
        elif kind == _LENGTH:
            size, at = _varint(encoded, at)
        elif not size and kind not in {_START, _END}:
            raise DecodeError("the message has a field of no known kind")
        if field is not None and field.is_repeated:
            _hold(encoded[at : at + size] if kind == _LENGTH else None, field, held, path)
        if field is not None and kind == _LENGTH and field.message_type is not None and not is_map(field):
            place = f"[{held[number] - 1}]" if field.is_repeated else ""
            _walk(encoded[at : at + size], field.message_type, f"{path}.{field.name}{place}", left)
        at += size


def _varint(encoded: memoryview, at: int) -> tuple[int, int]:
    """Return a number of at most ten bytes, and where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        byte = encoded[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < _LAST_BYTE:
            return number, at
    raise DecodeError("the message has a number that is too long")


def _hold(packed: memoryview | None, field: FieldDescriptor, held: Counter[int], path: str) -> None:
    """Count an item, or the numbers that are packed into one field."""
    is_packed = packed is not None and field.type == FieldDescriptor.TYPE_ENUM
    held[field.number] += sum(byte < _LAST_BYTE for byte in packed) if is_packed and packed is not None else 1
    if held[field.number] > bound_of(field).items:
        raise TooMany(f"{path}.{field.name}", too_many(field))
