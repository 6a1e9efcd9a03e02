"""Files that hold secrets: who may read them, and what is said of one that others may.

The rule is PostgreSQL's for its server key. A file of the gateway's own user is for nobody else. One of
root's may be read by a group too: so Kubernetes (`fsGroup`) hands a secret to a process that is not root.
Links are followed, because Kubernetes mounts secrets as links; what counts is the file at their end.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec

_ROOT = 0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_OF_ROOTS = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO
_PRIVATE = frozenset({"d", "k"})
"""What only a private or a shared key has, in a JSON Web Key."""


def exposed(path: Path) -> str:
    """Return why no secret may lie in a file, and what to do; nothing if it may, or is not there."""
    try:
        status = path.stat()
    except OSError:
        # Whoever reads it says why not.
        return ""
    return _why(path, status.st_mode, status.st_uid, os.geteuid())


def _why(path: Path, mode: int, owner: int, reader: int) -> str:
    """Judge a file by its mode and owner, for the user who reads it."""
    if owner not in {reader, _ROOT}:
        return f"names {path}, which belongs to another user: chown it to the gateway's own, and chmod 600 it"
    if mode & (_OTHERS if owner == reader else _OTHERS_OF_ROOTS):
        least = "600" if owner == reader else "640"
        return f"names {path}, which others may read or write: chmod {least} {path}"
    return ""


def exposed_keys(path: Path) -> str:
    """Judge a file of JSON Web Keys: it is a secret if a private or a shared key is in it."""
    is_private = any(_PRIVATE & key.keys() for key in keys_in(path))
    return exposed(path) if is_private else ""


def keys_in(path: Path) -> Sequence[Mapping[str, object]]:
    """Return the JSON Web Keys in a file; none if it cannot be read as such."""
    try:
        listed = msgspec.json.decode(path.read_bytes(), type=dict[str, list[dict[str, object]]])
    except (OSError, msgspec.MsgspecError):
        return ()
    return [key for keys in listed.values() for key in keys if "kty" in key]


def exposed_of_postgresql(url: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Give what is wrong with the files that PostgreSQL's driver takes a password or a key from.

    The driver passes over a password file that a group may read, whoever it belongs to, without a word.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        # What is wrong with it is said where it is checked.
        return
    if not parts.scheme.startswith("postgres"):
        return
    asked = dict(parse_qsl(parts.query))
    for name, variable in (("passfile", "PGPASSFILE"), ("sslkey", "PGSSLKEY")):
        file = asked.get(name) or environ.get(variable)
        origin = f"journal.url: {name}" if name in asked else f"environment variable {variable}"
        if file and (why := exposed(Path(file))):
            yield f"{origin} {why}"
