"""The pinned packages, read from the files `make lock` writes: what each is, and who asked for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
RUNTIME, DEV = "deploy/requirements/runtime.txt", "deploy/requirements/dev.txt"
_ASKED_BY = re.compile(r"^\s+# +(?:via +)?([A-Za-z0-9][\w.-]*)(?: \(.*\))?$")


@dataclass(frozen=True)
class Pin:
    """One line of a lock: a package, its version, where it is needed, and the packages that ask for it."""

    name: str
    version: str
    requirement: Requirement
    asked_by: tuple[str, ...] = ()

    @property
    def is_for_here(self) -> bool:
        """Tell whether this machine's kind installs it; colorama, for one, is for Windows alone."""
        return self.requirement.marker is None or self.requirement.marker.evaluate()


def entries(text: str) -> dict[str, list[str]]:
    """Give each package of a lock with its lines: the pin, its hashes, and the comments below it."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line and not line.startswith((" ", "#")):
            lines = found.setdefault(re.split(r"[=\s;@\[]", line)[0], [])
        if line and not line.startswith("#"):
            lines.append(line)
    return found


def read(text: str) -> tuple[Pin, ...]:
    """Read a lock; raise ValueError for a line that pins no single version."""
    return tuple(pin(lines) for lines in entries(text).values())


def pin(lines: list[str]) -> Pin:
    """Read the lines of one package."""
    requirement = Requirement(lines[0].rstrip(" \\"))
    versions = [one.version for one in requirement.specifier if one.operator == "=="]
    if len(versions) != 1:
        raise ValueError(f"{lines[0]!r} pins no single version")
    asked_by = tuple(found[1] for line in lines[1:] if (found := _ASKED_BY.match(line)) and found[1] != "via")
    return Pin(
        canonicalize_name(requirement.name), versions[0], requirement, tuple(map(canonicalize_name, asked_by))
    )


def locked(*paths: str) -> tuple[Pin, ...]:
    """Give every version that these locks pin once, both sets unless told; in order of their names."""
    pins = {
        (each.name, each.version): each
        for path in paths or (RUNTIME, DEV)
        for each in read((ROOT / path).read_text(encoding="utf-8"))
    }
    return tuple(pins[key] for key in sorted(pins))
