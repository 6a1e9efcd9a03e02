"""What becomes of the figures: JSON, a page, a chart, and the tables of docs/performance.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tests.bench.compare.chart import bars
from tests.bench.compare.rig import ROOT
from tests.bench.compare.scale import Scale
from tests.bench.compare.sections import Section, Spread
from tests.house.tables import Table

PAGE = ROOT / "docs/performance.md"
CHART = ROOT / "docs/performance.svg"
WRITER = "make bench ARGS=--record"
_BUSY_FROM = 1.0


def machine() -> str:
    """Say when this is, on what, and whether others use it."""
    said = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next(
        (line.partition(": ")[2] for line in said if line.startswith("model name")), platform.machine()
    )
    load = os.getloadavg()[0]
    text = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {os.cpu_count()} cores, {model}; "
    text += f"Python {platform.python_version()}; "
    if load < _BUSY_FROM:
        return f"{text}nothing else ran."
    return (
        f"{text}load average {load:.0f} before: others used the machine, so only order and CPU ratios hold."
    )


def write(folder: Path, machine: str, scale: Scale, sections: Mapping[str, Section]) -> None:
    """Write results.json, results.txt and redeem.svg into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"machine": machine, "scale": scale, "sections": sections}
    (folder / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(whole)) + b"\n")
    (folder / "results.txt").write_text(page(machine, sections), encoding="utf-8")
    if "redeem" in sections:
        (folder / "redeem.svg").write_text(chart(sections["redeem"], machine), encoding="utf-8")


def page(machine: str, sections: Mapping[str, Section]) -> str:
    """Return all tables, and where they come from."""
    return f"{machine}\n\n" + "\n".join(section.markdown() for section in sections.values())


def chart(redeem: Section, machine: str) -> str:
    """Draw how many Redeems a second each design answers beside the strong one, where most call at once."""
    callers = [row["at once"] for row in redeem.rows if isinstance(row["at once"], int)]
    shown = 32 if 32 in callers else callers[-1]
    rows = [row for row in redeem.rows if row["at once"] == shown]
    column = next(name for name in reversed(rows[0]) if name.startswith("vs ") and "CPU" not in name)
    found = {str(row["design"]): one for row in rows if isinstance(one := row[column], Spread)}
    return bars(f"Redeems a second, {column}, {shown} at once", found, machine)


def record(machine: str, sections: Mapping[str, Section]) -> None:
    """Put the tables and the chart into the documentation."""
    table = Table(PAGE, "measured", page(machine, sections), by=WRITER)
    PAGE.write_text(table.placed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    if "redeem" in sections:
        CHART.write_text(chart(sections["redeem"], machine), encoding="utf-8")
