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
    "The journal has forgotten": "tests/gateway/pipeline/test_undecided.py",
    "A provider is paused": "tests/e2e/test_operators.py",
    "A confirmation is not delivered": "tests/e2e/test_runbook.py",
    "A reversal is stuck at a provider": "tests/e2e/test_runbook.py",
    "An approval is not decided": "tests/e2e/test_runbook.py",
    "The configuration was refused": "tests/gateway/test_reloading.py",
    "A process has too much to do": "tests/e2e/test_overload.py",
    "Something failed that should not have": "tests/gateway/telemetry/test_metrics.py",
    "A key has leaked": "tests/e2e/test_seal.py",
    "`giftcard.seal` is NOT_SERVING": "tests/e2e/test_seal.py",
    'A start ends with "not configured here"': "tests/e2e/test_seal.py",
    'A start ends with "kms.ID cannot be used", or "is not opened by"': "tests/e2e/test_kms.py",
}
"""Entries without a drill, and the tests that break the same with real processes."""


def drill(*entries: str) -> Callable[[Play], Play]:
    """Return a decorator for the play of these entries."""

    def kept(play: Play) -> Play:
        name = play.__name__.replace("_", "-")
        DRILLS[name] = Drill(name, entries, play)
        return play

    return kept
