"""The leaves of a described answer, and two or more good values for each. Read from JSON schemas alone."""

# ruff: noqa: ANN401 - a JSON schema is any JSON, and so is a value of it
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from jsonschema import Draft202012Validator, FormatChecker

Json = dict[str, Any]
Way = tuple[str, ...]
"""Names from the answer's root to a leaf; `[]` for the items of a list, `*` for a name that is free."""

FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    """Tell whether a text is an RFC 3339 time with its zone."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("date", raises=ValueError)
def _is_day(value: object) -> bool:
    return not isinstance(value, str) or bool(date.fromisoformat(value))


@FORMATS.checks("uuid", raises=ValueError)
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or str(UUID(value)) == value.lower()


ITEMS, ANY_NAME = "[]", "*"
_DEEPEST = 12
"""Steps; schemas that hold themselves end here."""

_CANDIDATES: Sequence[object] = (
    *("abc1", "2026-11-20T10:00:00Z", "ZAR", "1.25", "2026-11-20", "xyz2", "1763632800000"),
    *("2027-11-20T11:00:00Z", "USD", "2.50", "2027-11-21", "1795168800000"),
    *("ABC1", "XYZ2", "3011", "3012", "710", "840", "ZA", "BW", "6045000000000061", "6045000000000087"),
    *("5d1f2f0a-6a0c-4b43-8f55-0c6f0f2c7e01", "6d1f2f0a-6a0c-4b43-8f55-0c6f0f2c7e02"),
    *("one@shop.example", "two@shop.example", "+27821234567", "+27827654321"),
    *("https://one.example/a", "https://two.example/b", "TILL0002", "TILL0003"),
    *("SHOP00000000002", "SHOP00000000003", "123456", "654321"),
    *(1, 2, 1_763_632_800, 1_763_632_800_000, 1.25, 2.5, True, False),
)
_ENOUGH = 7
"""Values of one leaf that are worth trying."""


class Schema:
    """A schema with the document its references point into."""

    def __init__(self, root: Json, part: Json) -> None:
        """Keep both."""
        self._root, self._part = root, part
        self._found: list[tuple[Way, Schema]] | None = None

    def leaves(self) -> list[tuple[Way, Schema]]:
        """Return every leaf, at any depth, with its own schema; each way once."""
        if self._found is None:
            self._found = list(dict(self._leaves((), self._part, 0)).items())
        return self._found

    def values(self, there: Sequence[object] = ()) -> list[object]:
        """Return what the leaf may be: what is there already, then others that fit."""
        parts = self._members(self._part)
        words = [
            word for part in parts for word in part.get("enum", [part["const"]] if "const" in part else [])
        ]
        found: list[object] = []
        for one in (*there, *(words or filter(self._fits, _CANDIDATES))):
            if not any(type(one) is type(other) and one == other for other in found):
                found.append(one)
        return found[:_ENOUGH]

    def filled(self) -> Any:
        """Return a value with every field in it."""
        return self._filled(self._part, 0)

    def at(self, step: str) -> Schema:
        """Return the schema one step further down."""
        return Schema(self._root, next(part for name, part in self._inner(self._part) if name == step))

    def _fits(self, value: object) -> bool:
        rooted = {**self._part, **{key: self._root.get(key, {}) for key in ("components", "$defs")}}
        return Draft202012Validator(rooted, format_checker=FORMATS).is_valid(value)

    def _leaves(self, way: Way, part: Json, depth: int) -> Iterator[tuple[Way, Schema]]:
        inner = list(self._inner(part)) if depth < _DEEPEST else []
        for name, one in inner:
            yield from self._leaves((*way, name), one, depth + 1)
        if not inner:
            yield way, Schema(self._root, part)

    def _inner(self, part: Json) -> Iterator[tuple[str, Json]]:
        seen: set[str] = set()
        for member in self._members(part):
            found: list[tuple[str, Json]] = list(member.get("properties", {}).items())
            if isinstance(member.get("items"), Mapping):
                found.append((ITEMS, member["items"]))
            if isinstance(member.get("additionalProperties"), Mapping) and member["additionalProperties"]:
                found.append((ANY_NAME, member["additionalProperties"]))
            for name, one in found:
                if name not in seen:
                    seen.add(name)
                    yield name, one

    def _members(self, part: Json) -> list[Json]:
        """Return a part and all that it refers to, builds on or chooses from, as they are."""
        found, waiting = [], [part]
        while waiting:
            one = waiting.pop(0)
            if "$ref" in one:
                waiting.append(self._referred(one["$ref"]))
            waiting += [more for key in ("allOf", "oneOf", "anyOf") for more in one.get(key, [])]
            found.append(one)
        return found

    def _referred(self, reference: str) -> Json:
        part = self._root
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]
        return part

    def _filled(self, part: Json, depth: int) -> Any:
        inner = dict(self._inner(part)) if depth < _DEEPEST else {}
        if not inner:
            return next(iter(Schema(self._root, part).values()), None)
        if ITEMS in inner:
            return [self._filled(inner[ITEMS], depth + 1)]
        named = ((name if name != ANY_NAME else "colour", one) for name, one in inner.items())
        filled = ((name, self._filled(one, depth + 1)) for name, one in named)
        return {name: value for name, value in filled if value is not None}


def placed(plain: Any, schema: Schema, way: Way, value: object) -> Any:
    """Return plain data with one leaf set; what is missing around it is made, with every field in it."""
    if not way:
        return value
    step, *rest = way
    below = schema.at(step)
    if step == ITEMS:
        items = plain if isinstance(plain, list) and plain else [below.filled()]
        return [placed(items[0], below, tuple(rest), value), *items[1:]]
    holder = dict(plain) if isinstance(plain, dict) else schema.filled()
    names = [next(iter(holder), "colour")] if step == ANY_NAME else [step]
    for name in names:
        holder[name] = placed(holder.get(name), below, tuple(rest), value)
    return holder


def present(plain: Any, way: Way) -> list[object]:
    """Return what stands at a leaf, of a list what its first item has; nothing where it is not there."""
    for step in way:
        if step == ITEMS and isinstance(plain, list) and plain:
            plain = plain[0]
        elif step == ANY_NAME and isinstance(plain, dict) and plain:
            plain = next(iter(plain.values()))
        elif isinstance(plain, dict) and step in plain:
            plain = plain[step]
        else:
            return []
    return [plain]
