"""What is owed when a provider comes back: how fast confirmations that it missed reach it."""

from __future__ import annotations

import time
from collections import Counter

from tests.bench.compare.designs import GATEWAYS
from tests.bench.compare.journals import states
from tests.bench.compare.load import load
from tests.bench.compare.progress import say
from tests.bench.compare.rig import Rig, Serving
from tests.bench.compare.scale import Scale
from tests.bench.compare.sections import Row, Section
from tests.bench.compare.side_by_side import opened_rig, started

CALLERS = 32
PATIENCE_S = 600.0
_LOOK_EVERY_S = 0.25


def measure(scale: Scale) -> Section:
    """Take the provider away, have everything confirmed, and bring it back."""
    rows: list[Row] = []
    faults: list[str] = []
    for name in GATEWAYS:
        with opened_rig() as rig:
            (design,) = started(rig, [name])
            row, fault = _one(rig, design, scale.calls)
            rows.append(row)
            faults += [f"{name}: {fault}"] if fault else []
    return Section("Recovery after a provider's return", rows, faults)


def _one(rig: Rig, design: Serving, calls: int) -> tuple[Row, str]:
    say(f"{design.name}: {calls} confirmations for a provider that is away")
    load(rig, design, CALLERS, calls=calls)
    rig.provider_ends()
    load(rig, design, CALLERS, method="ConfirmRedeem", ids=design.heard, state=0)
    owed = Counter(states(design.journal).values())["CONFIRMING"]
    rig.provider_starts()
    began, before_s = time.monotonic(), design.cpu_s
    done: list[tuple[float, int]] = []
    while not done or done[-1][1] < calls:
        time.sleep(_LOOK_EVERY_S)
        confirmed = Counter(states(design.journal).values())["CONFIRMED"]
        done.append((time.monotonic() - began, confirmed))
        say(f"{design.name}: {confirmed} of {calls} confirmed")
        if done[-1][0] > PATIENCE_S:
            break
    say("")
    first_s = next((after_s for after_s, confirmed in done if confirmed > calls - owed), done[-1][0])
    row: Row = {
        "design": design.name,
        "owed": owed,
        "first after s": first_s,
        "all after s": done[-1][0],
        "a second": owed / done[-1][0],
        "CPU µs each": (design.cpu_s - before_s) / max(owed, 1) * 1e6,
    }
    left = calls - done[-1][1]
    return row, f"{left} not confirmed after {PATIENCE_S:.0f} s" if left else ""
