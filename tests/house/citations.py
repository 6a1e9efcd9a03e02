"""What our pages and docstrings cite, each a function from a page to the sentences about what does not exist.

What there is to cite is in `shelf`, what a reader sees of a file in `prose`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import PurePosixPath
from posixpath import dirname, join, normpath

import click
import msgspec

from giftcard_adapters.extras import EXTRAS
from giftcard_gateway.cli import commands
from giftcard_gateway.config.settings import Settings
from giftcard_gateway.config.sources import OVERRIDE_PREFIX
from tests.house import shelf
from tests.house.prose import Page

ROOMS = (
    "adapters",
    "clients",
    "deploy",
    "docs",
    "gateway",
    "protos",
    "tests",
    r"\.github",
    r"\.devcontainer",
    r"\.ci",
)
MADE_UP = "acme"
"""The provider that does not exist: docs/adding-a-provider.md says where its files would be."""

_NUMBERS = re.compile(r"\b[Rr]ules?\s+(\d+(?:(?:,|,?\s+(?:and|or|to)|\s*[–-])\s*\d+)*)(?![\w%])")
_PATH = re.compile(rf"(?<![\w./}}$-])(?:{'|'.join(ROOMS)})/[\w./-]*(?![\w*{{<$…])")
_TEST = re.compile(r"\b(tests/[\w/]+\.py)::(\w+(?:::\w+)?)")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FILE = re.compile(
    r"(?<![\w./}*<$-])(?!google/|build/)((?:[\w.-]+/)*[\w-][\w.-]*\.(?:md|proto|py))(?![\w*-])(?:,? (\d+))?"
)
_MODULE = re.compile(
    r"(?<![\w./@-])(?:giftcard(?:_[a-z]+)?|tests)(?:\.[a-z]\w*)+(?:[.:][A-Z]\w*)?(?![\w*(-]|\.\w)"
)
_MESSAGE = re.compile(r"(?<![\w.])giftcard\.v1\.([A-Z]\w+)")
_NEIGHBOUR = re.compile(r"\b(?:in|by|of|to|is|are|and|beside)\s+`([a-z_]+)`")
_ARGUMENT = re.compile(r" +[A-Z]+=(?:'[^']*'|\S+)")
_MAKE = re.compile(rf"^make((?:{_ARGUMENT.pattern}| +[a-z][a-z-]*)+)")
_GATEWAY = re.compile(r"(?:^|[\s/$])giftcard-gateway +(.+)")
_VARIABLE = re.compile(r"\bGIFTCARD_\w+[A-Z]\b(?!__|\.)")
_TABLE = re.compile(r"^\[{1,2}([a-z][\w.-]*)\]{1,2}(?: (\w+))?$")
_DURATION = re.compile(r"^[a-z]\w*_s$")
_CELL = re.compile(r"`([a-z_]+\*?)`")

# Whatever lies beside the repository: a clone has to be enough.
_OUTSIDE = re.compile(r"\.\./shared\b|\bshared[\"']? ?/ ?[\"']?\w|\bsemantics\.md|\bseed \d{3}\b")
OTHER_LANGUAGES = (
    *(f"clients/{name}/" for name in ("go", "java", "rust", "typescript")),
    "clients/__main__.py",  # its help tells what their live tests are given
)
"""Where settings and variables are those of another language's tools."""
MAY_READ_OUTSIDE = ("tests/conftest.py", "tests/specs/validating.py")


def missing_rules(page: Page) -> Iterator[str]:
    """Find rules that are not in docs/rules.md."""
    for found in _NUMBERS.finditer(page.text):
        for number in numbers(found[1]):
            if number not in shelf.rules():
                yield f"{page.place(found.start())}: there is no rule {number} in {shelf.RULES}"


def numbers(text: str) -> Iterator[int]:
    """Give every number of `3`, `3 and 4`, `1, 6 and 7`, `3 to 5`."""
    parts = re.findall(r"\d+|to|[–-]", text)
    for place, part in enumerate(parts):
        if part.isdigit():
            yield int(part)
        else:
            yield from range(int(parts[place - 1]) + 1, int(parts[place + 1]))


def missing_paths(page: Page) -> Iterator[str]:
    """Find paths from the root that lead nowhere."""
    for found in _PATH.finditer(page.text):
        path = found[0].rstrip("./-")
        if path not in shelf.paths() and path not in shelf.endings() and MADE_UP not in path:
            yield f"{page.place(found.start())}: there is no {path}"


