"""Every leaf field of a value that can be asked of a provider, and the value with one leaf changed.

Read from the structs' declarations, so a new field is found without being named here. Pure; what
becomes of a field at a provider is checked in `completeness`.
"""

# ruff: noqa: ANN401 - fields are of every type, and typing has no type for its own forms
from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.secret import Secret

Path = tuple[str, ...]
"""Field names from the outermost struct to the leaf; a member of a union goes by its tag."""
Fitting = Mapping[str, Sequence[object]]
"""Values that fit a field, by its dotted path or its name: at least two, so that they can be told apart."""

WAYS_TO_NAME = frozenset({"number", "redemption_key", "stored_card_id", "provider_card_id"})
"""The ways to name a card, of which a request uses one."""
_TEXTS = (
    "abc1",
    "xyz2",
    "2d1f2f0a-6a0c-4b43-8f55-0c6f0f2c7e01",
    "2d1f2f0a-6a0c-4b43-8f55-0c6f0f2c7e02",
    "6045000000000061",
    "6045000000000087",
)
_FITTING: Fitting = {
    "account_number": ("123456789012", "210987654321"),
    "block": ("0123456789ABCDEF", "FEDCBA9876543210"),
    "category_code": ("5411", "5812"),
    "country": ("ZA", "BW"),
    "currency": ("ZAR", "USD", "EUR"),
    "digest": ("AB12", "CD34"),
    "email": ("one@shop.example", "two@shop.example"),
    "expires_on": ("2027-01-31", "2028-01-31"),
    "expiry": ("3011", "3012"),
    "masked_card_number": ("604500******0061", "604500******0087"),
    "merchant_id": ("SHOP00000000002", "SHOP00000000003"),
    "phone": ("+27821234567", "+27827654321"),
    "pin": ("1234", "4321"),
    "postal_code": ("8001", "8002"),
    "region": ("WC", "GP"),
    "terminal_id": ("TILL0002", "TILL0003"),
}
"""By a field's name, where a text of no particular shape would be refused for its shape."""
_SCALARS: Mapping[type, Sequence[object]] = {
    bool: (True, False),
    int: (1, 2, 3),
    float: (1.5, 2.5),
    Decimal: (Decimal("1.25"), Decimal("2.5")),
    date: (date(1990, 2, 27), date(1990, 2, 28)),
    datetime: (datetime(2026, 11, 20, 10, tzinfo=UTC), datetime(2026, 11, 20, 11, tzinfo=UTC)),
}


def leaves(kind: Any, path: Path = ()) -> Iterator[Path]:
    """Give the path of every leaf of a type, at any depth."""
    kind = _item(kind)
    members = _members(kind)
    if len(members) > 1:
        for member in members:
            yield from leaves(member, (*path, _tag(member)))
    elif _is_struct(kind):
        for name, hint in _hints(kind).items():
            yield from leaves(hint, (*path, name))
    else:
        yield path


def changed(kind: Any, value: Any, path: Path, fitting: Fitting) -> Iterator[list[Any]]:
    """Give lists of values that differ in one leaf alone: as its declaration has it, then set to what fits.

    In the first list a struct made around the leaf has only what it needs, in the second every field:
    some leaves are only taken in company.
    """
    texts = {**_FITTING, **fitting}
    tried = _values(_hint_at(kind, path), path, texts)
    for is_full in (False, True):
        change = _Change(path, texts, is_full=is_full)
        # A value that is a leaf itself has no default; what the simulator knows stands in for it.
        bare = value if not path else change.made(kind, value, path, msgspec.UNSET)
        unset = [] if is_full else [bare]
        yield unset + [change.made(kind, value, path, leaf) for leaf in tried]


