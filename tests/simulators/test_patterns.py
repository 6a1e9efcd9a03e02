"""A pattern of a provider's documents is of the whole text: a line break at its end is not overlooked."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec.inspect import CollectionType, DictType, StrType, StructType, Type, UnionType, type_info

import giftcard_adapters
import giftcard_simulators


def _structs() -> Iterator[type[msgspec.Struct]]:
    for package in (giftcard_simulators, giftcard_adapters):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for _, kind in inspect.getmembers(importlib.import_module(found.name), inspect.isclass):
                if issubclass(kind, msgspec.Struct) and kind.__module__ == found.name:
                    yield kind


def _patterns(told: Type, seen: set[type]) -> Iterator[str]:
    match told:
        case StrType(pattern=str(pattern)):
            yield pattern
        case UnionType(types=types):
            for one in types:
                yield from _patterns(one, seen)
        case CollectionType(item_type=one) | DictType(value_type=one):
            yield from _patterns(one, seen)
        case StructType(cls=cls, fields=fields) if cls not in seen:
            seen.add(cls)
            for field in fields:
                yield from _patterns(field.type, seen)


def _all_patterns() -> list[str]:
    seen: set[type] = set()
    found = {one for kind in _structs() for one in _patterns(type_info(kind), seen)}
    # Electrum's pattern of an e-mail address, as it is documented, takes line breaks anywhere.
    return sorted(pattern for pattern in found if not re.search(pattern, "a@b\nc"))


@pytest.mark.parametrize("pattern", _all_patterns())
@given(data=some.data())
def test_a_line_break_at_the_end_fits_no_pattern(pattern: str, data: some.DataObject) -> None:
    """What fits is refused with a line break behind it, as providers that match the whole text refuse it."""
    text = data.draw(some.from_regex(pattern, fullmatch=True)).removesuffix("\n")
    assert not re.search(pattern, f"{text}\n")


def test_patterns_are_found() -> None:
    """The sandbox's messages have patterns at all; one that is not read here would not be checked."""
    assert len(_all_patterns()) > 15
