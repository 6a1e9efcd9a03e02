"""What a seed decides about its world before anything happens: how many processes, how much trouble.

The rates are drawn wide apart on purpose: a calm world shows other faults than a stormy one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

_STILL = 0.15
"""The share of worlds in which one kind of trouble does not happen at all."""


@dataclass(frozen=True)
class Plan:
    """One world, quiet unless drawn otherwise; durations in virtual seconds, odds from 0 to 1."""

    seed: int
    processes: int
    """1: a process on a journal of its own (SQLite), restarted when it dies. More: they share one journal."""
    sales: int = 0
    traffic_s: float = 0.0
    provider_odds: float = 0.0
    """How often an exchange goes wrong outside an outage."""
    provider_outages: int = 0
    forget_odds: float = 0.0
    """How often a provider loses a transaction before it is confirmed."""
    gr4vy_settles_after_s: float = 0.0
    """How late Gr4vy tells what came of a transaction or a refund."""
    are_repeats_duplicates: bool = False
    """Whether Electrum calls a repeated advice a duplicate, as its test server does."""
    remembers_reversals: bool = True
    """Whether Electrum refuses a request whose reversal came first."""
    settles_again: bool = False
    """Whether Electrum counts an advice under a fresh id once more, as its test server does."""
    journal_odds: float = 0.0
    """How often the journal loses the acknowledgement of a write."""
    journal_outages: int = 0
    stop_odds: float = 0.0
    """How often a process dies at a point it comes to."""
    strikes: int = 0
    """How often a process dies, or is paused, at any instant."""
    lag_odds: float = 0.0
    confirm_by_s: float = 60.0
    confirms_when_overdue: bool = False
    retry_cap_s: float = 60.0
    timeout_s: float = 5.0
    are_ids_shared: bool = False
    """Whether a second tenant makes the ids that the first one made."""

    @property
    def has_shared_journal(self) -> bool:
        """Tell whether several processes share the journal."""
        return self.processes > 1


def draw(seed: int) -> Plan:
    """Return the world of a seed."""
    chance = random.Random(f"{seed}/plan")

    def some(odds: float) -> float:
        return 0.0 if chance.random() < _STILL else chance.uniform(odds / 5, odds)

    return Plan(
        seed=seed,
        processes=chance.choice((1, 1, 2, 3)),
        sales=chance.randint(10, 22),
        traffic_s=chance.choice((30.0, 120.0, 600.0)),
        provider_odds=some(0.35),
        provider_outages=chance.randint(0, 3),
        forget_odds=chance.choice((0.0, 0.0, 0.2)),
        gr4vy_settles_after_s=chance.choice((0.0, 0.0, 3.0, 200.0)),
        are_repeats_duplicates=chance.random() < 0.3,
        remembers_reversals=chance.random() < 0.4,
        settles_again=chance.random() < 0.3,
        journal_odds=some(0.06),
        journal_outages=chance.randint(0, 2),
        stop_odds=some(0.015),
        strikes=chance.randint(0, 3),
        lag_odds=some(0.4),
        confirm_by_s=chance.choice((20.0, 60.0, 300.0)),
        confirms_when_overdue=chance.random() < 0.2,
        retry_cap_s=chance.choice((60.0, 300.0)),
        timeout_s=chance.choice((5.0, 20.0)),
        are_ids_shared=chance.random() < 0.5,
    )


def quiet(processes: int) -> Plan:
    """Return a world in which nothing goes wrong by itself."""
    return Plan(seed=0, processes=processes)