class _Change:
    """Makes values that differ in the leaf at `path`."""

    def __init__(self, path: Path, fitting: Fitting, *, is_full: bool) -> None:
        self._path = path
        self._fitting = fitting
        self._is_full = is_full

    def made(self, kind: Any, value: Any, path: Path, leaf: Any) -> Any:
        """Return `value` with one leaf changed, UNSET to its default; what is missing around it is made."""
        if not path:
            return leaf
        if get_origin(_bare(kind)) is tuple:
            return (self.made(_item(kind), value[0] if value else None, path, leaf),)
        members = _members(_bare(kind))
        if len(members) > 1:
            member = next(one for one in members if _tag(one) == path[0])
            return self.made(member, value if isinstance(value, member) else None, path[1:], leaf)
        kind = _item(kind)
        around = self._struct(kind, is_full=self._is_full and len(path) == 1) if value is None else value
        return self._replaced(kind, around, path, leaf)

    def _replaced(self, kind: Any, around: Any, path: Path, leaf: Any) -> Any:
        name, default = path[0], _defaults(kind)
        if len(path) == 1 and leaf is msgspec.UNSET:
            return msgspec.structs.replace(around, **{n: v for n, v in default.items() if n == name})
        inner = self.made(_hints(kind)[name], getattr(around, name), path[1:], leaf)
        others = WAYS_TO_NAME - {name} if kind is CardRef and name in WAYS_TO_NAME else ()
        return msgspec.structs.replace(around, **{other: default[other] for other in others}, **{name: inner})

    def _struct(self, kind: Any, *, is_full: bool) -> Any:
        """Return a struct with the fields it needs, or with every one."""
        hints, optional = _hints(kind), _defaults(kind)
        names = [name for name in hints if name not in optional or (is_full and name not in WAYS_TO_NAME)]
        return kind(**{name: self._sample(hints[name], name) for name in names})

    def _sample(self, hint: Any, name: str) -> Any:
        """Return one good value of a field of any type."""
        first = _members(_item(hint))[0]
        if not _is_struct(first):
            return _values(hint, (name,), self._fitting)[0]
        made = self._struct(first, is_full=False)
        return (made,) if get_origin(_bare(hint)) is tuple else made


def _values(hint: Any, path: Path, fitting: Fitting) -> Sequence[Any]:
    """Return what to try in a leaf: every member of an enum, else at least two values that may fit."""
    kind = _item(hint)
    if get_origin(kind) is dict:
        return [{"colour": "red"}, {"colour": "blue"}]
    named = fitting.get(".".join(path), fitting.get(path[-1] if path else "", ()))
    members = list(kind) if isinstance(kind, type) and issubclass(kind, Enum) else ()
    values: Sequence[Any] = named or members or _SCALARS.get(kind, _TEXTS)
    if kind is Secret:
        values = [Secret(text) for text in values]
    return [(item,) for item in values] if get_origin(_bare(hint)) is tuple else values


def _hint_at(hint: Any, path: Path) -> Any:
    """Return the type of the field at a path."""
    for name in path:
        members = _members(_item(hint))
        hint = (
            next(one for one in members if _tag(one) == name)
            if len(members) > 1
            else _hints(members[0])[name]
        )
    return hint


@cache
def _defaults(kind: Any) -> dict[str, Any]:
    """Return the defaults of the fields that need not be given."""
    return {
        field.name: field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        for field in msgspec.structs.fields(kind)
        if not field.required
    }


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {name: hints[name] for name in kind.__struct_fields__}


def _bare(hint: Any) -> Any:
    """Return a type without its `| None`."""
    rest = _members(hint)
    return rest[0] if len(rest) == 1 else hint


def _item(hint: Any) -> Any:
    """Return a type without its `| None`, and of a sequence the type of its items."""
    bare = _bare(hint)
    return _bare(get_args(bare)[0]) if get_origin(bare) is tuple else bare


def _members(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) in {Union, types.UnionType}:
        return tuple(one for one in get_args(hint) if one is not types.NoneType)
    return (hint,)


def _tag(kind: Any) -> str:
    return str(kind.__struct_config__.tag)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
