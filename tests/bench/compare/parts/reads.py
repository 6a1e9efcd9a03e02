"""Reads, which only pass through: Balance and Lookup beside the strong server's."""

from __future__ import annotations

from tests.bench.compare.scale import Scale
from tests.bench.compare.sections import Row, Section
from tests.bench.compare.side_by_side import SideBySide, opened_rig, started

DESIGNS = ("strong", "gateway-sqlite", "gateway-postgres")


def measure(scale: Scale) -> Section:
    """Play them side by side, one method after the other."""
    rows: list[Row] = []
    faults: list[str] = []
    with opened_rig() as rig:
        designs = started(rig, DESIGNS)
        for method in ("Balance", "Lookup"):
            run = SideBySide(rig, designs, method=method)
            run.warm()
            run.play(scale.rounds, scale.callers, scale.seconds)
            rows += [{"method": method, **row} for row in run.rows(["strong"])]
            faults += run.faults()
    return Section("Reads", rows, faults)
