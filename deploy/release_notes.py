"""Prints the notes of a release: the section of CHANGELOG.md that a tag names.

python deploy/release_notes.py v1.2.3

Refuses a tag that is not the version of every distribution, or that the changelog does not have.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DISTRIBUTIONS = ("pyproject.toml", "adapters/pyproject.toml", "clients/python/pyproject.toml")
_TAG = re.compile(r"v(\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?)")


class NotReleasable(Exception):
    """The tag names no release of ours; the text says why."""


def notes(tag: str, changelog: str, versions: dict[str, str]) -> str:
    """Return what the changelog says of a tag's version; raise NotReleasable with a sentence."""
    found = _TAG.fullmatch(tag)
    if found is None:
        raise NotReleasable(f"{tag} is no version; a tag looks like v1.2.3")
    for path, version in versions.items():
        if version != found[1]:
            raise NotReleasable(f"{path} has version {version}, and the tag is {tag}")
    _, _, after = f"\n{changelog}".partition(f"\n## [{found[1]}]")
    said = after.partition("\n")[2].partition("\n## [")[0].strip()
    if not said:
        raise NotReleasable(f"CHANGELOG.md says nothing under [{found[1]}]")
    return f"{said}\n"


def versions() -> dict[str, str]:
    """Return the version of each distribution by its file."""
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in DISTRIBUTIONS}
    return {path: str(tomllib.loads(text)["project"]["version"]) for path, text in texts.items()}


def main(arguments: list[str]) -> int:
    """Print the notes of the tag; 1 and a sentence when there is nothing to release."""
    try:
        told = notes(arguments[0], (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), versions())
    except NotReleasable as fault:
        print(fault, file=sys.stderr)
        return 1
    print(told, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
