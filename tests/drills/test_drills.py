"""The runbook and its drills are one: every entry is drilled, and two of the drills are played here."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.drills.__main__ import ROOMS
from tests.drills.catalogue import DRILLS, PROVED_ELSEWHERE
from tests.drills.runbook import entries
from tests.drills.stage import Stage

ENTRIES = entries()
PLAYED = {entry for one in DRILLS.values() for entry in one.entries}


def test_every_entry_has_a_drill_and_every_drill_an_entry() -> None:
    """What no drill plays names the tests that break the same."""
    assert {room.__name__ for room in ROOMS} == {one.play.__module__ for one in DRILLS.values()}
    assert not PLAYED & PROVED_ELSEWHERE.keys()
    assert PLAYED | PROVED_ELSEWHERE.keys() == ENTRIES.keys()
    assert [path for path in PROVED_ELSEWHERE.values() if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("heading", sorted(PLAYED))
def test_an_entry_shows_its_drill(heading: str) -> None:
    """What `make drills ARGS=--record` wrote is there, and its commands are those of the entry."""
    shown = ENTRIES[heading].record
    assert shown, "make drills ARGS=--record"
    typed = set(re.findall(r"(?m)^\$ (.+)$", shown))
    said = {line for block in ENTRIES[heading].blocks for line in block}
    assert typed <= said, "make drills ARGS=--record"


@pytest.mark.parametrize("name", ["provider-down", "advices-pile-up"])
def test_a_drill_holds(tmp_path: Path, name: str) -> None:
    """It breaks, the alert rings, what the entry says is typed, and it is over."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not on this machine")
    stage = Stage(tmp_path, lambda _: None)
    DRILLS[name].play(stage)
    assert [line for line in stage.lines if line.startswith("alert ") and line.endswith("is silent")]
    assert stage.lines[-1].startswith("the provider's books: ")
