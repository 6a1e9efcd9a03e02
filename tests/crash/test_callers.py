"""A hundred callers with one id at once: what they hear could have been said one after the other.

States only ever move forward, so a history is linearizable when no call that began after another ended
is told of a state that comes before; the rest is one effect, one first call, and one decision.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, replace

import pytest

from giftcard_adapters.values.advices import ReversalReason
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import AnyOperation, Redeem
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import GatewayError
from giftcard_gateway.ledger.entry import State
from giftcard_gateway.pipeline.transactions import Begun, Transactions
from tests.crash.life import Lost
from tests.crash.plan import quiet
from tests.crash.providers import ACTIVE_CARDS, ELECTRUM
from tests.crash.simulation import Stage, open_stage
from tests.crash.store import REACH
from tests.world import clock as virtual
from tests.world.clock import VirtualClock

CALLERS = 100


@dataclass(frozen=True)
class Heard:
    """One call: when it began and ended, and what it was told; None is nothing."""

    call: str
    began_s: float
    ended_s: float
    state: State | None
    is_first: bool = False
    is_refused: bool = False


@pytest.mark.parametrize("seed", range(12))
def test_hundred_callers_are_one_line(seed: int) -> None:
    """Begins, looks, confirmations and reversals under one id, on three processes (rules 1, 7)."""

    async def play(clock: VirtualClock) -> None:
        trouble = replace(quiet(3), seed=seed, lag_odds=0.6, journal_odds=0.02, confirm_by_s=3600.0)
        async with open_stage(trouble, clock) as stage:
            ask = _ask(clock)
            chance = random.Random(seed)
            heard = await asyncio.gather(*(_call(stage, ask, chance) for _ in range(CALLERS)))
            stage.world.weather.calm()
            # Whoever was told nothing was written down, or heard nothing, leaves it to the gateway to end.
            await stage.cluster.ask(lambda gateway: _end(gateway, ask))
            await stage.settle()
            found = await stage.judge()
            assert not found.broken
            _judge(heard)
            effects = stage.world.counters[ELECTRUM].simulator.effects()
            kinds = Counter(str(effect["kind"]) for effect in effects)
            assert kinds["redeem"] == 1
            assert kinds["confirm"] + kinds["reverse"] == 1

    virtual.run(seed, play)


def _ask(clock: VirtualClock) -> Redeem:
    return Redeem(
        transaction_id=clock.uuid4(),
        requested_at=clock.now(),
        provider=ELECTRUM,
        amount=Money("ZAR", 1_000),
        card=CardRef(number=Secret(ACTIVE_CARDS[0])),
    )


async def _end(gateway: Transactions, ask: AnyOperation) -> None:
    entry = await gateway.get(ask.transaction_id, by=LOCAL)
    if entry.state is State.APPROVED:
        await gateway.confirm(ask.operation, ask.transaction_id, wait_s=10, by=LOCAL)


async def _call(stage: Stage, ask: AnyOperation, chance: random.Random) -> Heard:
    clock = stage.world.clock
    kind = chance.choices(("begin", "get", "confirm", "reverse"), (70, 15, 10, 5))[0]
    wait_s = chance.choice((0.0, 0.05, 5.0))
    await asyncio.sleep(chance.uniform(0.0, 0.3) + (0.0 if kind == "begin" else 1.0))

    async def call(gateway: Transactions) -> Begun:
        match kind:
            case "begin":
                return await gateway.begin(ask, wait_s=wait_s, by=LOCAL)
            case "get":
                return Begun(await gateway.get(ask.transaction_id, wait_s=wait_s, by=LOCAL), is_replayed=True)
            case "confirm":
                entry = await gateway.confirm(ask.operation, ask.transaction_id, wait_s=wait_s, by=LOCAL)
                return Begun(entry, is_replayed=True)
        entry = await gateway.reverse(
            ask.operation, ask.transaction_id, reason=ReversalReason.CANCELLED, wait_s=wait_s, by=LOCAL
        )
        return Begun(entry, is_replayed=True)

    began_s = clock.monotonic_s()
    try:
        begun = await stage.cluster.ask(call)
    except GatewayError as refusal:
        told = refusal.metadata.get("state")
        state = State(told) if told else None
        return Heard(kind, began_s, clock.monotonic_s(), state, is_refused=True)
    except Lost:
        return Heard(kind, began_s, clock.monotonic_s(), None)
    return Heard(kind, began_s, clock.monotonic_s(), begun.entry.state, is_first=not begun.is_replayed)


def _judge(heard: list[Heard]) -> None:
    known = [one for one in heard if one.state is not None]
    assert sum(one.is_first for one in heard) <= 1
    for earlier in known:
        for later in known:
            if earlier.ended_s < later.began_s and earlier.state and later.state:
                assert later.state in REACH[earlier.state], f"{later} after {earlier}"
    decided = {one.call for one in known if one.call in {"confirm", "reverse"} and not one.is_refused}
    assert len(decided) <= 1
