"""The reference pages that are read off the settings and the protos, for `make tables`."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from giftcard_adapters.values.secret import Secret
from tests.conftest import ROOT

PROTOS = ROOT / "protos" / "giftcard" / "v1"
_BOUNDS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}", "min_length": "length ≥ {}"}
_BOUNDS |= {"max_length": "length ≤ {}", "pattern": "matches `{}`"}


def docstrings(kind: type) -> dict[str, str]:
    """Return what stands below each field of a class and of those it is made of."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__[:-1]):
        if not one.__module__.startswith("giftcard"):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(one))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, below in pairwise(body.body):
            if not (isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)):
                continue
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                found[field.target.id] = " ".join(str(below.value.value).split())
    return found


def type_of(hint: Any) -> str:  # noqa: ANN401 - any type hint
    """Return a type as an operator would say it."""
    if get_origin(hint) is Annotated:
        return type_of(get_args(hint)[0])
    parts = [one for one in get_args(hint) if one not in {type(None), ...}]
    origin = get_origin(hint)
    if origin is None:
        names = {str: "text", int: "whole number", float: "number", bool: "true or false", Secret: "text"}
        is_table = isinstance(hint, type) and issubclass(hint, msgspec.Struct)
        return "table" if is_table else names.get(hint, getattr(hint, "__name__", str(hint)))
    if origin in {tuple, list, frozenset}:
        return f"list of {type_of(parts[0])}"
    if origin is dict:
        return f"table of {type_of(parts[1])}"
    if all(isinstance(one, str) for one in parts):
        return " or ".join(f"`{one}`" for one in parts)
    return " or ".join(dict.fromkeys(type_of(one) for one in parts))


def bounds_of(hint: Any) -> Iterator[str]:  # noqa: ANN401 - any type hint
    """Give every bound of a type and of what it is made of."""
    for part in get_args(hint):
        if isinstance(part, msgspec.Meta):
            for name, text in _BOUNDS.items():
                value = getattr(part, name)
                if value is not None:
                    yield text.format(f"{value:,}" if isinstance(value, int | float) else value)
        else:
            yield from bounds_of(part)


def _holds_secret(hint: Any) -> bool:  # noqa: ANN401 - any type hint
    return hint is Secret or any(_holds_secret(one) for one in get_args(hint))


def settings_page(kinds: dict[str, type[msgspec.Struct]], default: Any) -> str:  # noqa: ANN401 - a function
    """Return a table for every struct of the settings; `default` writes a field's default."""
    told = []
    for heading, kind in kinds.items():
        hints, texts = get_type_hints(kind, include_extras=True), docstrings(kind)
        told += [
            f"## `{heading}`",
            "",
            "| key | type | bounds | default | secret | says |",
            "|---|---|---|---|---|---|",
        ]
        for field in msgspec.structs.fields(kind):
            hint = hints[field.name]
            bounds = ", ".join(dict.fromkeys(bounds_of(hint))).replace("|", "\\|")
            secret = "yes" if _holds_secret(hint) else "–"
            cells = (f"`{field.encode_name}`", type_of(hint), bounds or "–", default(field), secret)
            told.append(f"| {' | '.join(cells)} | {texts.get(field.name, '–')} |")
        told.append("")
    return "\n".join(told)


def _commented(text: str, line: str) -> Iterator[tuple[re.Match[str], str]]:
    """Give every line of a proto that matches, with the comment above it."""
    above: list[str] = []
    for one in text.splitlines():
        stripped = one.strip()
        if stripped.startswith("//"):
            above.append(stripped.removeprefix("//").strip())
            continue
        if found := re.match(line, stripped):
            yield found, " ".join(above).replace("|", "\\|")
        above = []


def calls_table() -> str:
    """Return every call of the contract, with what its proto says of it."""
    told = []
    for proto in sorted(PROTOS.glob("*_service.proto")):
        text = proto.read_text(encoding="utf-8")
        service = re.search(r"^service (\w+)", text, re.MULTILINE)
        assert service, proto
        told += [f"### {service[1]}", "", "| call | says |", "|---|---|"]
        told += [f"| `{found[1]}` | {says} |" for found, says in _commented(text, r"rpc (\w+)\(")]
        told.append("")
    return "\n".join(told)


def enum_table(proto: str, prefix: str) -> str:
    """Return every value of an enum but its zero, with what its proto says of it."""
    text = (PROTOS / proto).read_text(encoding="utf-8")
    found = _commented(text, rf"{prefix}_(\w+) = ([1-9]\d*)[; ]")
    return "\n".join(["| reason | says |", "|---|---|", *(f"| `{one[1]}` | {says} |" for one, says in found)])
