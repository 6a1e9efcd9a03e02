"""Reads the runbook: its entries, the commands of each, and the record of its drill."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from tests.conftest import ROOT

PAGE = ROOT / "deploy" / "runbook.md"
BEGIN, END = "<!-- drill: written by make drills ARGS=--record -->", "<!-- end of drill -->"
_BLOCK = re.compile(r"(?ms)^```sh\n(.*?)^```$")
_RECORD = re.compile(rf"(?ms)\n*^{re.escape(BEGIN)}\n```text\n(.*?)```\n{re.escape(END)}\n")


class Entry(NamedTuple):
    """One entry: what a person reads, and what they type, block by block and line by line."""

    text: str
    blocks: tuple[tuple[str, ...], ...]
    record: str
    """What its drill wrote; empty without one."""


def entries() -> dict[str, Entry]:
    """Return the runbook's entries by heading."""
    parts = re.split(r"(?m)^## (.+)$", PAGE.read_text(encoding="utf-8"))[1:]
    read = {}
    for heading, text in zip(parts[::2], parts[1::2], strict=True):
        record = "".join(_RECORD.findall(text))
        plain = _RECORD.sub("\n", text)
        blocks = tuple(tuple(line for line in block.splitlines() if line) for block in _BLOCK.findall(plain))
        read[heading] = Entry(plain, blocks, record)
    return read


def record(told: Mapping[str, str]) -> None:
    """Write what drills showed behind their entries."""
    parts = re.split(r"(?m)^(## .+\n)", PAGE.read_text(encoding="utf-8"))
    for place in range(1, len(parts), 2):
        heading = parts[place].removeprefix("## ").rstrip()
        if heading in told:
            plain = _RECORD.sub("\n", parts[place + 1]).rstrip("\n")
            is_last = place + 2 == len(parts)
            ending = "" if is_last else "\n"
            parts[place + 1] = f"{plain}\n\n{BEGIN}\n```text\n{told[heading]}```\n{END}\n{ending}"
    PAGE.write_text("".join(parts), encoding="utf-8")
