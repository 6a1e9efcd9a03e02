"""Opens a provider from its configuration stanza; refuses unknown, missing and mistyped keys by name.

The adapter is named as `module:Class`, so it can come from any installed package.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, get_type_hints

import httpx
import msgspec

from giftcard_adapters.calls import Moment
from giftcard_adapters.contract import Provider, Settings
from giftcard_adapters.errors import SettingsError
from giftcard_adapters.exchange import Exchange
from giftcard_adapters.extras import what_it_needs
from giftcard_adapters.values.secret import Secret

T = TypeVar("T")

_DAY_S = 24 * 3600.0


def find_adapter(name: str) -> type[Provider]:
    """Return the adapter class named `module:Class`; raise SettingsError with a sentence otherwise."""
    return find_class("adapter", name, Provider)


def find_class(what: str, name: str, kind: type[T]) -> type[T]:
    """Return the class named `module:Class`, a subclass of `kind`, from any installed package.

    Raises SettingsError with a sentence about `what` it is to be.
    """
    module_name, _, class_name = name.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError, TypeError) as fault:
        raise SettingsError([_why_not_found(what, name, module_name, fault)]) from None
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise SettingsError([f"{what} {name!r} is not a {kind.__module__}.{kind.__name__}"])
    return found


def _why_not_found(what: str, name: str, module_name: str, fault: Exception) -> str:
    if needs := what_it_needs(fault):
        return f"{what} {name!r} {needs}"
    is_there = isinstance(fault, ImportError) and not f"{module_name}.".startswith(f"{fault.name}.")
    if is_there:
        return f"{what} {name!r} is there and cannot be imported: {fault}"
    return f"{what} {name!r} cannot be found; it is named as module:Class"


def read_settings(adapter: type[Provider], stanza: Mapping[str, object]) -> Settings:
    """Return the adapter's validated settings; raise SettingsError naming every faulty key at once."""
    fields = {field.name: field for field in msgspec.structs.fields(adapter.settings_type)}
    hints = get_type_hints(adapter.settings_type, include_extras=True)
    faults = [
        f"unknown key {key!r}; known are {', '.join(sorted(fields))}" for key in stanza if key not in fields
    ]
    faults += [
        f"missing key {name!r}" for name, field in fields.items() if field.required and name not in stanza
    ]
    for key, value in stanza.items():
        if key in fields:
            faults += _faults_of(key, value, hints[key])
    if faults:
        raise SettingsError(faults)
    try:
        settings: Settings = _convert(dict(stanza), adapter.settings_type)
    except msgspec.ValidationError as fault:
        # Each key fits its type; what is left is what a `__post_init__` said of its value.
        raise SettingsError([str(fault)]) from None
    return settings


def open_provider(
    adapter: type[Provider],
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport,
    moment: Callable[[], Moment],
) -> Provider:
    """Return a provider that speaks through `transport`; nothing is sent yet."""
    exchange = Exchange(
        base_url=settings.base_url, transport=transport, moment=moment, timeout_s=settings.timeout_s
    )
    return adapter(settings, exchange)


def must_open(adapter: type[Provider], settings: Settings) -> None:
    """Raise SettingsError, with what the adapter has against its settings, unless it can be opened."""
    never = Moment(now_s=0.0, nonce="0" * 32)
    open_provider(adapter, settings, transport=httpx.AsyncBaseTransport(), moment=lambda: never)


def _faults_of(key: str, value: object, kind: Any) -> list[str]:  # noqa: ANN401 - a type form
    try:
        read = _convert(value, kind)
    except msgspec.ValidationError as fault:
        # msgspec says what was expected and never repeats the value, so a secret cannot leak here.
        return [f"key {key!r}: {fault}"]
    # Adapters have no floats but durations, and not every adapter bounds its own. NaN is in no range.
    is_good = all(0 <= number <= _DAY_S for number in _floats(read))
    return [] if is_good else [f"key {key!r}: must be a number from 0 to {_DAY_S:.0f}"]


def _floats(read: object) -> Iterator[float]:
    match read:
        case float():
            yield read
        case Mapping():
            yield from _floats(tuple(read.values()))
        case list() | tuple():
            for item in read:
                yield from _floats(item)
        case msgspec.Struct():
            yield from _floats(msgspec.structs.astuple(read))
        case _:
            return


def _convert(value: object, kind: Any) -> Any:  # noqa: ANN401 - a type form, and its value
    return msgspec.convert(value, kind, dec_hook=_hide)


def _hide(kind: type, value: object) -> Secret:
    if kind is Secret and isinstance(value, str) and value:
        return Secret(value)
    raise msgspec.ValidationError("Expected a non-empty `str`")
