"""No clock runs while nobody could act: what an outage takes from callers' time to decide (rule 10)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import cast

from giftcard_gateway.journal.contract import Journal
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.ledger.grace import Outage
from giftcard_gateway.ledger.observer import Observer
from giftcard_gateway.pipeline.heartbeat import Heartbeat
from giftcard_gateway.providers.connections import Terms
from tests.gateway.pipeline.conftest import Start
from tests.world.clock import ShiftedClock, VirtualClock
from tests.world.gateway import World, running, sweeping
from tests.world.journal import Unsteady
from tests.world.observer import Heard

CONFIRM_BY_S = 8.0
TERMS = Terms(confirm_by_s=CONFIRM_BY_S)
GRACE_S = TERMS.confirm_grace_s


async def beat(world: World) -> None:
    """Beat as readiness does."""
    while True:
        await world.pipeline.heartbeat.beat()
        await asyncio.sleep(2)


async def approved(world: World, count: int = 3) -> list[Entry]:
    """Get approvals that wait for their caller to decide."""
    return [await world.begin(world.redeem()) for _ in range(count)]


async def states(world: World, entries: list[Entry]) -> set[State]:
    """Return the states these are in now."""
    return {(await world.entry(entry.transaction_id)).state for entry in entries}


async def test_queued_confirmations_come_before_the_clock(start: Start) -> None:
    """Three sales that came due while the gateway was down are confirmed by their till after the start."""
    first = await start(terms=TERMS)
    async with sweeping(first):
        sales = await approved(first)
        await asyncio.sleep(1)
    await asyncio.sleep(12)
    second = await start(terms=TERMS)
    async with sweeping(second):
        await asyncio.sleep(1)
        assert await states(second, sales) == {State.APPROVED}
        for sale in sales:
            assert (await second.confirm(sale)).state is State.CONFIRMED


async def test_grace_is_told_and_ends(start: Start) -> None:
    """`confirm_by` says until when a caller may still decide; then it is decided, and not put off again."""
    first = await start(terms=TERMS)
    async with sweeping(first):
        (sale,) = await approved(first, 1)
        await asyncio.sleep(1)
    await asyncio.sleep(12)
    second = await start(terms=TERMS)
    began = second.clock.now()
    async with sweeping(second):
        await asyncio.sleep(1)
        told = await second.entry(sale.transaction_id)
        assert told.confirm_by == began + timedelta(seconds=GRACE_S)
        await asyncio.sleep(GRACE_S - 2)
        assert await states(second, [sale]) == {State.APPROVED}
        await asyncio.sleep(1.1)
        ended = await second.entry(sale.transaction_id)
    assert (ended.state, ended.confirm_by) == (State.REVERSED, told.confirm_by)


async def test_long_outage_gives_as_long(start: Start) -> None:
    """An hour in which nobody could decide gives an hour, not only the least grace."""
    first = await start(terms=TERMS)
    async with sweeping(first):
        (sale,) = await approved(first, 1)
    await asyncio.sleep(3600)
    second = await start(terms=TERMS)
    async with sweeping(second):
        await asyncio.sleep(3590)
        assert await states(second, [sale]) == {State.APPROVED}
        await asyncio.sleep(15)
        assert await states(second, [sale]) == {State.REVERSED}


async def test_replica_that_stayed_means_no_grace(start: Start) -> None:
    """Where another process lived on, callers could decide: nothing is put off by the death of one."""
    first, second = await start(terms=TERMS), await start(terms=TERMS)
    async with sweeping(second):
        async with sweeping(first):
            (sale,) = await approved(first, 1)
        await asyncio.sleep(CONFIRM_BY_S + 0.1)
        assert await states(second, [sale]) == {State.REVERSED}
        third = await start(terms=TERMS)
        async with sweeping(third):
            (other,) = await approved(third, 1)
            await asyncio.sleep(CONFIRM_BY_S + 0.1)
            assert await states(second, [other]) == {State.REVERSED}


async def test_journal_that_was_away_is_an_outage(start: Start, journal: Unsteady) -> None:
    """What came due while the journal was away may still be decided after its return."""
    world = await start(terms=TERMS)
    async with sweeping(world):
        sales = await approved(world)
        await asyncio.sleep(1)
        journal.away = {"all"}
        await asyncio.sleep(30)
        journal.away = set()
        await asyncio.sleep(5)
        assert await states(world, sales) == {State.APPROVED}
        for sale in sales:
            assert (await world.confirm(sale)).state is State.CONFIRMED
    assert not world.heard.faults


async def test_outage_gives_nothing_to_later_approvals(start: Start) -> None:
    """What was approved after an outage has its usual time."""
    first = await start(terms=TERMS)
    async with sweeping(first):
        await asyncio.sleep(3)
    await asyncio.sleep(12)
    second = await start(terms=TERMS)
    async with sweeping(second):
        await asyncio.sleep(0.5)
        (sale,) = await approved(second, 1)
        await asyncio.sleep(CONFIRM_BY_S + 0.1)
        ended = await second.entry(sale.transaction_id)
    assert (ended.state, ended.confirm_by) == (State.REVERSED, sale.confirm_by)


async def test_restarts_put_nothing_off_for_ever(start: Start) -> None:
    """A gateway that dies every few minutes gives a caller one grace and the time it was away, no more."""
    began = (await start(terms=TERMS)).clock.now()
    world = await start(terms=TERMS)
    async with sweeping(world):
        (sale,) = await approved(world, 1)
        await asyncio.sleep(5)
    away_s = 0.0
    for _ in range(5):
        await asyncio.sleep(7)
        away_s += 7
        world = await start(terms=TERMS)
        async with sweeping(world):
            await asyncio.sleep(0.8 * GRACE_S)
            if await states(world, [sale]) == {State.REVERSED}:
                break
    ended = await world.entry(sale.transaction_id)
    assert ended.state is State.REVERSED
    could_decide = ended.changes[-1].at - began - timedelta(seconds=away_s)
    assert could_decide <= timedelta(seconds=CONFIRM_BY_S + GRACE_S + 2)


async def test_second_outage_does_not_undo_the_first(start: Start) -> None:
    """Whom a night took from has that night, also when the gateway is restarted in the morning."""
    terms = Terms(confirm_by_s=9 * 3600.0)
    first = await start(terms=terms)
    async with sweeping(first):
        (sale,) = await approved(first, 1)
        await asyncio.sleep(10)
    await asyncio.sleep(8 * 3600)
    for _ in range(2):
        again = await start(terms=terms)
        async with sweeping(again):
            await asyncio.sleep(1200)
        await asyncio.sleep(7)
    last = await start(terms=terms)
    async with sweeping(last):
        await asyncio.sleep(8 * 3600)
        assert await states(last, [sale]) == {State.APPROVED}
        await asyncio.sleep(3600)
        assert await states(last, [sale]) == {State.REVERSED}


async def test_second_outage_forgets_nobody(start: Start) -> None:
    """A gateway that dies again before it could look at everything still owes the first outage's grace."""
    first = await start(terms=TERMS)
    async with sweeping(first):
        sales = await approved(first, 20)
    for _ in range(3):
        await asyncio.sleep(12)
        again = await start(terms=TERMS)
        # It gets as far as its first beat.
        await again.pipeline.heartbeat.beat()
    last = await start(terms=TERMS)
    async with sweeping(last):
        await asyncio.sleep(60)
        assert await states(last, sales) == {State.APPROVED}
        await asyncio.sleep(GRACE_S)
        assert await states(last, sales) == {State.REVERSED}


