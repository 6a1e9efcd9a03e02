"""Prints how much of each room the tests reach, as a Markdown table, from what `coverage json` wrote.

python deploy/rooms_covered.py build/coverage.json
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

PACKAGES = ("adapters/giftcard_", "gateway/giftcard_gateway", "clients/python/src/giftcard")
REACHED, ALL = ("covered_lines", "covered_branches"), ("num_statements", "num_branches")


def room(path: str) -> str:
    """Return the room of a file: the folder below its package, or the package itself."""
    root = next((root for root in PACKAGES if path.startswith(root)), "")
    depth = root.count("/") + 2
    return "/".join(PurePosixPath(path).parent.parts[:depth])


def table(report: Mapping[str, Any]) -> Iterator[str]:
    """Give the lines of the table, all rooms together last."""
    reached: Counter[str] = Counter()
    everything: Counter[str] = Counter()
    for path, file in report["files"].items():
        for name in (room(path), "**all**"):
            reached[name] += sum(file["summary"].get(key, 0) for key in REACHED)
            everything[name] += sum(file["summary"].get(key, 0) for key in ALL)
    yield "| room | lines and branches | reached |"
    yield "|---|---:|---:|"
    for name in sorted(everything, key=lambda name: (name == "**all**", name)):
        if everything[name]:
            yield f"| {name} | {everything[name]} | {reached[name] / everything[name]:.1%} |"


def main(arguments: list[str]) -> int:
    """Print the table of a report."""
    for line in table(json.loads(Path(arguments[0]).read_text(encoding="utf-8"))):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
