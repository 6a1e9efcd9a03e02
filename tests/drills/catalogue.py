"""Which drills there are, and which entries of the runbook each drills."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.drills.stage import Stage

Play = Callable[[Stage], None]


class Drill(NamedTuple):
    """One drill: its name on the command line, the entries that it plays, and the play."""

    name: str
    entries: tuple[str, ...]
    play: Play


DRILLS: dict[str, Drill] = {}
PROVED_ELSEWHERE = {
    # Two databases that went apart are played by tests/crash/failover, with patroni.
    "The journal has forgotten": "tests/gateway/pipeline/test_undecided.py",
    # Nothing is broken: the hostile provider's drill pauses and resumes one.
    "A provider is paused": "tests/e2e/test_operators.py",
    # Lateness comes of too little CPU, which a drill would have to keep from everybody beside it.
    "A process has too much to do": "tests/e2e/test_overload.py",
    # It takes a fault of our own, and a drill that plants one drills another program.
    "Something failed that should not have": "tests/gateway/telemetry/test_metrics.py",
    # A software HSM is on few machines, and setting one up is most of its test.
    'A start ends with "kms.ID cannot be used", or "is not opened by"': "tests/e2e/test_kms.py",
}
"""Entries without a drill, each with its reason, and the tests that break the same with real processes."""


def drill(*entries: str) -> Callable[[Play], Play]:
    """Return a decorator for the play of these entries."""

    def kept(play: Play) -> Play:
        name = play.__name__.replace("_", "-")
        DRILLS[name] = Drill(name, entries, play)
        return play

    return kept