def missing_tests(page: Page) -> Iterator[str]:
    """Find tests, written as pytest writes them, that their file does not have."""
    for found in _TEST.finditer(page.text):
        path, name = found.groups()
        if path in shelf.paths() and name not in shelf.functions_in(path):
            yield f"{page.place(found.start())}: {path} has no {name}"


def missing_links(page: Page) -> Iterator[str]:
    """Find links to pages and headings that are not there."""
    for found in _LINK.finditer(page.prose if page.is_markdown else ""):
        path, _, anchor = found[1].partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        target = normpath(join(dirname(page.path), path)) if path else page.path
        if target not in shelf.paths():
            yield f"{page.place(found.start())}: the link to {found[1]} leads nowhere"
        elif anchor and anchor not in shelf.anchors(target):
            yield f"{page.place(found.start())}: {target} has no heading #{anchor}"


def missing_files(page: Page) -> Iterator[str]:
    """Find names of pages and source files that no file has, and numbered sections that no page has."""
    for found in _FILE.finditer(page.text):
        name, section = normpath(found[1]), found[2]
        here = normpath(join(dirname(page.path), found[1]))
        if name not in shelf.endings() and here not in shelf.paths() and MADE_UP not in name:
            yield f"{page.place(found.start())}: no file is called {found[1]}"
        elif section and name.endswith(".md") and section not in shelf.sections(name):
            yield f"{page.place(found.start())}: {name} has no section {section}"


def missing_modules(page: Page) -> Iterator[str]:
    """Find dotted names that are no module of ours and nothing in one."""
    for found in _MODULE.finditer(page.text):
        is_ours = (
            shelf.is_named(found[0]) or found[0] in shelf.metrics() or found[0].startswith("giftcard.v1")
        )
        if not is_ours:
            yield f"{page.place(found.start())}: there is no {found[0]}"
    for found in _MESSAGE.finditer(page.text):
        if found[1] not in shelf.messages():
            yield f"{page.place(found.start())}: the contract has no {found[1]}"
    for offset, code in page.inline():
        room = code.partition(".")[0]
        if code in shelf.attributes():
            continue
        if room in shelf.packages() and re.fullmatch(r"[a-z_]+(\.\w+)+", code):
            inside = (f"{package}.{code}" for package in shelf.roots())
            if not any(map(shelf.is_named, inside)) and not is_key(code) and code not in shelf.endings():
                yield f"{page.place(offset)}: the room {room} has no {code.partition('.')[2]}"


def missing_neighbours(page: Page) -> Iterator[str]:
    """Find neighbours that a module's docstring points to and that are not there."""
    head = page.head()
    for found in _NEIGHBOUR.finditer(head):
        folders = [str(folder) for folder in PurePosixPath(page.path).parents]
        beside = {f"{folder}/{found[1]}{end}" for folder in folders for end in ("", ".py")}
        if not beside & shelf.paths() and not re.search(rf"\b{found[1]}\b", page.code()):
            yield f"{page.place(found.start(1))}: no module near by and nothing here is called {found[1]}"


def missing_targets(page: Page) -> Iterator[str]:
    """Find what make is said to do and cannot."""
    for offset, code in page.commands():
        found = _MAKE.match(code)
        for target in re.findall(r" ([a-z][a-z-]*)", _ARGUMENT.sub("", found[1]) if found else ""):
            if target not in shelf.targets():
                yield f"{page.place(offset)}: make has no target {target}"


def missing_commands(page: Page) -> Iterator[str]:
    """Find commands and options that giftcard-gateway does not have."""
    for offset, code in page.commands():
        if found := _GATEWAY.search(code):
            for problem in command_problems(found[1].split()):
                yield f"{page.place(offset)}: {problem}"


def command_problems(words: list[str]) -> Iterator[str]:
    """Say which words of a command line are no command and no option."""
    command: click.Command = commands
    known = {"--help", "-h"}
    for word in words:
        known |= {option for parameter in command.params for option in parameter.opts}
        if word.startswith("--"):
            if word.partition("=")[0] not in known:
                yield f"giftcard-gateway {command.name or ''} has no {word}"
        elif isinstance(command, click.Group) and re.fullmatch(r"[a-z][a-z-]*", word):
            inner = command.get_command(click.Context(command), word)
            if inner is None:
                yield f"giftcard-gateway has no command {word}"
                return
            command = inner
        elif not re.fullmatch(r"[\w.:/|=-]+", word):
            return


