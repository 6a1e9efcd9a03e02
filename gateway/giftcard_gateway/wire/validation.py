"""Validators of requests, compiled once per message from the contract's descriptors.

REQUIRED fields, oneofs, enums, UUIDs, money, times, days and decimals are read from the
descriptors, and the bounds of texts and lists too; what only the comments promise is the table in
`limits`. A request is walked once, over the fields that are set, a list only when it is not too long,
and every fault is told by its path in the proto, up to 60 of them.
"""

# ruff: noqa: ANN401 - protobuf hands out strings, numbers, maps and messages alike
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from itertools import islice
from typing import Any

from google.api.field_behavior_pb2 import REQUIRED, field_behavior
from google.api.field_info_pb2 import FieldInfo, field_info
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.decimal_pb2 import Decimal as WireDecimal
from google.type.money_pb2 import Money

from giftcard_adapters.values.money import CURRENCIES, exponent_of
from giftcard_gateway.wire.bounds import bound_of, is_map, too_many
from giftcard_gateway.wire.limits import JUDGED_APART, LIMITS, NONE, RULES, SIGNED, Check, Violations
from giftcard_gateway.wire.own_secrets import misplaced, names_cards
from giftcard_gateway.wire.values import NANOS

Validator = Callable[[Message], list[tuple[str, str]]]
"""Returns (field path, what is wrong) of a request, at most `MOST` of them; an empty list for a good one."""

MOST = 60
"""Faults after which nobody looks any further: who sends more has a program to mend, not fields."""

