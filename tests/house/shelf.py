"""What there is to cite: rules, files, headings, make targets, commands, settings, modules, names."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import PurePosixPath
from typing import Any, get_args, get_type_hints

import click
import msgspec

from giftcard_adapters.contract import Settings as AdapterSettings
from giftcard_adapters.errors import SettingsError
from giftcard_adapters.stanza import find_adapter
from giftcard_gateway.cli import commands
from giftcard_gateway.config.access import Issuer
from giftcard_gateway.config.settings import Provider, Settings
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.kms.settings import Pkcs11Settings
from giftcard_gateway.telemetry.catalogue import INSTRUMENTS
from tests.house.source import ROOT, files, import_name, modules, text_of

RULES = "docs/rules.md"
Struct = type[msgspec.Struct]


@cache
def rules() -> frozenset[int]:
    """Return the numbers of the rules."""
    return frozenset(int(number) for number in re.findall(r"^## (\d+)\. ", text_of(RULES), re.MULTILINE))


@cache
def paths() -> frozenset[str]:
    """Return every file and every folder, from the root, and the folders that git is told to ignore."""
    found = {str(folder) for path in files() for folder in PurePosixPath(path).parents}
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    made = {line.strip("/") for line in ignored if line.startswith("/") and line.endswith("/")}
    return frozenset({*found, *made, *files()})


@cache
def endings() -> frozenset[str]:
    """Return every file by each end of its path; a template makes a file of its name."""
    whole = [part for path in files() for part in (path, path.removesuffix(".template"))]
    return frozenset(
        "/".join(path.split("/")[place:]) for path in whole for place in range(path.count("/") + 1)
    )


@cache
def anchors(path: str) -> frozenset[str]:
    """Return what can follow a `#` in a link to a page: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return frozenset(heading.replace(" ", "-") for heading in kept)


@cache
def sections(name: str) -> frozenset[str]:
    """Return the numbers of the headings of every page of this name."""
    here = (text_of(path) for path in files() if f"/{path}".endswith(f"/{name}"))
    return frozenset(number for text in here for number in re.findall(r"^#+ (\d+)\. ", text, re.MULTILINE))


@cache
def targets() -> frozenset[str]:
    """Return what make can be asked for."""
    return frozenset(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.MULTILINE))


@cache
def roots() -> frozenset[str]:
    """Return the packages of ours that hold rooms: the gateway, the adapters and what may join them."""
    return frozenset(top for one in modules() if (top := one.name.split(".")[0]).startswith("giftcard_"))


@cache
def packages() -> frozenset[str]:
    """Return the rooms inside these packages, such as `journal`."""
    inside = (one.name.split(".")[1:] for one in modules() if one.name.split(".")[0] in roots())
    return frozenset(parts[0] for parts in inside if len(parts) > 1)


