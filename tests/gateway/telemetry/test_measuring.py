"""What is read off the journal for the metrics: arithmetic on its backlog."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from giftcard_adapters.contract import traits
from giftcard_adapters.values.outcomes import Outcome
from giftcard_adapters.values.traits import Ending, Guarantee
from giftcard_gateway.journal.contract import Backlog, Due
from giftcard_gateway.process.measuring import lags, windows_left
from giftcard_gateway.providers.connections import Connection, Terms
from tests.world.clock import ShiftedClock
from tests.world.provider import Scripted

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Windowed(Scripted):
    """Takes the reversal of a redemption for two hours, and of an activation for a day."""

    @traits(Guarantee.NATIVE, Ending.REVERSE, reversal_window_s=7200.0)
    async def redeem(self, ask: object) -> Outcome:
        """Never asked."""
        raise NotImplementedError

    @traits(Guarantee.NATIVE, Ending.REVERSE, reversal_window_s=86400.0)
    async def activate(self, ask: object) -> Outcome:
        """Never asked."""
        raise NotImplementedError


def test_the_closest_window_is_told() -> None:
    """What is left is of the shortest window, for the oldest reversal; a closed one is below zero."""
    clock = ShiftedClock()
    windowed = Connection("windowed", Windowed.open(clock), Terms(), clock)
    endless = Connection("endless", Scripted.open(clock), Terms(), clock)

    def left(state: str, age: timedelta) -> dict[tuple[str, ...], float]:
        ids = ("windowed", "endless", "configured-no-more")
        rows = [Backlog(provider=one, state=state, count=1, oldest_at=NOW - age) for one in ids]
        return windows_left([windowed, endless], rows, NOW)

    assert left("REVERSING", HOUR) == {("windowed",): 3600.0}
    assert left("REVERSING", 3 * HOUR) == {("windowed",): -3600.0}
    assert left("CONFIRMING", HOUR) == {}


def test_the_longest_delay_is_told() -> None:
    """Of each provider the work that has been due longest counts, and what is not due yet is zero."""
    dues = [
        Due(provider=provider, state=state, due_at=NOW - late)
        for provider, state, late in (
            ("a", "CONFIRMING", HOUR),
            ("a", "REVERSING", 2 * HOUR),
            ("b", "APPROVED", -HOUR),
        )
    ]
    assert lags(dues, NOW) == {("a",): 7200.0, ("b",): 0.0}
