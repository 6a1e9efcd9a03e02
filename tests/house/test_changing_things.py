"""docs/changing-things.md: the files it names are there, and its counts are right."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest

from giftcard import v1
from giftcard_adapters.values.declines import DeclineReason
from giftcard_adapters.values.operations import Operation
from giftcard_gateway.wire.mapping import enum_reader
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "changing-things.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"(?ms)^## (.+?)\n(.*?)(?=^## |\Z)", PAGE))
OWN = re.compile(r"electrum|journal/sqlite/")
"""What stands in the tables for a provider's or a journal's own files."""


def files_of(section: str) -> list[str]:
    """Return the files of a section's table, in their order."""
    return re.findall(r"(?m)^\| `([^`]+)` \|", SECTIONS[section])


def test_every_path_is_there() -> None:
    """Each file or folder the page names exists."""
    paths = re.findall(r"`((?:adapters|gateway|clients|protos|tests|docs)/[^`: ]+)", PAGE)
    assert len(paths) > 25
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("section", SECTIONS)
def test_the_files_are_counted(section: str) -> None:
    """The number of shared files at the top of the page is that of the section's table."""
    (told,) = re.findall(rf"(?m)^\| {section.lower()} \| (\d+)", PAGE)
    shared = [path for path in files_of(section) if not OWN.search(path)]
    assert int(told) == len(shared), shared


@pytest.mark.parametrize(
    ("ours", "wire"),
    [(DeclineReason, v1.DeclineReason.DESCRIPTOR), (Operation, v1.Operation.DESCRIPTOR)],
    ids=["decline reason", "operation"],
)
def test_a_decline_reason_needs_both_lists(ours: type[StrEnum], wire: object) -> None:
    """A member that only one list has keeps the gateway from starting; so it is for operations."""
    more = StrEnum("More", [*ours.__members__, "MADE_UP"])  # type: ignore[misc]  # members worked out
    fewer = StrEnum("Fewer", [*ours.__members__][:-1])  # type: ignore[misc]  # members worked out
    for changed in (more, fewer):
        with pytest.raises(TypeError, match="have different values"):
            enum_reader(changed, wire)  # type: ignore[arg-type]  # a descriptor
    enum_reader(ours, wire)  # type: ignore[arg-type]  # a descriptor
