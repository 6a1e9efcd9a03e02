"""Reads raw tables into typed settings, and finds every fault instead of the first.

It knows types, not meanings: whether values fit each other is `checks`. No sentence repeats a
value, because any of them can be a secret.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from giftcard_adapters.contract import Settings as AdapterSettings
from giftcard_adapters.errors import SettingsError
from giftcard_adapters.stanza import find_adapter, read_settings
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.config.secret_files import exposed
from giftcard_gateway.config.sources import Given, Table, Unavailable, file_of, follow, is_reference

_Kind = Any  # a type as an annotation has it; typing gives these no type of their own
_FAULTY = object()
"""Stands for a value that has a fault; no settings are made once there is one."""
_WORDS: dict[type[msgspec.inspect.Type], str] = {
    msgspec.inspect.BoolType: "true or false",
    msgspec.inspect.IntType: "a whole number",
    msgspec.inspect.FloatType: "a number",
    msgspec.inspect.StructType: "a table",
    msgspec.inspect.DictType: "a table",
    msgspec.inspect.VarTupleType: "a list",
}


class Reading:
    """One reading of one configuration; `faults` grows as it goes."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        """References are followed into `environ`, and from `folder`."""
        self.faults: list[str] = []
        self.files: list[Path] = []
        """Every file that a value was looked for in."""
        self._environ = environ
        self._folder = folder

    def struct(self, kind: type[msgspec.Struct], raw: object, path: str) -> object:
        """Return a table as a struct, or what stands for a fault."""
        if not isinstance(raw, dict):
            return self._fault(path, "must be a table")
        hints = get_type_hints(kind, include_extras=True)
        self._unknown(raw, hints, path)
        values: dict[str, object] = {}
        before = len(self.faults)
        for field in msgspec.structs.fields(kind):
            place = f"{path}.{field.name}" if path else field.name
            if field.name in raw:
                values[field.name] = self._field(hints[field.name], raw, field.name, place)
            elif field.required:
                self._fault(place, f"is missing; it must be {allowed(hints[field.name])}")
        return kind(**values) if len(self.faults) == before else _FAULTY

    def _field(self, kind: _Kind, raw: Table, name: str, place: str) -> object:
        if kind is AdapterSettings:
            return self._adapter_settings(raw.get("adapter"), raw[name], place)
        return self.value(kind, raw[name], place)

    def value(self, kind: _Kind, raw: object, path: str) -> object:
        """Return a raw value as `kind`, or what stands for a fault."""
        kind = _bare(kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self.struct(kind, raw, path)
        if _origin(kind) is dict:
            return self._table(get_args(kind), raw, path)
        if _origin(kind) is tuple:
            return self._list(get_args(kind)[0], raw, path)
        return self._leaf(kind, raw, path)

    def _table(self, kinds: tuple[_Kind, ...], raw: object, path: str) -> object:
        if not isinstance(raw, dict):
            return self._fault(path, "must be a table")
        table = {}
        for key, value in raw.items():
            place = f"{path}.{key}"
            read_key = self._convert(key, kinds[0], place, f"has a bad name; it must be {allowed(kinds[0])}")
            table[read_key] = self.value(kinds[1], value, place)
        return table

    def _list(self, kind: _Kind, raw: object, path: str) -> object:
        items = [part.strip() for part in raw.split(",")] if isinstance(raw, Given) else raw
        if not isinstance(items, list):
            return self._fault(path, "must be a list")
        return tuple(self.value(kind, item, f"{path}[{place}]") for place, item in enumerate(items))

    def _leaf(self, kind: _Kind, raw: object, path: str) -> object:
        value = self._followed(raw, path, is_secret=_holds_secrets(kind))
        if value is _FAULTY:
            return _FAULTY
        origin = f" (from {value.origin})" if isinstance(value, Given) else ""
        return self._convert(value, kind, path, f"must be {allowed(kind)}{origin}")

    def _convert(self, value: object, kind: _Kind, path: str, sentence: str) -> object:
        is_loose = isinstance(value, Given)
        plain = str(value) if isinstance(value, str) else value
        try:
            return msgspec.convert(plain, kind, strict=not is_loose, dec_hook=_hide)
        except msgspec.ValidationError:
            return self._fault(path, sentence)

    def _adapter_settings(self, adapter_name: object, raw: object, path: str) -> object:
        if not (isinstance(adapter_name, str) and isinstance(raw, dict)):
            return self._fault(path, "must be a table, and `adapter` beside it a text")
        before = len(self.faults)
        try:
            adapter = find_adapter(adapter_name)
            hints = get_type_hints(adapter.settings_type)
            stanza = {
                key: self._stanza(value, f"{path}.{key}", is_secret=_holds_secrets(hints.get(key)))
                for key, value in raw.items()
            }
            if len(self.faults) > before:
                return _FAULTY
            return read_settings(adapter, _loosened(stanza, adapter.settings_type))
        except SettingsError as fault:
            self.faults += [f"{path}: {one}" for one in fault.faults]
            return _FAULTY

    def _stanza(self, raw: object, path: str, *, is_secret: bool) -> object:
        """Follow every reference in a raw value of an adapter's."""
        if isinstance(raw, dict) and not is_reference(raw):
            return {
                key: self._stanza(value, f"{path}.{key}", is_secret=is_secret) for key, value in raw.items()
            }
        if isinstance(raw, list):
            return [
                self._stanza(value, f"{path}[{place}]", is_secret=is_secret)
                for place, value in enumerate(raw)
            ]
        return self._followed(raw, path, is_secret=is_secret)

    def _followed(self, raw: object, path: str, *, is_secret: bool) -> object:
        """Return what a reference stands for; a secret's file must be for nobody else."""
        file = file_of(raw, self._folder)
        if file is not None:
            self.files.append(file)
        if is_secret and file is not None and (why := exposed(file)):
            return self._fault(path, why)
        try:
            return follow(raw, self._environ, self._folder)
        except Unavailable as fault:
            return self._fault(path, f"has no value: {fault}")

    def _unknown(self, raw: Table, known: Iterable[str], path: str) -> None:
        names = sorted(known)
        for key, value in raw.items():
            if key not in names:
                near = difflib.get_close_matches(key, names, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
                origin = f" (from {value.origin})" if isinstance(value, Given) else ""
                self._fault(f"{path}.{key}" if path else key, f"is not known; {hint}{origin}")

    def _fault(self, path: str, sentence: str) -> object:
        self.faults.append(f"{path} {sentence}")
        return _FAULTY


def allowed(kind: _Kind) -> str:
    """Say in words what a setting may be."""
    return _in_words(msgspec.inspect.type_info(_bare(kind, is_meta_kept=True)))


def _in_words(info: msgspec.inspect.Type) -> str:
    match info:
        case msgspec.inspect.Metadata(type=inner, extra_json_schema=schema):
            return str((schema or {}).get("description") or _in_words(inner))
        case msgspec.inspect.IntType(ge=least, le=most) | msgspec.inspect.FloatType(ge=least, le=most):
            return _WORDS[type(info)] + _range(least, most)
        case msgspec.inspect.LiteralType(values=values):
            return "one of " + ", ".join(map(str, values))
        case msgspec.inspect.EnumType(cls=cls):
            return "one of " + ", ".join(str(member.value) for member in cls)
        case _:
            return _WORDS.get(type(info), "a text")


def _range(least: float | None, most: float | None) -> str:
    if least is None:
        return "" if most is None else f" of at most {most}"
    return f" of at least {least}" if most is None else f" from {least} to {most}"


def _holds_secrets(kind: _Kind) -> bool:
    """Tell whether what an annotation allows may be a secret, or have one in it."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return any(map(_holds_secrets, get_type_hints(kind).values()))
    return kind is Secret or any(map(_holds_secrets, get_args(kind)))


def _origin(kind: _Kind) -> object:
    return get_origin(kind)


def _bare(kind: _Kind, *, is_meta_kept: bool = False) -> _Kind:
    """Return an annotation without None, which TOML cannot say, and for containers without its notes."""
    if _origin(kind) in {Union, UnionType}:
        kinds = [one for one in get_args(kind) if one is not NoneType]
        return _bare(kinds[0], is_meta_kept=is_meta_kept) if len(kinds) == 1 else kind
    if _origin(kind) is Annotated and not is_meta_kept:
        inner = get_args(kind)[0]
        return kind if inner in {str, int, float} else inner
    return kind


def _loosened(stanza: Table, kind: type[AdapterSettings]) -> Table:
    """Turn texts from outside the file into the numbers and truths the adapter asks for."""
    hints = get_type_hints(kind)
    return {key: _loose(value, hints.get(key, str)) for key, value in stanza.items()}


def _loose(value: object, kind: _Kind) -> object:
    if not isinstance(value, Given) or kind is Secret:
        return str(value) if isinstance(value, Given) else value
    try:
        return msgspec.to_builtins(msgspec.convert(str(value), kind, strict=False))
    except (msgspec.ValidationError, TypeError):
        return str(value)


def _hide(kind: type, value: object) -> Secret:
    if kind is Secret and isinstance(value, str) and value:
        return Secret(value)
    raise msgspec.ValidationError("not a secret")
