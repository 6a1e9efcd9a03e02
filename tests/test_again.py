"""What CI runs once more, and what it does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.again import MOST, failed, verdict


def test_what_failed_is_read_from_the_last_run(tmp_path: Path) -> None:
    """The failed tests are those that pytest wrote down; without a record there are none."""
    record = tmp_path / "lastfailed"
    assert failed(record) == []
    record.write_text(json.dumps({"tests/b.py::two": True, "tests/a.py::one": True}))
    assert failed(record) == ["tests/a.py::one", "tests/b.py::two"]


@pytest.mark.parametrize(("count", "is_run"), [(0, False), (1, True), (MOST, True), (MOST + 1, False)])
def test_a_handful_is_run_once_more(count: int, is_run: bool) -> None:
    """A few failures are tried again; none to be found, or many, are a failure at once."""
    assert (verdict([f"tests/a.py::{number}" for number in range(count)]) == "") is is_run
