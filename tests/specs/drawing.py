"""Draws messages from a wire format: right ones, and ones that are wrong in one place.

What a field means is not known here; a test says by its name what it is drawn from, where chance alone would
never find a card or a product. What a JSON schema says and this module does not read raises at once.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
from hypothesis import strategies as st

Json = dict[str, Any]
Place = tuple[str | int, ...]
Told = Mapping[str, st.SearchStrategy[Any]]

_INT = 2**31
_OTHER_WORD = "NO_SUCH_WORD"
_READ = frozenset(
    {
        *(
            "$defs",
            "$ref",
            "components",
            "additionalProperties",
            "anyOf",
            "const",
            "contentMediaType",
            "default",
            "deprecated",
        ),
        *("description", "enum", "exclusiveMinimum", "format", "items", "maxLength", "maximum", "minLength"),
        *("minProperties", "minimum", "oneOf", "pattern", "properties", "required", "title", "type"),
        *("unevaluatedProperties", "x-assumed"),
    }
)


class Spoilt(msgspec.Struct, frozen=True):
    """A message that is wrong in one place: the way there, the last field on it, and what was done."""

    place: Place
    field: str
    how: str
    message: Json


class Drawing:
    """Strategies for the messages that fit `root`, a schema in which references begin.

    `told` has a strategy for a field by its parent's name and its own (`product.id`), or by its own alone
    wherever that is no object: an `amount` can be a number in one place and a structure in another.
    """

    def __init__(self, root: Json, told: Told) -> None:
        """Keep both."""
        self._root = root
        self._told = told

    def messages(self) -> st.SearchStrategy[Any]:
        """Return a strategy for what fits the whole schema."""
        return self.values(self._root)

    def values(self, schema: Json, name: str = "", parent: str = "") -> st.SearchStrategy[Any]:
        """Return a strategy for what fits a schema."""
        forms = self.forms(schema)
        names = [f"{parent}.{name}"]
        if not any("properties" in form for form in forms):
            names.append(name)
        for known in names:
            if known in self._told:
                return self._told[known]
        return st.one_of([self._values(form, name) for form in forms])

    def spoilt(self, value: Json) -> list[Spoilt]:
        """Return a right message's wrong neighbours, each wrong in one place."""
        found = []
        for place, field, how, wrong in self._faults(value, self._root, (), ""):
            message = copy.deepcopy(value)
            holder: Any = message
            for step in place[:-1]:
                holder = holder[step]
            if how == "missing":
                del holder[place[-1]]
            else:
                holder[place[-1]] = wrong
            found.append(Spoilt(place, field, how, message))
        return found

    def forms(self, schema: Json) -> list[Json]:
        """Return the alternatives of a schema, each with all that it builds on laid under it."""
        unread = schema.keys() - _READ
        assert not unread, f"nothing is drawn for {sorted(unread)}"
        own = {key: part for key, part in schema.items() if key not in {"$ref", "anyOf", "oneOf"}}
        found = [own]
        if "$ref" in schema:
            found = [_over(form, own) for form in self.forms(self._resolve(schema["$ref"]))]
        alternatives = schema.get("anyOf", schema.get("oneOf"))
        if alternatives is None:
            return found
        others = [form for one in alternatives for form in self.forms(one)]
        return [_over(form, other) for form in found for other in others]

    def _resolve(self, reference: str) -> Json:
        found = self._root
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        return found

    def _values(self, form: Json, name: str) -> st.SearchStrategy[Any]:
        if "const" in form or "enum" in form:
            return st.sampled_from(form.get("enum", [form.get("const")]))
        kind = form.get("type", "object" if "properties" in form else "anything")
        if isinstance(kind, list):
            return st.one_of([self._values({**form, "type": one}, name) for one in kind])
        draw: Callable[[], st.SearchStrategy[Any]] = {
            "anything": lambda: st.one_of(st.booleans(), st.integers(-_INT, _INT), st.text(max_size=8)),
            "object": lambda: self._objects(form, name),
            "array": lambda: st.lists(self.values(form["items"], name), max_size=2),
            "string": lambda: _texts(form),
            "integer": lambda: st.integers(form.get("minimum", -_INT), form.get("maximum", _INT)),
            "number": lambda: _numbers(form),
            "boolean": st.booleans,
            "null": st.none,
        }[kind]
        return draw()

    def _objects(self, form: Json, name: str) -> st.SearchStrategy[Json]:
        fields = {one: self.values(part, one, name) for one, part in form.get("properties", {}).items()}
        needed = set(form.get("required", ()))
        objects: st.SearchStrategy[Json] = st.fixed_dictionaries(
            {one: values for one, values in fields.items() if one in needed},
            optional={one: values for one, values in fields.items() if one not in needed},
        )
        others = form.get("additionalProperties", False)
        if isinstance(others, dict) and not fields:
            objects = st.dictionaries(st.text(max_size=8), self.values(others, name), max_size=2)
        fewest = form.get("minProperties", 0)
        return objects.filter(lambda drawn: len(drawn) >= fewest) if fewest else objects

    def _faults(self, value: object, schema: Json, place: Place, field: str) -> Iterator[tuple[Any, ...]]:
        form = self._form_of(value, schema)
        if isinstance(value, dict):
            yield from (((*place, name), name, "missing", None) for name in form.get("required", ()))
            for name, part in value.items():
                described = form.get("properties", {}).get(name)
                inner = described or form.get("additionalProperties")
                if isinstance(inner, dict):
                    yield from self._faults(part, inner, (*place, name), name if described else field)
        if isinstance(value, list):
            for number, item in enumerate(value):
                yield from self._faults(item, form["items"], (*place, number), field)
        if place:
            yield from ((place, field, how, wrong) for how, wrong in _wrong(value, form))

    def _form_of(self, value: object, schema: Json) -> Json:
        """Return the alternative that a value is of: by the fixed words in it, or the names, or the type."""
        forms = self.forms(schema)
        if isinstance(value, dict):
            return max(forms, key=lambda form: _likeness(value, form))
        return next((form for form in forms if _is_of(value, form)), forms[0])


