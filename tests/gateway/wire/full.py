"""Our values with every field filled in, made from their declarations, and what they are without each one."""

from __future__ import annotations

import types
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from giftcard_adapters.values.money import Money
from giftcard_adapters.values.secret import Secret

SAMPLES: dict[type, object] = {
    str: "abc1",
    int: 7,
    float: 2.5,
    bool: True,
    bytes: b"x",
    Money: Money("ZAR", 1234),
    Secret: Secret("6045120000000007"),
    datetime: datetime(2026, 11, 21, 12, 0, 0, 5000, tzinfo=UTC),
    date: date(1990, 2, 28),
    Decimal: Decimal("1.25"),
}
NAMED: dict[str, object] = {"expires_on": "2027-01-31", "is_active": False}


def full(kind: type[msgspec.Struct], **given: object) -> Any:  # noqa: ANN401 - a struct of that kind
    """Return a struct with every field filled in."""
    hints = get_type_hints(kind)
    fields = {
        name: NAMED[name] if name in NAMED else _value(hints[name])
        for name in kind.__struct_fields__
        if name not in given
    }
    return kind(**fields, **given)


def emptied(struct: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """Yield the struct once for every field that has a default, with that field back at its default."""
    for field in msgspec.structs.fields(struct):
        if not field.required:
            is_plain = field.default is not msgspec.NODEFAULT
            default = field.default if is_plain else field.default_factory()
            if default != getattr(struct, field.name):
                yield field.name, msgspec.structs.replace(struct, **{field.name: default})


def _value(hint: Any) -> object:  # noqa: ANN401 - typing has no type for its own
    if get_origin(hint) in {Union, types.UnionType}:
        hint = next(one for one in get_args(hint) if one is not types.NoneType)
    if get_origin(hint) is tuple:
        return (_value(get_args(hint)[0]),)
    if get_origin(hint) is dict:
        return {"colour": _value(get_args(hint)[1])}
    if hint in SAMPLES:
        return SAMPLES[hint]
    if issubclass(hint, StrEnum):
        return next(iter(hint))
    return full(hint)
