"""Reads a provider's JSON strictly where it decides something, and leniently everywhere else (rule 19).

Null is absent, what is not known is ignored, and what cannot be read is left out and named by its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec

from giftcard_adapters.codec import hide_hook
from giftcard_adapters.errors import Unreadable

T = TypeVar("T")

_MOST_FAULTS = 10
"""After so many single faults a place is left out of every item of a list at once: each costs a reading."""
_MOST_DIGITS = 40
"""No amount is longer; reading a number costs the square of its length."""
_UNREADABLE = "a number that cannot be read"

_PLACE = re.compile(r" - at `\$([^`]*)`$")
_STEP = re.compile(r"\[(\d+)\]|\[\.\.\.\]|([^.\[]+)")


Notice = Callable[[str], None]
"""Hears of a place that was left out of an answer, by its name in the schema."""

_notice: ContextVar[Notice | None] = ContextVar("notice", default=None)


@contextmanager
def noticing(notice: Notice) -> Iterator[None]:
    """Tell `notice` of every place that is left out of the answers read inside.

    For reads and advices, whose results have no room for it. An Outcome carries its own.
    """
    before = _notice.get()
    _notice.set(notice)
    try:
        yield
    finally:
        # Not by the token: a stream may be closed in another context than it was opened in.
        _notice.set(before)


class Lenient(Generic[T]):
    """Reads answers into a struct `kind`; `decides` names the places that must be right.

    A place is written with dots and the JSON's own names, such as `amounts.approvedAmount`, and covers
    what is below it.
    """

    def __init__(self, kind: type[T], *, decides: tuple[str, ...]) -> None:
        """Make the decoder once; it is used often."""
        # The lax one reads a number with a fraction into an int by way of a float, so the first is strict.
        self._decoder = msgspec.json.Decoder(kind, dec_hook=hide_hook)
        self._lax_decoder = msgspec.json.Decoder(kind, dec_hook=hide_hook, strict=False)
        self._decides = tuple(tuple(place.split(".")) for place in decides)

    def read(self, body: bytes) -> tuple[T, tuple[str, ...]]:
        """Return what `body` says, and the places of what was left out.

        Raises Unreadable for what is not JSON, and for a fault in what decides; it names the place.
        """
        try:
            return self._decoder.decode(body), ()
        except (ValueError, RecursionError):
            pass
        told, left_out = self._fitted(_plain(body))
        if (notice := _notice.get()) is not None:
            for place in left_out:
                notice(place)
        return told, left_out

    def _fitted(self, plain: object) -> tuple[T, tuple[str, ...]]:
        left_out: list[str] = []
        while True:
            try:
                return self._lax_decoder.decode(_written(plain)), tuple(left_out)
            except msgspec.ValidationError as fault:
                steps = _steps(str(fault))
                names = tuple(step for step in steps if isinstance(step, str))
                if self._is_decisive(names):
                    where = ".".join(names) or "its root"
                    raise Unreadable(f"the answer does not fit its schema at {where}") from None
                if len(left_out) < _MOST_FAULTS:
                    _take_out(plain, steps)
                else:
                    _take_out_everywhere(plain, names)
                left_out.append(".".join(names))

    def _is_decisive(self, names: tuple[str, ...]) -> bool:
        """Tell whether a place is one that decides, or holds or lies in one."""
        return any(names[: len(place)] == place[: len(names)] for place in self._decides)


def _plain(body: bytes) -> object:
    """Read JSON as plain data without nulls; a byte order mark and bytes that are no UTF-8 are suffered."""
    try:
        text = body.decode("utf-8-sig", errors="replace")
        # NaN is no JSON, so it counts as absent.
        return _readable(
            json.loads(text, parse_int=_number, parse_float=_number, parse_constant=lambda _: None)
        )
    except (ValueError, RecursionError):
        raise Unreadable("the answer is not JSON") from None


def _number(text: str) -> int | msgspec.Raw | str:
    """Return a whole number as an int, and any other with all its digits.

    One that a float would make whole, or that is longer than any amount, becomes a text that is no number.
    """
    if len(text) > _MOST_DIGITS:
        return _UNREADABLE
    try:
        number = Decimal(text)
        is_whole = number.adjusted() < _MOST_DIGITS and number == number.to_integral_value()
        if is_whole:
            return int(number)
        return _UNREADABLE if float(text).is_integer() else msgspec.Raw(text.encode())
    except ArithmeticError:
        return _UNREADABLE


def _readable(plain: Any) -> Any:  # noqa: ANN401 - plain data has no narrower type
    """Return plain data without nulls, and with a `?` for each half of a character."""
    if isinstance(plain, dict):
        return {_readable(key): _readable(value) for key, value in plain.items() if value is not None}
    if isinstance(plain, list):
        return [_readable(value) for value in plain if value is not None]
    # Software that cuts texts by length leaves half a pair of surrogates, which is no Unicode.
    return plain.encode(errors="replace").decode() if isinstance(plain, str) else plain


def _written(plain: object) -> bytes:
    try:
        return msgspec.json.encode(plain)
    except (ValueError, OverflowError):
        raise Unreadable("the answer is not JSON") from None


def _steps(fault: str) -> list[str | int]:
    """Return the way to a fault as msgspec tells it; it does not name the key of a map."""
    found = _PLACE.search(fault)
    steps: list[str | int] = []
    for index, name in _STEP.findall(found.group(1) if found else ""):
        if not index and not name:
            break
        steps.append(int(index) if index else name)
    return steps


def _take_out_everywhere(plain: Any, names: tuple[str, ...]) -> None:  # noqa: ANN401 - plain data has no narrower type
    if isinstance(plain, list):
        for item in plain:
            _take_out_everywhere(item, names)
    elif isinstance(plain, dict) and names[0] in plain:
        if len(names) == 1:
            del plain[names[0]]
        else:
            _take_out_everywhere(plain[names[0]], names[1:])


def _take_out(plain: Any, steps: list[str | int]) -> None:  # noqa: ANN401 - plain data has no narrower type
    *way, last = steps
    for step in way:
        plain = plain[step]
    del plain[last]
