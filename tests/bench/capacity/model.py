"""What the measured figures come to for more transactions a second: a model, not a measurement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from tests.bench.capacity.figures import Load, Measured
from tests.bench.compare.sections import Row, number, table

RATES = (100, 1_000, 10_000)
"""Transactions a second at the busiest moment; a transaction is one that is redeemed and confirmed."""
REFERENCE = "4 processes"
"""The way whose costs are multiplied: its processes have the fewest calls at once, and so small batches."""
ALONE = "1 process"
"""The way whose figures of one caller say what PostgreSQL costs where no two writes share a batch."""
BUSY_SHARE = 0.6
"""How much of a core is to be used at that moment."""
DAY_SHARE = 0.25
"""A day's average, as a share of its busiest moment: an assumption."""
RETENTION_DAYS = 400
BLOAT = 1.3
"""How much larger tables and indexes are than at their densest: an assumption."""
POOL_SIZE = 8
"""`journal.pool_size`; a process has one session more, to listen."""
METHODS = ("Redeem", "ConfirmRedeem")


class Bound(NamedTuple):
    """What one primary is assumed to give of something, and where that comes from."""

    name: str
    most: float
    source: str


CORES = Bound("cores of the primary", 32.0, "a common large server; 64 and more can be had")
WAL = Bound(
    "WAL of the primary, MB/s", 200.0, "what one disk and one line to a standby take all day with ease"
)
CONNECTIONS = Bound("sessions of the primary", 500.0, "more are possible, and cost more than they carry")
FREEZE_H = Bound(
    "hours in which 200 million transaction ids are used",
    24.0,
    "`autovacuum_freeze_max_age`: so often each table is looked through, and that must not take longer",
)
KEPT_TB = Bound("TB kept", 64.0, "a base backup of it takes a day at 800 MB/s; tables are parted by month")


class Need(NamedTuple):
    """One part of what a rate takes."""

    part: str
    amount: float
    bound: Bound | None = None
    is_least: bool = False
    """Whether less than the bound is too little, not more too much."""

    @property
    def primaries(self) -> float:
        """How many primaries this part alone would take; 0 where it takes none."""
        if self.bound is None:
            return 0.0
        return self.bound.most / self.amount if self.is_least else self.amount / self.bound.most


def needs(measured: Measured, rate: int) -> list[Need]:
    """Return what so many transactions a second take, by the figures of one run."""
    used = [max(_loads(measured, REFERENCE, method), key=_callers) for method in METHODS]
    alone = [min(_loads(measured, ALONE, method), key=_callers) for method in METHODS]
    gateway_cores = rate * sum(one.gateway_us for one in used) / 1e6 / BUSY_SHARE
    postgres_cores = rate * sum(one.postgres_us for one in used) / 1e6 / BUSY_SHARE
    alone_cores = rate * sum(one.postgres_us for one in alone) / 1e6 / BUSY_SHARE
    commits = rate * sum(one.commits for one in used)
    wal_mb = rate * sum(one.wal_bytes for one in used) / 1e6
    processes = math.ceil(gateway_cores)
    kept_tb = rate * DAY_SHARE * 86_400 * RETENTION_DAYS * measured.stored.kept * BLOAT / 1e12
    return [
        Need("gateway, cores", gateway_cores),
        Need("gateway, processes", float(processes)),
        Need("primary, cores", postgres_cores, CORES),
        Need("primary, cores if no two writes shared a batch", alone_cores),
        Need("primary, WAL in MB/s", wal_mb, WAL),
        Need("primary, commits a second", commits),
        Need(
            "primary, hours until 200 million ids are used", 200e6 / commits / 3_600, FREEZE_H, is_least=True
        ),
        Need("sessions without a pooler", float(processes * (POOL_SIZE + 1)), CONNECTIONS),
        Need(f"kept for {RETENTION_DAYS} days, TB", kept_tb, KEPT_TB),
    ]


def primaries(found: Sequence[Need]) -> int:
    """Return how many primaries, each with tenants of its own, so much takes."""
    return max(1, math.ceil(max(need.primaries for need in found)))


def first_to_break(found: Sequence[Need]) -> Need:
    """Return the part that comes to its bound first."""
    return max(found, key=lambda need: need.primaries)


def modelled_table(measured: Measured) -> str:
    """Return the table of what each rate takes."""
    by_rate = {rate: needs(measured, rate) for rate in RATES}
    rows: list[Row] = []
    for place, need in enumerate(by_rate[RATES[0]]):
        row: Row = {"part": need.part}
        row |= {f"{rate:,} a second": number(by_rate[rate][place].amount) for rate in RATES}
        row["one primary gives"] = _given(need)
        rows.append(row)
    weakest = {rate: first_to_break(found) for rate, found in by_rate.items()}
    told: dict[str, dict[int, str]] = {
        "what breaks first": {rate: need.part for rate, need in weakest.items()},
        "at so much of its bound": {rate: f"{100 * need.primaries:,.0f} %" for rate, need in weakest.items()},
        "primaries": {rate: f"{primaries(found)}" for rate, found in by_rate.items()},
    }
    for part, by in told.items():
        last: Row = {"part": part}
        last |= {f"{rate:,} a second": by[rate] for rate in RATES}
        rows.append(last | {"one primary gives": ""})
    return table(rows)


def measured_table(measured: Measured) -> str:
    """Return the table of what was measured, and where."""
    rows: list[Row] = [
        {
            "way": one.way,
            "call": one.method,
            "at once": one.callers,
            "a second": one.per_s,
            "p50 ms": one.p50_ms,
            "p99 ms": one.p99_ms,
            "gateway µs": one.gateway_us,
            "PostgreSQL µs": one.postgres_us,
            "standby or pooler µs": one.beside_us,
            "load maker µs": one.load_us,
            "provider µs": one.provider_us,
            "WAL bytes": one.wal_bytes,
            "commits": one.commits,
            "statements": one.statements,
        }
        for one in measured.loads
    ]
    stored = (
        f"A transaction that is redeemed and confirmed takes {number(measured.stored.written)} bytes of disk"
        f" when new, and {number(measured.stored.kept)} once its tables are as dense as can be."
    )
    return f"{measured.machine}\n\n{table(rows)}\n\n{stored}"


def bounds_table() -> str:
    """Return the table of what one primary is assumed to give."""
    rows: list[Row] = [
        {"bound": one.name, "assumed": number(one.most), "because": one.source}
        for one in (CORES, WAL, CONNECTIONS, FREEZE_H, KEPT_TB)
    ]
    return table(rows)


def _loads(measured: Measured, way: str, method: str) -> list[Load]:
    return [one for one in measured.loads if one.way == way and one.method == method]


def _callers(one: Load) -> int:
    return one.callers


def _given(need: Need) -> str:
    if need.bound is None:
        return ""
    return f"{'at least' if need.is_least else 'at most'} {number(need.bound.most)}"