@cache
def module_files() -> Mapping[str, str]:
    """Return each Python file by the name it is imported by; a folder without `__init__` has no file."""
    by_name = {import_name(path): path for path in files() if path.endswith(".py")}
    folders = {str(one): "" for name in by_name for one in PurePosixPath(name.replace(".", "/")).parents}
    return {name.replace("/", "."): path for name, path in folders.items()} | by_name


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the names a Python file binds at its top."""
    bound: set[str] = set()
    for node in ast.parse(text_of(path)).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            bound.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name for alias in node.names}
        else:
            bound |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return frozenset(bound)


@cache
def functions_in(path: str) -> frozenset[str]:
    """Return a Python file's functions, a method as `Class::method`, which is how pytest names a test."""
    body = ast.parse(text_of(path)).body
    classes = [("", body), *((f"{one.name}::", one.body) for one in body if isinstance(one, ast.ClassDef))]
    return frozenset(
        f"{before}{one.name}"
        for before, inside in classes
        for one in inside
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def is_named(dotted: str) -> bool:
    """Tell whether a dotted name, perhaps with `:Class`, is a module or something in one."""
    parts = dotted.replace(":", ".").split(".")
    for place in range(len(parts), 0, -1):
        path = module_files().get(".".join(parts[:place]))
        if path is not None:
            return place == len(parts) or (bool(path) and parts[place] in names_in(path))
    return False


@cache
def metrics() -> frozenset[str]:
    """Return the dotted names that our code gives to metrics and the like."""
    texts = (one.text for one in modules("gateway/"))
    return frozenset(name for text in texts for name in re.findall(r"\"(giftcard(?:\.[a-z_]+)+)\"", text))


@cache
def attributes() -> frozenset[str]:
    """Return what metrics and their attributes are called, also where others chose the names."""
    return frozenset(name for one in INSTRUMENTS for name in (one.name, *one.labels))


@cache
def messages() -> frozenset[str]:
    """Return the names of the contract's messages, enumerations and services."""
    protos = (text_of(path) for path in files() if path.endswith(".proto"))
    return frozenset(
        name for text in protos for name in re.findall(r"(?:message|enum|service) (\w+) \{", text)
    )


@cache
def variables() -> frozenset[str]:
    """Return the environment variables that options of the command line and the example read."""
    example = tomllib.loads(text_of("deploy/gateway.example.toml"))
    options = (str(option.envvar) for command in every_command(commands) for option in command.params)
    return frozenset({*options, *environment(example)})


def environment(value: object) -> Iterator[str]:
    """Give the variables that a configuration's values come from."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from [str(inner)] if key == "env" else environment(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from environment(inner)


def every_command(command: click.Command) -> Iterator[click.Command]:
    """Give a command and every command below it."""
    yield command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None, f"giftcard-gateway lists {name} and has no such command"
            yield from every_command(inner)


@cache
def fields(table: Struct) -> Mapping[str, Any]:
    """Return a table's keys, each with its type."""
    return {name: hint for name, hint in get_type_hints(table).items() if name in table.__struct_fields__}


def inner_table(hint: object) -> Struct | None:
    """Return the struct that a key holds, be it one, a list of them or a table of them by name."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    return next(filter(None, map(inner_table, get_args(hint))), None)


@cache
def tables() -> Mapping[str, Struct]:
    """Return every table of the configuration by the last word of its heading: `server`, `rules`, `terms`."""
    found: dict[str, Struct] = {"providers.ID": Provider, "issuers.ID": Issuer, "kms.ID": Pkcs11Settings}
    found |= {"cells.ID": JournalSettings}
    waiting = [Settings, Provider]
    while waiting:
        for name, hint in fields(waiting.pop()).items():
            if (inner := inner_table(hint)) and name not in found:
                found[name] = inner
                waiting.append(inner)
    return found


def adapter_settings(adapter: str) -> Struct | None:
    """Return the settings of an adapter named `module:Class`, None when there is no such adapter."""
    try:
        return find_adapter(adapter).settings_type
    except SettingsError:
        return None


@cache
def every_key() -> frozenset[str]:
    """Return every key of every table, those of our adapters too."""
    adapters = {
        kind for path in ROOT.glob("docs/providers/*.md") if (kind := settings_on(path.read_text("utf-8")))
    }
    return frozenset(key for kind in {*tables().values(), *adapters} for key in fields(kind))


def settings_on(text: str) -> Struct | None:
    """Return the settings of the adapter that a provider's page is about."""
    named = re.search(r"[Aa]dapter\s+`(giftcard_\w+(?:\.\w+)+:\w+)`", text)
    return adapter_settings(named[1]) if named else None


def strange_keys(values: Mapping[str, Any], table: Struct = Settings) -> Iterator[str]:
    """Give the keys of a configuration that no table has, by their path."""
    known = fields(table)
    if table is Provider:
        known = {**known, "settings": adapter_settings(str(values.get("adapter"))) or AdapterSettings}
    for key, value in values.items():
        inner = inner_table(known.get(key))
        if key not in known:
            yield key
        elif inner:
            yield from (f"{key}.{strange}" for strange in strange_inside(value, inner, known[key]))


def strange_inside(value: object, table: Struct, hint: object) -> Iterator[str]:
    """Give the strange keys of a table, a list of tables or a table of tables."""
    if isinstance(value, list):
        for one in value:
            yield from strange_inside(one, table, table)
    elif isinstance(value, dict) and hint is table:
        yield from strange_keys(value, table)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from (f"{name}.{strange}" for strange in strange_inside(one, table, table))


@cache
def words() -> frozenset[str]:
    """Return every word of our Python source."""
    return frozenset(word for one in modules() for word in re.findall(r"\w+", one.text))
