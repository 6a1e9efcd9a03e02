"""What the bench makes of its figures, and what it finds wrong in a journal."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench.compare import costs
from tests.bench.compare.chart import bars
from tests.bench.compare.journals import check
from tests.bench.compare.report import PAGE, WRITER
from tests.bench.compare.rig import Serving
from tests.bench.compare.sections import Row, Spread, number, table
from tests.house.tables import Table


def test_a_spread_is_the_middle_and_both_ends() -> None:
    """The middle is the median; what is no number is left out, and of nothing there is no spread."""
    assert Spread.of([3.0, 1.0, math.nan, 9.0]) == Spread(3.0, 1.0, 9.0)
    assert math.isnan(Spread.of([math.nan]).middle)


@pytest.mark.parametrize(
    ("figure", "text"), [(0.124, "0.12"), (12.34, "12.3"), (1234.5, "1,234"), (math.nan, "none")]
)
def test_a_figure_has_three_digits(figure: float, text: str) -> None:
    """A figure is as precise as it was measured."""
    assert number(figure) == text


def test_a_table_shows_the_spread_of_ratios_alone() -> None:
    """A ratio is shown with its least and greatest, another figure by its middle."""
    row: Row = {"design": "strong", "vs noop": Spread(0.5, 0.4, 0.6), "p50 ms": Spread(20.0, 10.0, 30.0)}
    assert table([row]).splitlines()[-1] == "| strong | 0.50 (0.40–0.60) | 20.0 |"


def test_a_chart_has_a_bar_for_each_design() -> None:
    """The chart is well-formed, a bar is as long as its figure, and names are escaped."""
    figures = {"strong": Spread(1, 1, 1), "gateway-a": Spread(0.5, 0.5, 1)}
    drawn = ET.fromstring(bars("<one>", figures, "x"))  # noqa: S314 - our own
    name = "{http://www.w3.org/2000/svg}"
    strong, gateway = (float(bar.get("width", "")) for bar in drawn.iter(f"{name}rect"))
    assert gateway == pytest.approx(strong / 2)
    assert drawn.findtext(f"{name}title") == "<one>"


def test_the_page_has_a_place_for_what_is_measured() -> None:
    """What `--record` writes has one place in docs/performance.md."""
    placed = Table(PAGE, "measured", "| a |", by=WRITER).placed(PAGE.read_text(encoding="utf-8"))
    assert "\n| a |\n" in placed


@pytest.mark.parametrize(
    ("heard", "states", "sent", "fault"),
    [
        (["a"], {"a": "APPROVED", "b": "PENDING"}, 2, ""),
        (["a"], {"a": "CONFIRMED"}, 1, ""),
        (["a"], {"a": "PENDING"}, 1, "1 heard approved and not in the journal"),
        (["a"], {}, 1, "1 heard approved and not in the journal"),
        ([], {"a": "APPROVED"}, 0, "1 in the journal, 0 sent"),
        (["a", "a"], {"a": "APPROVED"}, 2, "an id was heard twice"),
    ],
)
def test_a_journal_must_hold_what_was_heard(
    tmp_path: Path, heard: list[str], states: dict[str, str], sent: int, fault: str
) -> None:
    """What callers heard approved is in the journal, and nothing that nobody sent."""
    file, ids = tmp_path / "journal.db", tmp_path / "ids"
    ids.write_text("\n".join(heard), encoding="ascii")
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE transactions (transaction_id TEXT, state TEXT)")
        database.executemany("INSERT INTO transactions VALUES (?, ?)", states.items())
        database.commit()
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        design = Serving("gateway", 0, process, f"sqlite:///{file}", heard=ids)
    assert check(design, sent) == fault


PARENT = """
import subprocess, sys
work = "sum(range(10**6)); print(flush=True); input()"
with subprocess.Popen([sys.executable, "-c", work], stdout=subprocess.PIPE) as child:
    child.stdout.readline()
    print(child.pid, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the bench reads costs as Linux tells them")
def test_a_childs_memory_and_time_are_counted() -> None:
    """A process costs what it and its children do, and one that is gone costs nothing."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        child_s, child_mib = costs.cpu_s(child), costs.memory_mib(child)
        assert costs.cpu_s(parent.pid) > child_s > 0
        assert costs.memory_mib(parent.pid) > child_mib > 0
        parent.communicate(b"\n")
    assert costs.cpu_s(parent.pid) == costs.memory_mib(parent.pid) == 0
