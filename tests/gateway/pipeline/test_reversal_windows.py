"""Reversal windows as budgets: heard of once at each level, in time, and a person's when closed (rule 8)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from giftcard_adapters.contract import traits
from giftcard_adapters.values.operations import Redeem
from giftcard_adapters.values.outcomes import Outcome
from giftcard_adapters.values.traits import Ending, Guarantee
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.ledger import reversal_windows
from giftcard_gateway.ledger.entry import State
from giftcard_gateway.providers.connections import Terms
from tests.gateway.pipeline.conftest import Start
from tests.gateway.pipeline.test_lifecycle import T0, in_state
from tests.world.gateway import World
from tests.world.provider import AGAIN, LOST, Scripted

WINDOW_S = 1_000.0


async def _redeem(self: Scripted, ask: Redeem) -> Outcome:
    """Redeem at a provider that takes reversals for so long only."""
    return await self._play(ask)


@pytest.fixture(autouse=True)
def _window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give redemptions a window."""
    windowed = traits(Guarantee.NATIVE, Ending.REVERSE, reversal_window_s=WINDOW_S)(_redeem)
    monkeypatch.setattr(Scripted, "redeem", windowed)


async def reversing(world: World, tries: int) -> str:
    """Begin a redemption and a reversal of it that comes to nothing so many times."""
    entry = await world.begin(world.redeem())
    world.script.reactions.extend([AGAIN] * tries)
    await world.reverse(entry)
    return entry.transaction_id


async def test_somebody_hears_once_at_half_and_once_before_the_end(world: World) -> None:
    """A reversal that does not get through warns at half of the window and escalates before it closes."""
    transaction_id = await reversing(world, 10_000)
    await asyncio.sleep(WINDOW_S - 1)
    assert (await world.entry(transaction_id)).state is State.REVERSING
    assert [level for level, _ in world.heard.closing] == [0.5, 0.9]
    assert [at for _, at in world.heard.closing] == pytest.approx([500, 900], abs=1)
    await asyncio.sleep(2)
    closed = await world.entry(transaction_id)
    assert closed.state is State.UNRESOLVED
    assert closed.evidence == "the provider's reversal window closed; last seen: HTTP 503"
    tries = len(world.script.advices)
    await asyncio.sleep(WINDOW_S)
    assert len(world.script.advices) == tries
    assert len(world.heard.closing) == 2


async def test_open_circuit_does_not_hide_a_closing_window(world: World) -> None:
    """Also of a provider that is not even asked any more somebody hears in time."""
    entry = await world.begin(world.redeem())
    world.script.reactions.extend([LOST] * 10_000)
    await world.reverse(entry)
    await asyncio.sleep(WINDOW_S + 1)
    assert [at for _, at in world.heard.closing] == pytest.approx([500, 900], abs=1)
    assert (await world.entry(entry.transaction_id)).state is State.UNRESOLVED


async def test_reversal_in_time_is_no_news(world: World) -> None:
    """A reversal that gets through before half of its window alarms nobody."""
    transaction_id = await reversing(world, 3)
    await asyncio.sleep(WINDOW_S * 2)
    assert (await world.entry(transaction_id)).state is State.REVERSED
    assert not world.heard.closing


async def test_late_reversal_is_tried_before_it_is_given_up(start: Start) -> None:
    """A reversal after the window is still sent once: what the provider says counts, not the clock."""
    world = await start(is_sweeping=True, terms=Terms(confirm_by_s=WINDOW_S * 2))
    one = await world.begin(world.redeem())
    other = await world.begin(world.redeem())
    await asyncio.sleep(WINDOW_S + 1)
    told = []
    for entry in (one, other):
        told.append(await world.reverse(entry))
        world.script.reactions.append(AGAIN)
    assert [entry.state for entry in told] == [State.REVERSED, State.UNRESOLVED]
    assert len(world.script.advices) == 2
    assert not world.heard.closing


async def test_a_closed_window_allows_one_more_try(start: Start) -> None:
    """After the reversal window each word of a person sends one copy: the provider says whether it counts."""
    world = await start(is_sweeping=True, terms=Terms(confirm_by_s=10_000.0))
    entry = await world.begin(world.redeem())
    await asyncio.sleep(WINDOW_S + 1)
    world.script.reactions.extend([AGAIN, AGAIN])
    assert (await world.reverse(entry)).state is State.UNRESOLVED
    told = await world.transactions.redeliver(entry.transaction_id, wait_s=30, by=LOCAL)
    assert (told.state, told.evidence.count("window closed")) == (State.UNRESOLVED, 1)
    assert (
        await world.transactions.redeliver(entry.transaction_id, wait_s=30, by=LOCAL)
    ).state is State.REVERSED
    assert len(world.script.advices) == 3


async def test_confirmation_has_no_window(world: World) -> None:
    """The window is the reversal's: a confirmation is repeated for as long as it takes."""
    entry = await world.begin(world.redeem())
    world.script.reactions.extend([AGAIN] * 100)
    await world.confirm(entry)
    await asyncio.sleep(WINDOW_S * 3)
    assert (await world.entry(entry.transaction_id)).state is State.CONFIRMING
    assert not world.heard.closing


@pytest.mark.parametrize(
    ("age_s", "level", "next_s"),
    [
        (0, 0.0, 500),
        (499.9, 0.0, 500),
        (500, 0.5, 900),
        (899.9, 0.5, 900),
        (900, 0.9, 1000),
        (1000, 1.0, None),
        (1e6, 1.0, None),
    ],
)
def test_levels(age_s: float, level: float, next_s: float | None) -> None:
    """Levels are reached at half, at nine tenths and at the end, each exactly on time."""
    entry, at = in_state(State.REVERSING), T0 + timedelta(seconds=age_s)
    assert reversal_windows.level(entry, WINDOW_S, at) == level
    expected = None if next_s is None else T0 + timedelta(seconds=next_s)
    assert reversal_windows.next_level_at(entry, WINDOW_S, at) == expected


def test_no_window_has_no_level() -> None:
    """Where a provider takes reversals for ever nothing closes."""
    entry, at = in_state(State.REVERSING), T0 + timedelta(days=9_999)
    assert reversal_windows.level(entry, None, at) == 0
    assert reversal_windows.next_level_at(entry, None, at) is None
