"""The gateway under simulation: processes assembled as in production, only their edges are ours.

Every place has one process at a time. When it dies, another starts there after a while. A caller is
connected to whichever place it picks; what it hears of a process that died is nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar, cast

import httpx

from giftcard_adapters.stanza import open_provider
from giftcard_gateway.ledger.observer import Observer
from giftcard_gateway.pipeline.assembly import assemble
from giftcard_gateway.providers.connections import Connection, Connections, Terms
from giftcard_gateway.providers.routing import Router
from tests.crash.chronicle import WORLD, Chronicle
from tests.crash.life import SUBJECT, Life, Lost, outside
from tests.crash.providers import ELECTRUM
from tests.crash.store import Auditor, Door, Store
from tests.crash.weather import LONGEST_DELAY_S
from tests.world.gateway import seal

if TYPE_CHECKING:
    from giftcard_gateway.journal.contract import Journal
    from giftcard_gateway.ledger.entry import Entry
    from giftcard_gateway.pipeline.recovery import Recovery
    from giftcard_gateway.pipeline.transactions import Transactions
    from tests.crash.plan import Plan
    from tests.crash.providers import Counter
    from tests.crash.weather import Weather
    from tests.crash.witness import Witness
    from tests.world.clock import VirtualClock

T = TypeVar("T")

IDLE = timedelta(seconds=60)
"""A sweep every second, as in production, would cost a world of hours most of its time."""
NIGHT_IDLE = timedelta(hours=1)
"""How rarely processes sweep once nothing but a day of looking is left."""
_FINDING_CAP_S = 3600.0


class Blaming(Observer):
    """Notes what should not have happened; a fault of our own code fails the seed."""

    def __init__(self, blame: Callable[[str, str], None]) -> None:
        """Report to `blame(transaction_id, sentence)`."""
        self._blame = blame

    def faulted(self, place: str, fault: BaseException) -> None:
        """Something failed in the gateway."""
        self._blame(SUBJECT.get(), f"{place} failed: {type(fault).__name__}: {fault}")


class Wire(httpx.AsyncBaseTransport):
    """One process's way to one provider: what it sent goes on when it dies."""

    def __init__(self, counter: Counter, life: Life, witness: Witness) -> None:
        """Let `life` speak while it lives."""
        self._counter = counter
        self._life = life
        self._witness = witness

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one exchange; see SimulatorTransport."""
        subject = SUBJECT.get()
        purpose = self._counter.purpose(request.method, request.url.path)
        await self._life.point(f"before sending a {purpose.value}", subject)
        self._witness.sent(self._counter.provider_id, purpose, subject, request, self._life)
        work = asyncio.get_running_loop().create_task(
            self._counter.transport.handle_async_request(request), context=outside()
        )
        work.add_done_callback(_take_notice)
        try:
            answer = await asyncio.shield(work)
            self._witness.heard_of(purpose, subject, request)
        except httpx.HTTPError:
            await self._life.point(f"before hearing of a failed {purpose.value}", subject)
            raise
        await self._life.point(f"before the answer to a {purpose.value}", subject)
        return answer


def _take_notice(work: asyncio.Task[httpx.Response]) -> None:
    if not work.cancelled():
        work.exception()


@dataclass
class World:
    """What all processes of a seed share."""

    plan: Plan
    clock: VirtualClock
    chronicle: Chronicle
    weather: Weather
    store: Store
    auditor: Auditor
    counters: dict[str, Counter]
    witness: Witness
    idle: timedelta = IDLE


@dataclass
class Process:
    """One process: its life, and what callers speak to."""

    life: Life
    transactions: Transactions
    recovery: Recovery


def open_process(world: World, life: Life) -> Process:
    """Assemble a gateway process as the server does, around doors that know when it is dead."""
    pipeline = assemble(
        name=life.name,
        journal=cast("Journal", Door(world.store, life, world.auditor, world.weather)),
        seal=seal(world.clock),
        connections=Connections([_connection(world, counter, life) for counter in world.counters.values()]),
        router=Router((), default=""),
        clock=world.clock,
        observer=Blaming(world.witness.blame),
    )
    pipeline.recovery.idle = world.idle
    # A sweep that rare is no outage; one of its world lasts until somebody sweeps again.
    pipeline.heartbeat.silence = 3 * world.idle
    advance = pipeline.driver.advance

    async def name_and_advance(entry: Entry) -> Entry:
        SUBJECT.set(entry.transaction_id)
        return await advance(entry)

    pipeline.driver.advance = name_and_advance  # type: ignore[method-assign]  # tells the wire whose work it is
    return Process(life, pipeline.transactions, pipeline.recovery)


def _connection(world: World, counter: Counter, life: Life) -> Connection:
    provider = open_provider(
        counter.adapter,
        counter.settings,
        transport=Wire(counter, life, world.witness),
        moment=world.clock.moment,
    )
    plan = world.plan
    terms = Terms(
        confirm_by_s=plan.confirm_by_s,
        confirms_when_overdue=plan.confirms_when_overdue,
        # Where only looking again helps, a day of it must not take all our time.
        retry_cap_s=plan.retry_cap_s if counter.provider_id == ELECTRUM else _FINDING_CAP_S,
        settling_s=LONGEST_DELAY_S,
    )
    return Connection(counter.provider_id, provider, terms, world.clock)


class Place:
    """Where one process runs at a time."""

    def __init__(self, world: World, name: str) -> None:
        """Start nothing yet."""
        self._world = world
        self._name = name
        self._starts = 0
        self._chance = random.Random(f"{world.plan.seed}/{name}")
        self.process: Process | None = None

    async def run(self) -> None:
        """Keep a process running, until cancelled."""
        while True:
            self._starts += 1
            life = Life(
                f"{self._name}.{self._starts}",
                chronicle=self._world.chronicle,
                stops_at=self._world.weather.stops,
            )
            if not self._world.plan.has_shared_journal:
                self._world.store.reopen()
                self._world.auditor.resync(self._world.store.rows())
            self._world.chronicle.note(WORLD, f"{life.name} starts")
            self.process = open_process(self._world, life)
            life.start(self.process.recovery.run())
            await life.over.wait()
            self.process = None
            await asyncio.sleep(self._chance.choice((0.01, 0.3, 5.0, 60.0)))


class Cluster:
    """All places, and the way callers reach one."""

    def __init__(self, world: World) -> None:
        """Start nothing yet."""
        self.places = [Place(world, f"gateway-{n + 1}") for n in range(world.plan.processes)]
        self._chance = random.Random(f"{world.plan.seed}/cluster")

    async def ask(self, work: Callable[[Transactions], Coroutine[object, object, T]]) -> T:
        """Ask whichever process answers; raise Lost when it dies before it does, or none is there."""
        running = [place.process for place in self.places if place.process is not None]
        if not running:
            raise Lost
        process = self._chance.choice(running)
        return await process.life.answer(work(process.transactions))

    def restart(self) -> None:
        """Stop every process; another starts in its place."""
        for place in self.places:
            if place.process is not None:
                place.process.life.stop()

    async def strike(self, chronicle: Chronicle) -> None:
        """Stop a process, or pause it for a while, whatever it does just now."""
        running = [place.process for place in self.places if place.process is not None]
        if not running:
            return
        life = self._chance.choice(running).life
        if self._chance.random() < 0.5:
            chronicle.fault("process stopped", WORLD, f"{life.name} at any instant")
            life.stop()
            return
        pause_s = self._chance.choice((1.0, 30.0, 90.0, 600.0, 6_000.0))
        chronicle.fault("process paused", WORLD, f"{life.name} for {pause_s:g} s")
        life.pause()
        await asyncio.sleep(pause_s)
        chronicle.note(WORLD, f"{life.name} goes on")
        life.resume()
