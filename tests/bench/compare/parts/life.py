"""How a gateway lives: how long it takes to serve, what it holds and costs idle, and whether it grows."""

from __future__ import annotations

import time

from tests.bench.compare.designs import GATEWAYS
from tests.bench.compare.journals import check
from tests.bench.compare.load import load
from tests.bench.compare.progress import say
from tests.bench.compare.rig import Rig
from tests.bench.compare.scale import Scale
from tests.bench.compare.sections import Row, Section, Spread
from tests.bench.compare.side_by_side import opened_rig, started

DESIGNS = ("noop", "strong", *GATEWAYS)
CALLERS = 32
STEPS = 10
SETTLE_S, IDLE_S = 2.0, 3.0


def start(scale: Scale) -> Section:
    """Start designs again and again, and look at them while nobody calls."""
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in DESIGNS}
    for _ in range(scale.rounds):
        for name in DESIGNS:
            with opened_rig() as rig:
                seen[name].append(_start(rig, name))
    say("")
    rows: list[Row] = [
        {"design": name, **{what: Spread.of(one[what] for one in rounds) for what in rounds[0]}}
        for name, rounds in seen.items()
    ]
    return Section("Start and idle", rows)


def _start(rig: Rig, name: str) -> dict[str, float]:
    (design,) = started(rig, [name])
    began_cpu_s = design.cpu_s
    time.sleep(SETTLE_S)
    memory_mib, idle_cpu_s = design.memory_mib, design.cpu_s
    time.sleep(IDLE_S)
    return {
        "serves after s": design.started_s,
        "CPU s until then": began_cpu_s,
        "idle MiB": memory_mib,
        "idle, cores": (design.cpu_s - idle_cpu_s) / IDLE_S,
    }


def memory(scale: Scale) -> Section:
    """Watch what gateways hold over many transactions."""
    rows: list[Row] = []
    faults: list[str] = []
    step = scale.transactions // STEPS
    with opened_rig() as rig:
        designs = started(rig, GATEWAYS)
        rows.append({"transactions": 0, **{f"{one.name}, MiB": one.memory_mib for one in designs}})
        for number in range(1, STEPS + 1):
            row: Row = {"transactions": number * step}
            for design in designs:
                say(f"{design.name}: {number * step:,} of {scale.transactions:,} transactions")
                one = load(rig, design, CALLERS, calls=step)
                faults += [f"{design.name}: {one.wrong}"] if one.wrong else []
                row[f"{design.name}, MiB"] = design.memory_mib
            rows.append(row)
        say("")
        checked = {design.name: check(design, step * STEPS) for design in designs}
    faults += [f"journal of {name}: {fault}" for name, fault in checked.items() if fault]
    return Section("Memory", rows, faults)