_MISSING = "must be set"
_NUL = (("", "must not have a NUL character"),)
_UUID4 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
_DECIMAL = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_INT64 = 2**63 - 1
_YEAR_1_S, _YEAR_9999_S = -62135596800, 253402300799
_CURRENCY = {
    code: (_INT64 // 10 ** exponent_of(code) - 1, NANOS // 10 ** exponent_of(code)) for code in CURRENCIES
}


@cache
def validator(request: Descriptor) -> Validator:
    """Compile the validator of one request message."""
    check = _message(request)

    def validate(message: Message) -> list[tuple[str, str]]:
        faults = check(message)
        return [] if not faults else [(path.removeprefix("."), fault) for path, fault in islice(faults, MOST)]

    return validate


@cache
def _message(message: Descriptor) -> Check:
    """Compile the check of one message: its fields, those that must be set, and its rules."""
    looks = {field.number: _field(field) for field in message.fields}
    required = sum(1 << field.number for field in message.fields if _is_alone(field) and _is_required(field))
    choices = [
        (sum(1 << field.number for field in oneof.fields), f".{oneof.name}", _set_one_of(oneof.fields))
        for oneof in message.oneofs
        if all(_is_required(field) for field in oneof.fields)
    ]
    rule = RULES.get(message.name)
    has_cards = names_cards(message)

    def check(value: Message) -> Violations:
        seen = 0
        found: list[tuple[str, str]] = []
        for field, content in value.ListFields():
            number = field.number
            seen |= 1 << number
            if (look := looks[number]) is not None and (faults := look(content)):
                found += [(f".{field.name}{path}", fault) for path, fault in faults]
                if len(found) >= MOST:
                    return found
        if seen & required != required:
            found += [(f".{field.name}", _MISSING) for field in _absent(message, required & ~seen)]
        for members, path, fault in choices:
            if not seen & members:
                found.append((path, fault))
        if rule is not None:
            # What is told of a place already, a rule would only tell in other words.
            found += _untold(rule(value), found)
        if has_cards:
            found += misplaced(value)
        return found

    return check


def _absent(message: Descriptor, missing: int) -> Iterator[FieldDescriptor]:
    return (field for field in message.fields if missing >> field.number & 1)


def _is_required(field: FieldDescriptor) -> bool:
    return REQUIRED in _option(field, field_behavior)


def _option(field: FieldDescriptor, extension: Any) -> Any:
    return field.GetOptions().Extensions[extension]


def _is_alone(field: FieldDescriptor) -> bool:
    """Tell whether a field is not one choice among several; `optional` makes a oneof of one."""
    return field.containing_oneof is None or len(field.containing_oneof.fields) == 1


def _set_one_of(fields: Iterable[FieldDescriptor]) -> str:
    return f"exactly one must be set: {', '.join(field.name for field in fields)}"


def _field(field: FieldDescriptor) -> Check | None:
    """Compile the check of one field: that of its type, then the one its comment promises."""
    name = ".".join(field.full_name.split(".")[-2:])
    if name in JUDGED_APART:
        return None
    limit = LIMITS.get(name)
    by_type = _signed_money if name in SIGNED else _by_type(field)
    if field.is_repeated and not is_map(field):
        by_type = _each(_bounded(field, by_type))
        return _counted(field, _all_of([by_type, limit]))
    if is_map(field):
        return _counted(field, _of_map([_map_bounded(field), by_type, limit]))
    return _bounded(field, _all_of([by_type, limit]))


def _counted(field: FieldDescriptor, check: Check | None) -> Check:
    """Look into a list or map only if it is not too long."""
    most, found = bound_of(field).items, (("", too_many(field)),)
    return lambda items: found if len(items) > most else check(items) if check else NONE


def _bounded(field: FieldDescriptor, check: Check | None) -> Check | None:
    """Look at a text only as far as it may go; one too long is told in the words of its shape, if any."""
    most = bound_of(field).length
    if not most:
        return check
    found = (("", f"must have at most {most} characters"),)

    def check_text(text: Any) -> Violations:
        if len(text) > most:
            return (list(check(text[: most + 1])) if check else []) or found
        return check(text) if check else NONE

    return check_text


def _map_bounded(field: FieldDescriptor) -> Check:
    bound = bound_of(field)

    def check_map(given: Any) -> Violations:
        if any(len(key) > bound.key_length for key in given):
            yield "", f"keys must have at most {bound.key_length} characters"
        if any(len(value) > bound.length for value in given.values()):
            yield "", f"values must have at most {bound.length} characters"

    return check_map


def _by_type(field: FieldDescriptor) -> Check | None:
    if field.message_type is not None:
        if is_map(field):
            return _texts if all(map(_is_text, field.message_type.fields)) else None
        return _WELL_KNOWN.get(field.message_type.full_name) or _message(field.message_type)
    if field.enum_type is not None:
        return _enum(frozenset(field.enum_type.values_by_number) - {0})
    if _option(field, field_info).format == FieldInfo.Format.UUID4:
        return _uuid4
    if not _is_text(field):
        return None
    return _text if _is_alone(field) else _filled


def _is_text(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_STRING


def _all_of(given: list[Check | None]) -> Check | None:
    checks = [check for check in given if check is not None]
    if len(checks) <= 1:
        return checks[0] if checks else None

    def check_all(value: Any) -> Violations:
        found: list[tuple[str, str]] = []
        for check in checks:
            if faults := check(value):
                found += _untold(faults, found)
        return found

    return check_all


def _of_map(given: list[Check | None]) -> Check:
    """Tell all that is wrong with a map, whose keys and values have one place."""
    checks = [check for check in given if check is not None]
    return lambda value: [fault for check in checks for fault in check(value)]


def _untold(faults: Violations, told: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the faults of places of which nothing is told yet: of each the first one says enough."""
    places = {path for path, _ in told}
    return [one for one in faults if one[0] not in places]


def _each(check: Check | None) -> Check | None:
    if check is None:
        return None

    def check_items(items: Any) -> Violations:
        faults = (
            (f"[{place}]{path}", fault) for place, item in enumerate(items) for path, fault in check(item)
        )
        return list(islice(faults, MOST))

    return check_items


def _enum(known: frozenset[int]) -> Check:
    found = (("", "is not one of the values of this field"),)
    return lambda number: NONE if number in known else found


def _filled(text: str) -> Violations:
    return _text(text) if text.strip() else (("", "must not be empty"),)


def _text(text: str) -> Violations:
    """Refuse the one character that PostgreSQL keeps in no text."""
    return _NUL if "\0" in text else NONE


def _texts(texts: Mapping[str, str]) -> Violations:
    return _NUL if any("\0" in text for pair in texts.items() for text in pair) else NONE


def _uuid4(text: str) -> Violations:
    return NONE if _UUID4.fullmatch(text) else (("", "must be a version-4 UUID"),)


def _money(money: Money) -> Violations:
    limit = _CURRENCY.get(money.currency_code)
    if limit is not None:
        most_units, step = limit
        nanos = money.nanos
        if 0 <= money.units <= most_units and 0 <= nanos < NANOS and not nanos % step:
            return NONE
    return list(_money_faults(money, limit))


def _signed_money(money: Money) -> Violations:
    if money.units * money.nanos < 0:
        return ((".nanos", "must have the sign of the units"),)
    return _money(
        Money(currency_code=money.currency_code, units=_size(money.units), nanos=_size(money.nanos))
    )


def _size(number: int) -> int:
    """Return a number without its sign; the lowest of 64 bits has no counterpart."""
    return min(abs(number), _INT64)


def _money_faults(money: Money, limit: tuple[int, int] | None) -> Violations:
    if not money.currency_code:
        yield ".currency_code", _MISSING
    elif limit is None:
        yield ".currency_code", "is not an ISO 4217 currency with minor units"
    if money.units < 0:
        yield ".units", "must not be negative"
    elif limit is not None and money.units > limit[0]:
        yield ".units", "is more than can be counted"
    if money.nanos < 0:
        yield ".nanos", "must not be negative"
    elif money.nanos >= NANOS:
        yield ".nanos", "must be less than one unit"
    elif limit is not None and money.nanos % limit[1]:
        yield ".nanos", "is finer than the currency"


def _timestamp(at: Timestamp) -> Violations:
    is_good = _YEAR_1_S <= at.seconds <= _YEAR_9999_S and 0 <= at.nanos < NANOS
    return NONE if is_good else (("", "must be a time in the years 1 to 9999"),)


def _duration(duration: Duration) -> Violations:
    is_good = abs(duration.nanos) < NANOS and duration.seconds * duration.nanos >= 0
    return NONE if is_good else (("", "must be a duration whose seconds and nanos have one sign"),)


def _day(day: Date) -> Violations:
    try:
        date(day.year, day.month, day.day)
    except ValueError:
        return (("", "must be a day of the calendar, with year, month and day"),)
    return NONE


def _quantity(quantity: WireDecimal) -> Violations:
    try:
        is_good = _DECIMAL.fullmatch(quantity.value) is not None and Decimal(quantity.value) > 0
    except InvalidOperation:
        is_good = False
    return NONE if is_good else (("", "must be a decimal above 0, such as 1.25"),)


_WELL_KNOWN: dict[str, Check] = {
    Money.DESCRIPTOR.full_name: _money,
    Timestamp.DESCRIPTOR.full_name: _timestamp,
    Duration.DESCRIPTOR.full_name: _duration,
    Date.DESCRIPTOR.full_name: _day,
    WireDecimal.DESCRIPTOR.full_name: _quantity,
}