def _over(below: Json, above: Json) -> Json:
    """Lay one form over another: properties and needs add up, all else is the upper one's."""
    both = {**below, **above}
    if "properties" in below or "properties" in above:
        both["properties"] = {**below.get("properties", {}), **above.get("properties", {})}
    if "required" in below or "required" in above:
        both["required"] = sorted({*below.get("required", ()), *above.get("required", ())})
    return both


def _likeness(value: Json, form: Json) -> tuple[int, int]:
    parts = form.get("properties", {})
    fixed = sum(value.get(name) in part.get("enum", ()) for name, part in parts.items())
    needs = set(form.get("required", ()))
    return fixed, (len(needs) if needs <= value.keys() else -1)


def _is_of(value: object, form: Json) -> bool:
    if value is None:
        return form.get("type") == "null"
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}
    return form.get("type") in {kinds[type(value)], "number" if isinstance(value, int) else None}


def _wrong(value: object, form: Json) -> Iterator[tuple[str, object]]:
    """Give values that the place of `value` does not take; a list stands nowhere for a text or a number."""
    yield "type", "text" if isinstance(value, dict | list) else [1]
    if "enum" in form:
        yield "word", _OTHER_WORD
    if "maxLength" in form:
        yield "too long", "x" * (form["maxLength"] + 1)
    if form.get("minLength"):
        yield "too short", ""
    if "pattern" in form:
        yield "pattern", "~ no ~"
    if form.get("format") in {"date", "date-time", "uuid"}:
        yield "format", "soon"
    if form.get("type") in {"integer", "number"}:
        yield "number", "many"
        yield from (("too low", form[key] - 1) for key in ("minimum",) if key in form)
        yield from (("too high", form[key] + 1) for key in ("maximum",) if key in form)
        yield from (("too low", form[key]) for key in ("exclusiveMinimum",) if key in form)


def _texts(form: Json) -> st.SearchStrategy[str]:
    if "pattern" in form:
        shortest, longest = form.get("minLength", 0), form.get("maxLength")
        texts = patterned(form["pattern"])
        return texts.filter(lambda text: shortest <= len(text) <= (longest or len(text)))
    match form.get("format"):
        case "uuid":
            return uuids()
        case "date-time":
            return times()
        case "date":
            return st.dates().map(str)
        case "email":
            return st.emails()
    return st.text(min_size=form.get("minLength", 0), max_size=min(form.get("maxLength", 12), 300))


def patterned(pattern: str) -> st.SearchStrategy[str]:
    """Return a strategy for texts of which a pattern fits the whole."""
    return st.from_regex(re.compile(pattern), fullmatch=True)


def mostly(usual: st.SearchStrategy[Any], other: str | st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy that mostly gives the usual, else the other, which can be a pattern."""
    rare = patterned(other) if isinstance(other, str) else other
    return st.integers(0, 7).flatmap(lambda chance: usual if chance else rare)


def uuids() -> st.SearchStrategy[str]:
    """Return UUIDs of any version, in small and in capital letters."""
    return st.builds(
        lambda one, is_loud: str(one).upper() if is_loud else str(one), st.uuids(), st.booleans()
    )


def times() -> st.SearchStrategy[str]:
    """Return RFC 3339 times: UTC or another zone, with and without fractions of a second."""
    zones = st.sampled_from([UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=9, minutes=30))])
    days = st.datetimes(datetime(1900, 1, 1), datetime(2999, 1, 1), timezones=zones)  # noqa: DTZ001 - zoned here
    whole = days.map(lambda at: at.isoformat(timespec="seconds"))
    return st.one_of(whole, days.map(lambda at: at.isoformat(timespec="milliseconds").replace("+00:00", "Z")))


def _numbers(form: Json) -> st.SearchStrategy[float]:
    above = form.get("exclusiveMinimum", -_INT)
    cents = st.integers(above * 100, _INT).map(lambda hundredths: hundredths / 100)
    return cents.filter(lambda number: number > above)
