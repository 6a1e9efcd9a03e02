"""Several processes on one port and one PostgreSQL, beside one."""

from __future__ import annotations

from tests.bench.compare.designs import gateway
from tests.bench.compare.progress import say
from tests.bench.compare.scale import Scale
from tests.bench.compare.sections import Section
from tests.bench.compare.side_by_side import SideBySide, opened_rig

COUNTS = (1, 2, 4)
CALLERS, CONNECTIONS = 64, 16
"""Connections are what the kernel spreads over the processes, so there are more of them than elsewhere."""


def measure(scale: Scale) -> Section:
    """Play one, two and four workers side by side."""
    with opened_rig() as rig:
        designs = []
        for count in COUNTS:
            say(f"starting {count} workers")
            designs.append(gateway(rig, f"workers-{count}", "postgres", workers=count))
        run = SideBySide(rig, designs, connections=CONNECTIONS)
        run.warm()
        run.play(scale.rounds, [CALLERS], scale.seconds)
        rows = run.rows(["workers-1"])
        for row, design in zip(rows, designs, strict=True):
            row["MiB"] = design.memory_mib
        return Section("Workers", rows, run.faults())