async def test_slow_sweep_is_no_outage(start: Start) -> None:
    """While readiness beats, a sweep that takes its time between rounds puts nothing off."""
    world = await start(terms=TERMS)
    world.recovery.idle = timedelta(minutes=1)
    async with running(beat(world)), sweeping(world):
        (sale,) = await approved(world, 1)
        await asyncio.sleep(60)
        assert world.pipeline.heartbeat.outage is None
        assert await states(world, [sale]) == {State.REVERSED}


async def test_only_process_of_a_journal_counts_every_second(clock: VirtualClock, journal: Unsteady) -> None:
    """Where one process has the journal, its start ends an outage however short."""
    before, after = Heartbeat(journal, clock, Observer()), Heartbeat(journal, clock, Observer())
    await before.beat()
    await asyncio.sleep(1)
    await after.beat()
    assert after.outage is not None
    assert after.outage.lost_in_all == timedelta(seconds=1)


class Replaced:
    """A journal whose beats are those of a copy: the last one before it took over was at `since`."""

    is_shared = True

    def __init__(self, since: datetime) -> None:
        """Have been nowhere else yet."""
        self.since = since
        self.outage: Outage | None = None
        self.beats: list[datetime] = []

    async def beat(self, now: datetime, *, silence: timedelta) -> Outage | None:
        """Tell of the last outage, as a journal does."""
        del silence
        self.beats.append(now)
        return self.outage

    def take_over(self, at: datetime) -> None:
        """Let the copy lead."""
        self.outage = Outage(since=self.since, until=at, lost_in_all=at - self.since)


async def test_a_journal_that_forgot_is_told(clock: VirtualClock) -> None:
    """A copy whose last beat is older than one that a process wrote takes the journal's place: once told."""
    heard, journal = Heard(clock), Replaced(clock.now())
    heartbeat = Heartbeat(cast("Journal", journal), clock, heard)
    await asyncio.sleep(4)
    await heartbeat.beat()
    await asyncio.sleep(10)
    journal.take_over(clock.now())
    for _ in range(3):
        await heartbeat.beat()
        await asyncio.sleep(3)
    assert heard.journal == ["forgot 4 s"]


async def test_an_outage_alone_is_no_loss_of_memory(clock: VirtualClock, journal: Unsteady) -> None:
    """A journal that was away and comes back as it was forgot nothing, whoever of two notices first."""
    heard = Heard(clock)
    ours, theirs = Heartbeat(journal, clock, heard), Heartbeat(journal, clock, heard)
    await ours.beat()
    await asyncio.sleep(3)
    await theirs.beat()
    await asyncio.sleep(60)
    await ours.beat()
    await theirs.beat()
    assert ours.outage is not None
    assert heard.journal == []


async def test_a_clock_that_is_put_right_goes_on_beating() -> None:
    """Put back by an hour, it beats at once; an outage since then is no memory lost of the hour ahead."""
    clock = ShiftedClock()
    heard, journal = Heard(clock), Replaced(clock.now())
    heartbeat = Heartbeat(cast("Journal", journal), clock, heard)
    clock.skip(hours=1)
    await heartbeat.beat()
    clock.skip(hours=-1)
    await heartbeat.beat()
    assert len(journal.beats) == 2
    journal.since = journal.beats[1]
    clock.skip(hours=2)
    journal.take_over(clock.now())
    await heartbeat.beat()
    assert heard.journal == []
