"""More callers than can be served: what is served all the same, and what the others hear."""

from __future__ import annotations

from tests.bench.compare.designs import GATEWAYS
from tests.bench.compare.journals import check
from tests.bench.compare.load import load
from tests.bench.compare.progress import say
from tests.bench.compare.rig import Rig, Serving
from tests.bench.compare.scale import Scale
from tests.bench.compare.sections import Row, Section
from tests.bench.compare.side_by_side import opened_rig, started

UNLOADED = 32
CONNECTIONS = 16
DEADLINE_S = 10
REFUSED = "ResourceExhausted"
SLICES_AS_LONG = 5
"""A crowd is looked at for longer than a slice, so that calls which time out are seen doing so."""


def measure(scale: Scale) -> Section:
    """Let ever more call, some of whom wait after a refusal and some do not."""
    rows: list[Row] = []
    faults: list[str] = []
    crowds = (UNLOADED, 2 * UNLOADED, 10 * UNLOADED, scale.crowd)
    for name in GATEWAYS:
        with opened_rig() as rig:
            (design,) = started(rig, [name])
            load(rig, design, UNLOADED, calls=500)
            sent = 500
            for callers, pause_s in [*((callers, 0.0) for callers in crowds), (scale.crowd, 0.5)]:
                say(f"{name}: {callers:,} callers, who wait {pause_s} s after a refusal")
                row, admitted = _one(rig, design, callers, pause_s, scale.seconds * SLICES_AS_LONG)
                rows.append(row)
                sent += admitted
            say("")
            if fault := check(design, sent):
                faults.append(f"journal of {name}: {fault}")
    return Section("Overload", rows, faults)


def _one(rig: Rig, design: Serving, callers: int, pause_s: float, seconds: float) -> tuple[Row, int]:
    one = load(
        rig,
        design,
        callers,
        connections=CONNECTIONS,
        lasting=f"{seconds}s",
        deadline=f"{DEADLINE_S}s",
        pause=f"{pause_s}s",
    )
    others = {kind: count for kind, count in one.wrong.items() if kind != REFUSED}
    row: Row = {
        "design": design.name,
        "callers": callers,
        "pause s": pause_s,
        "good a second": one.per_s,
        "p50 ms": one.ms("p50"),
        "p99 ms": one.ms("p99"),
        "refused": one.wrong.get(REFUSED, 0),
        "heard otherwise": ", ".join(f"{kind} {count:,}" for kind, count in others.items()),
        "MiB": design.memory_mib,
    }
    return row, one.good + sum(others.values())
