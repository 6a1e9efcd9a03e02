"""Leases are renewed each in its own time, though one timer serves all."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec
from hypothesis import given
from hypothesis import strategies as some

from giftcard_adapters.values.operations import Operation
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.ledger.observer import Observer
from giftcard_gateway.pipeline.leases import Leases
from tests.world.clock import VirtualClock, run

if TYPE_CHECKING:
    from giftcard_gateway.journal.records import Records


class Hold(msgspec.Struct, frozen=True):
    """One step: when it begins, how long it and its lease last, in quarters of a second."""

    begins: int
    lasts: int
    lease: int


HOLDS = some.lists(some.builds(Hold, some.integers(0, 40), some.integers(1, 90), some.integers(2, 30)))


class Renewed:
    """Stands for the records: has every entry as it was, and notes when one was renewed."""

    def __init__(self, clock: VirtualClock) -> None:
        """Read `clock`."""
        self._clock = clock
        self.entries: dict[str, Entry] = {}
        self.at: dict[str, list[float]] = defaultdict(list)

    async def get(self, transaction_id: str) -> Entry | None:
        """Return an entry."""
        return self.entries[transaction_id]

    async def write(self, entry: Entry) -> Entry | None:
        """Note a renewal."""
        self.at[entry.transaction_id].append(self._clock.monotonic_s())
        return entry


def expected(hold: Hold) -> list[float]:
    """Return when this step's lease is to be renewed: after each half of it, while it is held."""
    begins, ends, half = hold.begins / 4, (hold.begins + hold.lasts) / 4, hold.lease / 8
    times = [begins + half * n for n in range(1, 1000)]
    return [at for at in times if at < ends]


@given(holds=HOLDS)
def test_every_lease_is_renewed_in_its_time(holds: list[Hold]) -> None:
    """A lease is renewed at its half and each half later, whatever else is held, until it is dropped."""

    async def play(clock: VirtualClock) -> dict[str, list[float]]:
        renewed = Renewed(clock)
        leases = Leases(
            "here", records=cast("Records", cast("Any", renewed)), clock=clock, observer=Observer()
        )

        async def step(name: str, hold: Hold) -> None:
            await asyncio.sleep(hold.begins / 4)
            at, length = clock.now(), timedelta(seconds=hold.lease / 4)
            entry = Entry(
                transaction_id=name,
                operation=Operation.REDEEM,
                state=State.PENDING,
                created_at=at,
                updated_at=at,
                due_at=at + length,
                driver="here",
            )
            renewed.entries[name] = entry
            held = leases.keep(entry, length)
            # A hair less, so that no renewal falls on the very moment in which it is dropped.
            await asyncio.sleep(hold.lasts / 4 - 0.001)
            leases.drop(held)

        await asyncio.gather(*(step(str(n), hold) for n, hold in enumerate(holds)))
        return renewed.at

    seen = run(1, play)
    for n, hold in enumerate(holds):
        assert [round(at, 3) for at in seen[str(n)]] == [round(at, 3) for at in expected(hold)]
