"""One provider's trouble stays its own (rule 20): hundreds of advices owed to it, and the other is well."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec
import pytest

from giftcard_adapters.errors import Unreadable
from giftcard_adapters.values.advices import Acknowledgement, Receipt
from giftcard_adapters.values.operations import Operation
from giftcard_adapters.values.outcomes import Outcome
from giftcard_gateway.errors import Overloaded
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.providers.circuit import CircuitState
from giftcard_gateway.providers.connections import Connection, Terms
from tests.gateway.pipeline.conftest import Start
from tests.world.gateway import World, sweeping
from tests.world.journal import Unsteady
from tests.world.provider import AGAIN, DONE, LOST, Reaction, Script, Scripted

OWED = 420
CONFIRM_BY_S = 120.0
EXCHANGE_S = 0.05
"""How long the provider takes that is well."""
TERMS = Terms(confirm_by_s=CONFIRM_BY_S)
TROUBLE: dict[str, tuple[float, Acknowledgement | Exception]] = {
    "slow": (20.0, DONE),
    "dead": (30.0, LOST),
    "hostile": (0.01, Unreadable("HTTP 500")),
    "throttling": (0.01, Acknowledgement(receipt=Receipt.AGAIN, evidence="HTTP 429", retry_after_s=20.0)),
}
"""What the first provider does with every advice, and how many seconds it takes to."""


class Troubled(Script):
    """A provider that does the same with everything it is sent, however much at once."""

    def __init__(self, after_s: float, reaction: Acknowledgement | Exception) -> None:
        super().__init__()
        self.after_s = after_s
        self.reaction = reaction

    async def next(self, otherwise: Reaction) -> Outcome | Acknowledgement:
        """Take the time, then react."""
        del otherwise
        await asyncio.sleep(self.after_s)
        if isinstance(self.reaction, Exception):
            raise self.reaction
        return self.reaction


def trouble(world: World, name: str) -> Connection:
    """Let the first provider be in trouble from now on."""
    connection = world.connections.get("first")
    assert isinstance(connection.provider, Scripted)
    world.scripts["first"] = connection.provider.script = Troubled(*TROUBLE[name])
    return connection


def recover(world: World) -> None:
    """Let the first provider be well again."""
    provider = world.connections.get("first").provider
    assert isinstance(provider, Scripted)
    world.scripts["first"] = provider.script = Script()


@dataclass
class Measured:
    """How the second provider's transactions fare, in seconds, and what the sweep asked of the journal."""

    lateness_s: float
    latency_s: float
    calls_per_s: float


async def owing(world: World, count: int) -> None:
    """Leave so many reversals owed to the first provider, each tried once for nothing."""
    for _ in range(count):
        entry = await world.begin(world.redeem(provider="first"))
        world.script.reactions.append(AGAIN)
        assert (await world.reverse(entry)).state is State.REVERSING
    world.script.advices.clear()


async def measure(world: World, journal: Unsteady) -> Measured:
    """Let five redemptions at the second provider fall overdue, and make others meanwhile."""
    loop = asyncio.get_running_loop()
    overdue = [await world.begin(world.redeem(provider="second")) for _ in range(5)]
    latencies = []
    asked = len(journal.calls)
    async with sweeping(world):
        for _ in range(24):
            await asyncio.sleep(10)
            world.scripts["second"].reactions.append(EXCHANGE_S)
            began = loop.time()
            await world.begin(world.redeem(provider="second"))
            latencies.append(loop.time() - began)
    lateness = []
    for entry in overdue:
        ended = await world.entry(entry.transaction_id)
        assert ended.state is State.REVERSED
        assert entry.confirm_by is not None
        lateness.append((ended.updated_at - entry.confirm_by).total_seconds())
    return Measured(max(lateness), max(latencies), (len(journal.calls) - asked) / 240)


@pytest.mark.parametrize("name", TROUBLE)
async def test_other_provider_is_none_the_worse(start: Start, journal: Unsteady, name: str) -> None:
    """Whatever the first does with 420 advices, the second's overdue ones move at once, as do its calls."""
    world = await start(terms=TERMS)
    await owing(world, OWED)
    trouble(world, name)
    await asyncio.sleep(2)
    measured = await measure(world, journal)
    assert measured.lateness_s <= 0.1
    assert measured.latency_s <= EXCHANGE_S + 0.01
    assert measured.calls_per_s < 100
    assert world.script.advices
    assert not world.heard.faults


