"""One Redeem: all designs, with few callers and with many."""

from __future__ import annotations

from tests.bench.compare.designs import BY_HAND
from tests.bench.compare.scale import Scale
from tests.bench.compare.sections import Section
from tests.bench.compare.side_by_side import SideBySide, opened_rig, started


def measure(scale: Scale) -> Section:
    """Play the designs side by side."""
    # The strong one last: it is the one that CPU time is compared with as well.
    references = [
        each for each in ("noop", "naive", "usual", "strong") if each in {*BY_HAND} & {*scale.designs}
    ]
    with opened_rig() as rig:
        run = SideBySide(rig, started(rig, scale.designs))
        run.warm()
        run.play(scale.rounds, scale.callers, scale.seconds)
        rows = run.rows(references)
        memory = {design.name: design.memory_mib for design in run.designs}
        for row in rows:
            row["MiB"] = memory[str(row["design"])]
        return Section("Redeem", rows, run.faults())
