"""Inputs made from good ones: a value of their JSON replaced by a nasty one, or their bytes changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

Way = tuple[str | int, ...]

DEEP = 100_000
LONG_DIGITS = 5_000

NASTY: Mapping[str, str] = {
    "null": "null",
    "a list": "[]",
    "an object": "{}",
    "nested lists": "[" * DEEP + "]" * DEEP,
    "nested objects": '{"a":' * DEEP + "1" + "}" * DEEP,
    "a number of many digits": "9" * LONG_DIGITS,
    "a fraction of many digits": "0." + "1" * LONG_DIGITS,
    "a text of many digits": f'"{"9" * LONG_DIGITS}"',
    "beyond a float": "1e400",
    "an exponent without end": "1e999999999999999999999",
    "a text with an exponent": '"1E+999999999"',
    "beyond 64 bits": "18446744073709551616",
    "below 64 bits": "-9223372036854775809",
    "not a number": "NaN",
    "a text that is not a number": '"NaN"',
    "a text that has no end": '"-Infinity"',
    "a text of other digits": '"١٢٣"',
    "NUL": '"a\\u0000b"',
    "half a character": '"a\\ud800b"',
    "half a character as a key": '{"\\ud800":"\\udfff"}',
    "an astral character": '"\\ud83d\\ude00é"',
    "no time": '"0000-00-00T00:00:00Z"',
    "a time after all years": '"9999-12-31T23:59:59-23:59"',
    "a time before all years": '"0001-01-01T00:00:00+23:59"',
    "a far time": "99999999999999999",
    "an empty text": '""',
    "a path": '"../..?a#b%00"',
    "a line break": '"a\\r\\nb: c"',
    "yes": "true",
}
"""What stands in place of a value, as JSON, by what it is."""

_MARK = "\ue000here\ue000"
_LONG_BYTES = 4096


def placed(given: bytes, way: Way, nasty: str) -> bytes:
    """Return an input whose JSON has something else at one place; `ways` says which places there are."""
    head, _, body = given.partition(b"\n")
    plain = json.loads(body)
    if not way:
        return head + b"\n" + nasty.encode()
    inner = plain
    for step in way[:-1]:
        inner = inner[step]
    inner[way[-1]] = _MARK
    written = json.dumps(plain, ensure_ascii=False).replace(f'"{_MARK}"', nasty)
    return head + b"\n" + written.encode("utf-8", "replace")


def ways(given: bytes) -> list[Way]:
    """Return the way to every value in an input's JSON; none if it has no JSON."""
    try:
        plain = json.loads(given.partition(b"\n")[2])
    except (ValueError, RecursionError):
        return []
    return [*_ways(plain, ())]


def _ways(plain: Any, here: Way) -> Iterator[Way]:  # noqa: ANN401 - JSON is of every type
    yield here
    inner = plain.items() if isinstance(plain, dict) else enumerate(plain) if isinstance(plain, list) else ()
    for step, value in inner:
        yield from _ways(value, (*here, step))


@st.composite
def inputs(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Draw an input of a door: a good one with a nasty value, with changed bytes, or with only its head."""
    seed = draw(st.sampled_from(seeds))
    places = ways(seed)
    kinds = ("bytes", "cut", "changed", *(("placed", "placed", "placed") if places else ()))
    kind = draw(st.sampled_from(kinds))
    head, _, body = seed.partition(b"\n")
    if kind == "placed":
        return placed(seed, draw(st.sampled_from(places)), draw(st.sampled_from(sorted(NASTY.values()))))
    if kind == "bytes":
        return head + b"\n" + draw(st.binary(max_size=_LONG_BYTES))
    at = draw(st.integers(0, len(body)))
    if kind == "cut":
        return head + b"\n" + body[:at]
    end = draw(st.integers(at, min(len(body), at + 8)))
    return head + b"\n" + body[:at] + draw(st.binary(max_size=8)) + body[end:]