async def test_caller_does_not_wait_behind_the_sweep(start: Start) -> None:
    """A quarter of a slow provider's slots is left to callers: their reversals go out at once."""
    world = await start(terms=msgspec.structs.replace(TERMS, confirm_by_s=1e6))
    await owing(world, 40)
    entry = await world.begin(world.redeem())
    connection = trouble(world, "slow")
    await asyncio.sleep(2)
    async with sweeping(world):
        await asyncio.sleep(1)
        assert (len(world.script.advices), connection.in_flight) == (6, 6)
        promised = asyncio.create_task(world.reverse(entry))
        await asyncio.sleep(0.01)
        assert (len(world.script.advices), connection.in_flight) == (7, 7)
        assert (await promised).state is State.REVERSED


async def test_promises_hold_few_callers(start: Start) -> None:
    """No more callers are kept waiting for a slow provider's word than it takes requests (rule 7)."""
    world = await start(terms=Terms(max_in_flight=3, advice_concurrency=1), is_sweeping=True)
    entries = [await world.begin(world.redeem()) for _ in range(6)]
    trouble(world, "slow")
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def reverse(entry: Entry) -> tuple[State, bool]:
        told = await world.reverse(entry, wait_s=100)
        return told.state, loop.time() == began

    told = await asyncio.gather(*(reverse(entry) for entry in entries))
    assert sorted(told) == [(State.REVERSED, False)] * 3 + [(State.REVERSING, True)] * 3
    await asyncio.sleep(61)
    for entry in entries:
        assert (await world.entry(entry.transaction_id)).state is State.REVERSED


async def test_open_circuit_costs_next_to_no_claims(start: Start, journal: Unsteady) -> None:
    """While a provider does not answer, one entry a second is looked at, however many are due."""
    world = await start(terms=msgspec.structs.replace(TERMS, confirm_by_s=1e6))
    await owing(world, OWED)
    connection = trouble(world, "dead")
    async with sweeping(world):
        await asyncio.sleep(100)
        assert connection.circuit.state is not CircuitState.CLOSED
        journal.calls.clear()
        world.script.advices.clear()
        await asyncio.sleep(60)
    assert journal.calls.count("claim") <= 61
    assert len(world.script.advices) <= 13


async def test_decision_needs_no_provider(start: Start) -> None:
    """A one-shot transaction that nobody decided is confirmed though its provider's circuit stays open."""
    world = await start(terms=TERMS)
    issued = [await world.begin(world.issue()) for _ in range(20)]
    await owing(world, 40)
    connection = trouble(world, "dead")
    async with sweeping(world):
        await asyncio.sleep(CONFIRM_BY_S + 1)
        assert connection.circuit.state is not CircuitState.CLOSED
        assert {(await world.entry(one.transaction_id)).state for one in issued} == {State.CONFIRMED}


async def test_sweep_goes_on_once_the_provider_answers(start: Start) -> None:
    """A provider that is back gets what it is owed within the time of its backoff, and each advice once."""
    world = await start(terms=msgspec.structs.replace(TERMS, confirm_by_s=1e6, retry_cap_s=10.0))
    await owing(world, 40)
    trouble(world, "dead")
    async with sweeping(world):
        await asyncio.sleep(300)
        recover(world)
        await asyncio.sleep(50)
    backlog = await world.records.journal.backlog()
    assert not [owed for owed in backlog if owed.state == "REVERSING"]


async def fail(connection: Connection, times: int, fault: Exception) -> None:
    """Let reads of this provider fail."""
    for _ in range(times):
        with pytest.raises(type(fault)), connection.read():
            raise fault


@pytest.mark.parametrize("fault", [Unreadable("HTTP 500"), LOST])
async def test_reads_close_no_door_to_money(world: World, fault: Exception) -> None:
    """Twenty-five balances that fail, answered or not, leave redemptions open."""
    connection = world.connections.get("first")
    await fail(connection, 25, fault)
    assert connection.circuit.state is CircuitState.CLOSED
    assert (connection.reads_circuit.state is CircuitState.OPEN) is (fault is LOST)
    assert (await world.begin(world.redeem())).state is State.APPROVED


async def test_reads_take_no_place_of_money(start: Start) -> None:
    """As many reads as a provider takes at once leave its places for requests free."""
    world = await start(terms=Terms(max_in_flight=1))
    connection = world.connections.get("first")
    with connection.read():
        with pytest.raises(Overloaded):
            connection.admit_read()
        approved = await world.begin(world.redeem())
    assert (approved.state, approved.operation) == (State.APPROVED, Operation.REDEEM)
    connection.admit_read()
