"""What a capacity run measured, and where its last record is kept; what follows from it is in `model`."""

from __future__ import annotations

from pathlib import Path

import msgspec

KEPT = Path(__file__).with_name("measured.json")


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """One way under one kind of load. All but the rate and the times are for one call."""

    way: str
    method: str
    callers: int
    per_s: float
    p50_ms: float
    p99_ms: float
    gateway_us: float
    """CPU microseconds, user and system, of all gateway processes."""
    postgres_us: float
    """CPU microseconds of the primary with all its processes."""
    beside_us: float
    """CPU microseconds of the standby or of the pooler, where there is one."""
    load_us: float
    """CPU microseconds of the program that makes the calls."""
    provider_us: float
    wal_bytes: float
    commits: float
    """Database transactions that wrote something."""
    statements: float
    """What PostgreSQL was asked: each is a round trip, two through a pooler, where none stays prepared."""


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What a confirmed transaction takes on the primary's disk, in bytes."""

    written: float
    """While it is new: with old versions of its rows that nobody has cleaned up yet."""
    kept: float
    """After `VACUUM FULL`: rows and indexes as dense as they can be."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One whole run."""

    machine: str
    """When, on what, and whether others used it."""
    loads: tuple[Load, ...]
    stored: Stored


def kept() -> Measured:
    """Return what was recorded last."""
    return msgspec.json.decode(KEPT.read_bytes(), type=Measured)


def keep(measured: Measured) -> None:
    """Record a run: `make tables` writes its tables."""
    KEPT.write_bytes(msgspec.json.format(msgspec.json.encode(measured)) + b"\n")
