"""Simulated worlds keep every promise, and one seed makes one world."""

from __future__ import annotations

import pytest

from tests.crash.simulation import run_seed

SEEDS = 50
_GROUP = 10


@pytest.mark.parametrize("first", range(0, SEEDS, _GROUP))
def test_worlds_keep_their_promises(first: int) -> None:
    """Whatever fails in these worlds, no rule is broken and every transaction ends (rule 17)."""
    for seed in range(first, first + _GROUP):
        found = run_seed(seed)
        story = (
            "\n".join(str(event) for event in found.story(found.broken[0].subject)) if found.broken else ""
        )
        assert not found.broken, f"{story}\n{found.broken}\nreplay: python -m tests.crash --replay {seed}"


@pytest.mark.parametrize("seed", [2, 20, 29])
def test_one_seed_makes_one_world(seed: int) -> None:
    """The same seed gives the same events at the same virtual times, one by one (rule 18)."""
    assert run_seed(seed).events == run_seed(seed).events


def test_worlds_are_not_idle() -> None:
    """Worlds see faults of every kind, and transactions of every ending: else they prove nothing."""
    faults: set[str] = set()
    ends: set[str] = set()
    for seed in range(40):
        found = run_seed(seed)
        faults |= found.faults.keys()
        ends |= found.ends.keys()
    assert ends == {"CONFIRMED", "REVERSED", "DECLINED", "FAILED", "UNRESOLVED"}
    assert {"process stopped", "process paused", "journal away", "journal cut after a write"} <= faults
    assert {"refuse_connection", "drop_request", "drop_answer", "delay", "status", "html_502"} <= faults
