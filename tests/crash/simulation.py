"""One seed, one world: callers, gateways, providers and everything that goes wrong, in virtual time.

`run_seed` gives back what was found. The same seed gives the same events, one by one.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter as Count
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.values.operations import Issue
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import RecordAltered
from giftcard_gateway.journal.records import Records
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.ledger.tenants import key_of
from tests.crash.agreement import judge, why_unresolved
from tests.crash.callers import Assortment, Caller
from tests.crash.chronicle import WORLD, Chronicle, Event
from tests.crash.gateway import NIGHT_IDLE, Cluster, World
from tests.crash.life import adopt_tasks
from tests.crash.plan import Plan, draw
from tests.crash.providers import ELECTRUM, open_counters
from tests.crash.store import ENDED, Auditor, Store
from tests.crash.weather import Weather
from tests.crash.witness import Broken, Witness
from tests.world import clock as virtual
from tests.world.gateway import seal

if TYPE_CHECKING:
    from giftcard_gateway.journal.contract import Row
    from tests.world.clock import VirtualClock

SECOND = msgspec.structs.replace(LOCAL, tenant="second")
"""A tenant that makes the very ids that the tenant `default` made before it, for sales of its own."""

_SOON_S = 2 * 3600.0
"""Longer than any backoff and any `confirm_by`: what is owed then can only be looked for."""
_LOOK_S = 60.0
_LONGEST_END_S = 80 * 3600.0
"""Gr4vy is asked for 23 hours and looked at for 24 more; GatePay is looked at for 24."""


@dataclass
class Found:
    """What one seed showed."""

    plan: Plan
    broken: list[Broken] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    faults: Count[str] = field(default_factory=Count)
    ends: Count[str] = field(default_factory=Count)
    unresolved: Count[str] = field(default_factory=Count)
    virtual_s: float = 0.0

    def story(self, subject: str) -> list[Event]:
        """Return the events of one transaction and of the world meanwhile."""
        if not subject:
            return self.events
        return [event for event in self.events if event.subject in {subject, WORLD}]


def run_seed(seed: int) -> Found:
    """Play one world through and judge it."""
    return virtual.run(seed, lambda clock: _play(draw(seed), clock))


async def _play(plan: Plan, clock: VirtualClock) -> Found:
    async with open_stage(plan, clock) as stage:
        mischief = asyncio.ensure_future(_mischief(stage.world, stage.cluster))
        callers = _callers(stage.world, stage.cluster)
        await asyncio.gather(*(_arrive(caller, at_s) for caller, at_s in callers))
        await mischief
        stage.world.weather.calm()
        await stage.settle()
        await asyncio.gather(*(caller.check() for caller, _ in callers))
        await stage.settle()
        return await stage.judge()


@dataclass
class Stage:
    """A world with its processes running."""

    world: World
    cluster: Cluster

    async def settle(self) -> None:
        """Let time pass until nothing is owed, or longer than anything may take."""
        # Rule 10 gives callers back the time an outage took; none is longer than the world is old.
        await self._wait(_SOON_S + self.world.clock.monotonic_s())
        owed = self._owed()
        for subject, row in owed.items():
            if row.state != State.PENDING or row.provider == ELECTRUM:
                self.world.witness.blame(subject, f"still {row.state} long after all faults ended")
        if owed:
            self.world.idle = NIGHT_IDLE
            self.cluster.restart()
            await self._wait(_LONGEST_END_S)

    async def _entry(self, records: Records, transaction_id: str) -> Entry:
        try:
            entry = await records.get(transaction_id)
        except RecordAltered:
            self.world.witness.blame(transaction_id, "its record is not as it was last written")
            entry = await records.show(transaction_id)
        if entry is None:
            raise AssertionError("a row the auditor saw written is gone")
        return entry

    async def judge(self) -> Found:
        """Say what was found."""
        world = self.world
        records = Records(world.store, seal(world.clock))
        entries = [await self._entry(records, subject) for subject in world.auditor.rows]
        judge(entries, world.counters, world.witness)
        return Found(
            plan=world.plan,
            broken=world.witness.broken,
            events=world.chronicle.events,
            faults=world.chronicle.faults,
            ends=Count(entry.state.value for entry in entries),
            unresolved=Count(why_unresolved(entry) for entry in entries if entry.state is State.UNRESOLVED),
            virtual_s=world.clock.monotonic_s(),
        )

    async def _wait(self, longest_s: float) -> None:
        for _ in range(int(longest_s / _LOOK_S)):
            if not self._owed():
                return
            await asyncio.sleep(_LOOK_S)

    def _owed(self) -> dict[str, Row]:
        rows = self.world.auditor.rows
        return {subject: row for subject, row in rows.items() if row.state not in ENDED}


@asynccontextmanager
async def open_stage(
    plan: Plan, clock: VirtualClock, weather_type: type[Weather] = Weather
) -> AsyncIterator[Stage]:
    """Open a world and start its processes; stop them all in the end."""
    asyncio.get_running_loop().set_task_factory(adopt_tasks)
    world = _open_world(plan, clock, weather_type)
    await world.store.start()
    cluster = Cluster(world)
    places = [asyncio.ensure_future(place.run()) for place in cluster.places]
    await asyncio.sleep(0)
    try:
        yield Stage(world, cluster)
    finally:
        for task in places:
            task.cancel()
        cluster.restart()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*places)
        await world.store.close()


def _open_world(plan: Plan, clock: VirtualClock, weather_type: type[Weather]) -> World:
    chronicle = Chronicle(clock.monotonic_s)
    witness = Witness(chronicle)
    weather = weather_type(plan, chronicle, ("electrum", "gr4vy", "jeudimerci", "gatepay"))
    auditor = witness.auditor = Auditor(witness.blame, clock.now)
    return World(
        plan=plan,
        clock=clock,
        chronicle=chronicle,
        weather=weather,
        store=Store(),
        auditor=auditor,
        counters=open_counters(clock, weather, plan),
        witness=witness,
    )


def _callers(world: World, cluster: Cluster) -> list[tuple[Caller, float]]:
    chance = random.Random(f"{world.plan.seed}/callers")
    # An Electrum that calls a repeat a duplicate does so after a refusal too, when a void came in between:
    # whoever missed the refusal cannot know. That is its test server's defect, and no way around it exists.
    assortment = Assortment(chance, has_voids=not world.plan.are_repeats_duplicates)
    callers = []
    made: list[str] = []
    for n in range(world.plan.sales):
        is_second = world.plan.are_ids_shared and bool(made) and chance.random() < 0.5
        asked_id = made.pop(chance.randrange(len(made))) if is_second else world.clock.uuid4()
        if not is_second:
            made.append(asked_id)
        by = SECOND if is_second else LOCAL
        ask = assortment.draw(asked_id, world.clock.now())
        if isinstance(ask, Issue) and ask.title:
            # All that GatePay is told of ours; by it the books say whose effect is whose.
            ask = msgspec.structs.replace(ask, title=key_of(by.tenant, asked_id))
        caller = Caller(
            ask,
            cluster=cluster,
            witness=world.witness,
            clock=world.clock,
            seed=f"{world.plan.seed}/caller/{n}",
            by=by,
        )
        callers.append((caller, chance.uniform(0, world.plan.traffic_s)))
    return callers


async def _arrive(caller: Caller, at_s: float) -> None:
    await asyncio.sleep(at_s)
    await caller.run()


async def _mischief(world: World, cluster: Cluster) -> None:
    chance = random.Random(f"{world.plan.seed}/mischief")
    strikes = sorted(chance.uniform(0, world.plan.traffic_s) for _ in range(world.plan.strikes))
    for at_s in strikes:
        await asyncio.sleep(max(0.0, at_s - world.clock.monotonic_s()))
        await cluster.strike(world.chronicle)
