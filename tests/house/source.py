"""Our own source, read as trees: which files there are, and which outside names each of them uses.

What the house asks of them is in `rules`.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = ("adapters/", "gateway/", "clients/python/src/", "")
GENERATED = ("_pb2.py", "_pb2_grpc.py")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file of ours: its path from the root, its import name, its text."""

    path: str
    name: str
    text: str

    @property
    def tree(self) -> ast.Module:
        """The file as Python reads it."""
        return parse(self.text, self.path)

    def functions(self) -> Iterator[Function]:
        """Give every function and method, nested ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node

    def classes(self) -> Iterator[ast.ClassDef]:
        """Give every class."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef):
                yield node

    def uses(self) -> Iterator[tuple[int, str]]:
        """Give each outside name this file imports or reaches through an import, in full, with its line.

        `from datetime import datetime as d; d.now()` gives `datetime.datetime` and `datetime.datetime.now`.
        """
        known: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for local, meaning, used in self.imported(node):
                    known[local] = meaning
                    yield node.lineno, used
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and (full := spelled_out(node, known)):
                yield node.lineno, full

    def imported(self, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str, str]]:
        """Give each name that an import makes, what it stands for, and what was imported."""
        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                full = f"{self.origin(node)}.{alias.name}"
                yield alias.asname or alias.name, full, full
            elif alias.asname:
                yield alias.asname, alias.name, alias.name
            else:
                top = alias.name.split(".")[0]
                yield top, top, alias.name

    def origin(self, node: ast.ImportFrom) -> str:
        """Name the module an import comes from, also when it is written with dots."""
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        up = node.level - self.path.endswith("__init__.py")
        return ".".join([*parts[: len(parts) - up], *filter(None, [node.module])])


@cache
def parse(text: str, path: str) -> ast.Module:
    """Read a text as Python, once however many rules ask; raise SyntaxError naming the file."""
    return ast.parse(text, path)


def spelled_out(node: ast.Attribute, known: dict[str, str]) -> str | None:
    """Give `a.b.c` in full, or nothing when `a` is not an imported name."""
    parts = [node.attr]
    inner = node.value
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    if not isinstance(inner, ast.Name) or inner.id not in known:
        return None
    return ".".join([known[inner.id], *reversed(parts)])


def import_name(path: str) -> str:
    """Turn a path into the name Python imports it by."""
    root = next(root for root in SOURCE_ROOTS if path.startswith(root))
    return path.removeprefix(root).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def files() -> tuple[str, ...]:
    """List every file that is or may be committed, by its path from the root."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607 - whichever git is here
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return tuple(sorted(path for path in listing.split("\0") if path and (ROOT / path).is_file()))


@cache
def text_of(path: str) -> str:
    """Read a file; what is not text reads as nothing."""
    try:
        text = (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""
    return "" if "\0" in text else text


@cache
def modules(*rooms: str) -> tuple[Module, ...]:
    """Give our hand-written Python files below these paths, or all of them."""
    return tuple(
        Module(path, import_name(path), text_of(path))
        for path in files()
        if path.endswith(".py") and not path.endswith(GENERATED) and path.startswith(rooms or ("",))
    )
