"""Every number in settings has a least and a most, and what is outside is refused by the setting's name."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from giftcard_adapters.contract import Settings as AdapterSettings
from giftcard_adapters.stanza import find_adapter
from giftcard_gateway import config
from giftcard_gateway.config import ConfigError
from giftcard_gateway.config.settings import Settings
from giftcard_simulators.catalogue import SANDBOXES
from tests.gateway.configuration import GOOD

_KEYS = {"providers": "spar-za", "confirm_by_operation_s": "REDEEM", "issuers": "shop"}
"""What stands for any key, of tables that have some."""
_NEEDED: dict[str, dict[str, str]] = {
    "webhooks": {"listen": "127.0.0.1:0"},
    "shop": {"issuer": "i", "audience": "a", "jwks_url": "https://id.example/jwks"},
}
"""What a table needs besides the number, so that the number alone is wrong."""


_REFUSALS = (" must be a number", " must be a whole number", "Expected")
"""What is said of a number that no other setting could make right."""


@dataclass(frozen=True)
class Number:
    """A number in the settings, by the keys that lead to it."""

    path: tuple[str, ...]
    least: float | None
    most: float | None

    def __str__(self) -> str:
        return ".".join(self.path)


def numbers(info: msgspec.inspect.Type, path: tuple[str, ...] = ()) -> Iterator[Number]:
    """Give every number in a type, however deep."""
    match info:
        case msgspec.inspect.Metadata(type=inner):
            yield from numbers(inner, path)
        case msgspec.inspect.UnionType(types=types):
            for one in types:
                yield from numbers(one, path)
        case msgspec.inspect.StructType(fields=fields):
            for field in fields:
                yield from numbers(field.type, (*path, field.encode_name))
        case msgspec.inspect.DictType(value_type=inner):
            yield from numbers(inner, (*path, _KEYS.get(path[-1], "one")))
        case msgspec.inspect.VarTupleType(item_type=inner):
            yield from numbers(inner, path)
        case msgspec.inspect.IntType(ge=least, le=most) | msgspec.inspect.FloatType(ge=least, le=most):
            yield Number(path, least, most)
        case _:
            return


def adapters() -> dict[str, type[AdapterSettings]]:
    """Return the settings of every adapter of ours."""
    return {one.provider_id: find_adapter(one.adapter).settings_type for one in SANDBOXES}


GATEWAYS = tuple(numbers(msgspec.inspect.type_info(Settings)))
ADAPTERS = tuple(
    (name, number) for name, kind in adapters().items() for number in numbers(msgspec.inspect.type_info(kind))
)


def test_numbers_are_found() -> None:
    """The search reaches every corner: a table, a table of tables, a table in an adapter's own settings."""
    found = {str(number) for number in GATEWAYS}
    assert {
        "server.drain_s",
        "providers.spar-za.settings.timeout_s",
        "providers.spar-za.terms.settling_s",
        "providers.spar-za.terms.confirm_by_operation_s.REDEEM",
        "access.issuers.shop.cache_s",
    } <= found
    assert {name for name, _ in ADAPTERS} == adapters().keys()


@pytest.mark.parametrize("number", [*GATEWAYS, *(number for _, number in ADAPTERS)], ids=str)
def test_every_number_is_bounded(number: Number) -> None:
    """No number may be anything: each has a least and a most."""
    assert number.least is not None
    assert number.most is not None
    assert number.least < number.most


@pytest.mark.parametrize("number", GATEWAYS, ids=str)
@pytest.mark.parametrize("side", ["below", "above", "nan"])
def test_what_is_outside_is_refused(number: Number, side: str) -> None:
    """A number outside its bounds is one sentence, with the setting's path; nothing else is said."""
    (fault,) = faults_with(number, outside(number, side))
    path = str(number)
    if path.startswith("providers.spar-za.settings."):
        path = "providers.spar-za.settings: key 'timeout_s': "
    assert fault.startswith(path)


@pytest.mark.parametrize("number", GATEWAYS, ids=str)
@pytest.mark.parametrize("side", ["least", "most"])
def test_bounds_are_allowed(number: Number, side: str) -> None:
    """Both bounds are within: what is then refused is that two settings do not go together."""
    faults = faults_with(number, number.least if side == "least" else number.most)
    assert not any(word in one for one in faults for word in _REFUSALS), faults


def outside(number: Number, side: str) -> float:
    """Return a number that is not within the bounds."""
    if side == "nan":
        return float("nan")
    assert number.least is not None
    assert number.most is not None
    step = 1 if isinstance(number.least, int) else number.least / 2
    return number.least - step if side == "below" else number.most + 1


def faults_with(number: Number, value: float | None) -> tuple[str, ...]:
    """Return what is wrong with a configuration that is good but for a number."""
    table: dict[str, Any] = tomllib.loads(GOOD)
    *tables, key = number.path
    place = table
    for one in tables:
        place = place.setdefault(one, dict(_NEEDED.get(one, {})))
    place[key] = value
    try:
        config.read(table, {}, Path())
    except ConfigError as fault:
        return fault.faults
    return ()
