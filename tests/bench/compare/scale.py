"""How much is measured: everything, or what two minutes allow."""

from __future__ import annotations

import msgspec

from tests.bench.compare.designs import ALL


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how often; each part takes what it needs of it."""

    designs: tuple[str, ...] = ALL
    callers: tuple[int, ...] = (1, 32, 128)
    rounds: int = 5
    seconds: float = 2.0
    """How long a design is loaded in a round."""
    calls: int = 2000
    """How many transactions follow-ups and recovery work on."""
    rows: tuple[int, ...] = (10_000, 1_000_000)
    """How many finished rows a journal grows to."""
    transactions: int = 200_000
    """Over how many the memory is watched."""
    crowd: int = 2000
    """How many callers are too many."""


QUICK = Scale(callers=(32,), rounds=3, seconds=1.5)