def missing_settings(page: Page) -> Iterator[str]:
    """Find settings and environment variables that do not exist."""
    if page.path.startswith(OTHER_LANGUAGES):
        return
    for offset, code in page.inline():
        if is_about_settings(code) and not is_key(code):
            yield f"{page.place(offset)}: there is no setting {code}"
        elif page.is_markdown and _DURATION.match(code) and not is_known_duration(code):
            yield f"{page.place(offset)}: {code} is no setting and no name in the code"
    for found in _VARIABLE.finditer(page.text):
        if not is_variable(found[0]):
            yield f"{page.place(found.start())}: nothing reads {found[0]}"


def is_about_settings(code: str) -> bool:
    """Tell a key after its table's name, or a table in brackets, from other code."""
    if _TABLE.match(code):
        return code.strip("[]") not in {*EXTRAS.values(), "all"}
    if code in shelf.endings() or code in shelf.attributes():
        return False
    table = code.partition(".")[0]
    return table in shelf.tables() and table not in shelf.packages() and bool(re.fullmatch(r"\w+\.\w+", code))


def is_key(code: str) -> bool:
    """Tell whether `server.drain_s`, `[journal] url` or `[providers.ID.terms]` is a setting or a table."""
    if found := _TABLE.match(code):
        table, key = found[1], found[2]
    else:
        table, _, key = code.partition(".")
    table = table if table in shelf.tables() else re.sub(r"^(?:providers\.[\w-]+|routing|\w+)\.", "", table)
    kind = shelf.tables().get(
        "providers.ID" if found and re.fullmatch(r"providers\.[\w-]+", found[1]) else table
    )
    return kind is not None and (not key or key in shelf.fields(kind))


def is_known_duration(name: str) -> bool:
    """Tell whether a name in seconds is a setting or stands in our code."""
    return name in shelf.every_key() or name in shelf.words()


def is_variable(name: str) -> bool:
    """Tell whether an environment variable is read, or stands for a setting."""
    if not name.startswith(OVERRIDE_PREFIX):
        return name in shelf.variables()
    parts = name.removeprefix(OVERRIDE_PREFIX).split("__")
    if parts[:1] == ["SECTION"]:
        return True
    table: type[msgspec.Struct] | None = Settings
    for part in parts:
        keys = shelf.fields(table) if table else {}
        if part.lower() not in keys:
            return parts[0] == "PROVIDERS" and parts[-1].lower() in shelf.every_key()
        table = shelf.inner_table(keys[part.lower()])
    return True


def strange_keys(page: Page) -> Iterator[str]:
    """Find keys that no table has, in the configurations we show and in the tables that explain them."""
    if page.path.startswith(OTHER_LANGUAGES):
        return
    if PurePosixPath(page.path).match("deploy/*.toml"):
        blocks = [(0, page.text)]
    else:
        fences = re.finditer(
            r"^```toml\n(.*?)^```", page.text if page.is_markdown else "", re.MULTILINE | re.DOTALL
        )
        blocks = [(found.start(1), found[1]) for found in fences]
    for offset, block in blocks:
        for key in () if MADE_UP in block else shelf.strange_keys(tomllib.loads(block)):
            inside = block.find(key.rpartition(".")[2])
            yield f"{page.place(offset + inside)}: there is no setting {key}"
    yield from strange_rows(page)


def strange_rows(page: Page) -> Iterator[str]:
    """Find rows for keys that a provider's settings do not have."""
    settings = shelf.settings_on(page.text) if page.path.startswith("docs/providers/") else None
    section = re.search(r"^## Settings\n.*?(?=^## |\Z)", page.text, re.MULTILINE | re.DOTALL)
    if settings is None or section is None:
        return
    for row in re.finditer(r"^\| (`[^|]+) \|", section[0], re.MULTILINE):
        for key in _CELL.findall(row[1]):
            if not any(re.fullmatch(key.replace("*", r"\w+"), name) for name in shelf.fields(settings)):
                yield f"{page.place(section.start() + row.start())}: there is no setting {key}"


def outside(page: Page) -> Iterator[str]:
    """Find what cites or reads something that is not in the repository, in code too."""
    if page.path not in MAY_READ_OUTSIDE:
        for found in _OUTSIDE.finditer(page.whole):
            yield f"{page.place(found.start())}: {found[0]} is not in the repository; say here what it says"


CITATIONS = (
    missing_rules,
    missing_paths,
    missing_tests,
    missing_links,
    missing_files,
    missing_modules,
    missing_neighbours,
    missing_targets,
    missing_commands,
    missing_settings,
    strange_keys,
    outside,
)
