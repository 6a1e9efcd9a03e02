"""Where settings come from: the file, the environment, and the files that hold secrets.

Only raw values here, and only here are they read. What they must look like is `reading`.

    listen = "127.0.0.1:50051"                       a value
    password = { env = "PROVIDER_PASSWORD" }         the value of an environment variable
    password = { file = "/run/secrets/password" }    a file's content, without the newline at its end
    GIFTCARD_GATEWAY__SERVER__LISTEN=0.0.0.0:50051   a variable that stands for server.listen

In a variable's name a dash is written as an underscore. A relative file lies beside the configuration.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Self

OVERRIDE_PREFIX = "GIFTCARD_GATEWAY__"
Table = dict[str, object]


class Given(str):
    """A text from outside the configuration file. It may stand for a number; its origin may be told."""

    __slots__ = ("origin",)
    origin: str

    def __new__(cls, text: str, origin: str) -> Self:
        """Keep where the text came from."""
        given = super().__new__(cls, text)
        given.origin = origin
        return given


class Unavailable(Exception):
    """A value or the whole configuration cannot be read; the text says why, and shows no content."""


def read_file(path: Path) -> Table:
    """Return a TOML file's raw tables; raise Unavailable with a sentence."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise Unavailable(f"{path} cannot be read: {_reason(fault)}") from None
    except UnicodeDecodeError:
        raise Unavailable(f"{path} is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as fault:
        raise Unavailable(f"{path} is not TOML: {fault}") from None


def override(table: Table, environ: Mapping[str, str]) -> list[str]:
    """Put the values of GIFTCARD_GATEWAY__... variables into a raw table; return what cannot be done."""
    faults = []
    for name in sorted(environ):
        if name.startswith(OVERRIDE_PREFIX):
            parts = name.removeprefix(OVERRIDE_PREFIX).split("__")
            if not all(parts) or not _put(table, parts, Given(environ[name], f"environment variable {name}")):
                faults.append(f"environment variable {name} names no setting")
    return faults


def is_reference(value: object) -> bool:
    """Tell whether a raw value says where the real one is."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in {"env", "file"}


def follow(value: object, environ: Mapping[str, str], folder: Path) -> object:
    """Return what a reference stands for, and anything else as it is; raise Unavailable."""
    if not (isinstance(value, dict) and is_reference(value)):
        return value
    (kind, name), *_ = value.items()
    if not isinstance(name, str):
        raise Unavailable(f"{kind} must name one with a text")
    if kind == "file":
        return Given(_content(folder / name), f"file {name}")
    if name not in environ:
        raise Unavailable(f"environment variable {name} is not set")
    return Given(environ[name], f"environment variable {name}")


def file_of(value: object, folder: Path) -> Path | None:
    """Return the file that a raw value lies in, None for one that stands elsewhere."""
    name = value.get("file") if isinstance(value, dict) and is_reference(value) else None
    return folder / name if isinstance(name, str) else None


def is_readable(path: Path) -> bool:
    """Tell whether there is a file here that this process may read."""
    try:
        with path.open("rb"):
            return True
    except OSError:
        return False


def _put(table: Table, parts: list[str], value: Given) -> bool:
    *tables, last = parts
    for part in tables:
        below = table.setdefault(_key(table, part), {})
        if not isinstance(below, dict):
            return False
        table = below
    table[_key(table, last)] = value
    return True


def _key(table: Table, part: str) -> str:
    """Find the key a variable means: the one written so already, else the name in lower case."""
    wanted = part.lower()
    return next((key for key in table if key.lower().replace("-", "_") == wanted), wanted)


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n")
    except OSError as fault:
        raise Unavailable(f"file {path} cannot be read: {_reason(fault)}") from None
    except UnicodeDecodeError:
        raise Unavailable(f"file {path} is not UTF-8 text") from None


def _reason(fault: OSError) -> str:
    return (fault.strerror or type(fault).__name__).lower()
