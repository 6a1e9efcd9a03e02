"""What follows a Redeem: the CPU time of ConfirmRedeem and of ReverseRedeem beside its own."""

from __future__ import annotations

import random
from pathlib import Path

from tests.bench.compare.designs import GATEWAYS
from tests.bench.compare.journals import states
from tests.bench.compare.load import Slice, load
from tests.bench.compare.progress import say
from tests.bench.compare.rig import Rig, Serving
from tests.bench.compare.scale import Scale
from tests.bench.compare.sections import Row, Section, Spread
from tests.bench.compare.side_by_side import cost_us, opened_rig, started

CALLERS = 32
METHODS = ("ConfirmRedeem", "ReverseRedeem")
ENDS = {"CONFIRMED", "REVERSED"}


def measure(scale: Scale) -> Section:
    """Redeem, then confirm one half and reverse the other; again and again."""
    rows: list[Row] = []
    faults: list[str] = []
    with opened_rig() as rig:
        designs = started(rig, GATEWAYS)
        seen = {
            design.name: [_round(rig, design, scale, number) for number in range(scale.rounds)]
            for design in designs
        }
        for design in designs:
            rounds = seen[design.name]
            for method in ("Redeem", *METHODS):
                slices = [each[method] for each in rounds]
                rows.append(
                    {
                        "design": design.name,
                        "method": method,
                        "vs Redeem, CPU": Spread.of(
                            cost_us(each[method]) / cost_us(each["Redeem"]) for each in rounds
                        ),
                        "a second": Spread.of(one.per_s for one in slices),
                        "p50 ms": Spread.of(one.ms("p50") for one in slices),
                        "CPU µs": Spread.of(one.cpu_us for one in slices),
                        "PostgreSQL µs": Spread.of(one.postgres_us for one in slices),
                    }
                )
                faults += [f"{design.name}, {method}: {one.wrong}" for one in slices if one.wrong]
            left = sum(state not in ENDS for state in states(design.journal).values())
            faults += [f"{design.name}: {left} are neither confirmed nor reversed"] if left else []
    return Section("Confirmations and reversals", rows, faults)


def _round(rig: Rig, design: Serving, scale: Scale, number: int) -> dict[str, Slice]:
    say(f"round {number + 1} of {scale.rounds}: confirmations and reversals, {design.name}")
    heard = rig.folder / f"{design.name}-{number}.ids"
    seen = {"Redeem": load(rig, design, CALLERS, calls=scale.calls, told=heard)}
    ids = heard.read_text(encoding="ascii").split()
    half = len(ids) // 2
    for method, mine in random.sample([*zip(METHODS, (ids[:half], ids[half:]), strict=True)], 2):
        file = Path(f"{heard}-{method}")
        file.write_text("\n".join(mine), encoding="ascii")
        seen[method] = load(rig, design, CALLERS, method=method, ids=file)
    return seen
