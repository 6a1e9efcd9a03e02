"""Reversal windows as budgets: heard of once at each level, in time, and a person's when closed (rule 8)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from giftcard_adapters.contract import traits
from giftcard_adapters.values.advices import Acknowledgement, Receipt, ReversalReason
from giftcard_adapters.values.operations import Redeem
from giftcard_adapters.values.outcomes import Outcome
from giftcard_adapters.values.traits import Ending, Guarantee
from giftcard_gateway.ledger import reversal_windows
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.ledger.observer import Observer
from giftcard_gateway.providers.connections import Terms
from tests.gateway.pipeline.test_lifecycle import T0, in_state
from tests.gateway.pipeline.world import LOST, Scripted, World, play

AGAIN = Acknowledgement(receipt=Receipt.AGAIN, evidence="HTTP 503")
WINDOW_S = 1_000.0


class Watch(Observer):
    """Hears of reversal_windows, and when."""

    def __init__(self) -> None:
        """Have heard of none."""
        self.heard: list[tuple[float, float]] = []
        self.world: World | None = None

    def window_closing(self, entry: Entry, share: float) -> None:
        """Keep the level, and how many seconds after the request it was told."""
        assert self.world is not None
        self.heard.append((share, (self.world.clock.now() - entry.created_at).total_seconds()))


async def _redeem(self: Scripted, ask: Redeem) -> Outcome:
    """Redeem at a provider that takes reversals for so long only."""
    return await self._play(ask)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Give redemptions a window, and watch it."""
    windowed = traits(Guarantee.NATIVE, Ending.REVERSE, reversal_window_s=WINDOW_S)(_redeem)
    monkeypatch.setattr(Scripted, "redeem", windowed)
    return Watch()


async def reversing(world: World, watch: Watch, tries: int) -> str:
    """Begin a redemption and a reversal of it that comes to nothing so many times."""
    watch.world = world
    entry = (await world.transactions.begin(world.redeem(), wait_s=30)).entry
    world.script.reactions.extend([AGAIN] * tries)
    await world.transactions.reverse(
        entry.operation, entry.transaction_id, reason=ReversalReason.CANCELLED, wait_s=30
    )
    return entry.transaction_id


def test_somebody_hears_once_at_half_and_once_before_the_end(watch: Watch) -> None:
    """A reversal that does not get through warns at half of the window and escalates before it closes."""

    async def story(world: World) -> None:
        transaction_id = await reversing(world, watch, 10_000)
        await asyncio.sleep(WINDOW_S - 1)
        assert (await world.entry(transaction_id)).state is State.REVERSING
        assert [level for level, _ in watch.heard] == [0.5, 0.9]
        assert [at for _, at in watch.heard] == pytest.approx([500, 900], abs=1)
        await asyncio.sleep(2)
        closed = await world.entry(transaction_id)
        assert closed.state is State.UNRESOLVED
        assert closed.evidence == "the provider's reversal window closed; last seen: HTTP 503"
        tries = len(world.script.advices)
        await asyncio.sleep(WINDOW_S)
        assert len(world.script.advices) == tries
        assert len(watch.heard) == 2

    play(story, observer=watch)


def test_open_circuit_does_not_hide_a_closing_window(watch: Watch) -> None:
    """Also of a provider that is not even asked any more somebody hears in time."""

    async def story(world: World) -> None:
        watch.world = world
        entry = (await world.transactions.begin(world.redeem(), wait_s=30)).entry
        world.script.reactions.extend([LOST] * 10_000)
        await world.transactions.reverse(
            entry.operation, entry.transaction_id, reason=ReversalReason.CANCELLED, wait_s=30
        )
        await asyncio.sleep(WINDOW_S + 1)
        assert [at for _, at in watch.heard] == pytest.approx([500, 900], abs=1)
        assert (await world.entry(entry.transaction_id)).state is State.UNRESOLVED

    play(story, observer=watch)


def test_reversal_in_time_is_no_news(watch: Watch) -> None:
    """A reversal that gets through before half of its window alarms nobody."""

    async def story(world: World) -> None:
        transaction_id = await reversing(world, watch, 3)
        await asyncio.sleep(WINDOW_S * 2)
        assert (await world.entry(transaction_id)).state is State.REVERSED
        assert not watch.heard

    play(story, observer=watch)


def test_late_reversal_is_tried_before_it_is_given_up(watch: Watch) -> None:
    """A reversal after the window is still sent once: what the provider says counts, not the clock."""

    async def story(world: World) -> None:
        watch.world = world
        one = (await world.transactions.begin(world.redeem(), wait_s=30)).entry
        other = (await world.transactions.begin(world.redeem(), wait_s=30)).entry
        await asyncio.sleep(WINDOW_S + 1)
        told = []
        for entry in (one, other):
            told.append(
                await world.transactions.reverse(
                    entry.operation, entry.transaction_id, reason=ReversalReason.CANCELLED, wait_s=30
                )
            )
            world.script.reactions.append(AGAIN)
        assert [entry.state for entry in told] == [State.REVERSED, State.UNRESOLVED]
        assert len(world.script.advices) == 2
        assert not watch.heard

    play(story, observer=watch, terms=Terms(confirm_by_s=WINDOW_S * 2))


def test_confirmation_has_no_window(watch: Watch) -> None:
    """The window is the reversal's: a confirmation is repeated for as long as it takes."""

    async def story(world: World) -> None:
        watch.world = world
        entry = (await world.transactions.begin(world.redeem(), wait_s=30)).entry
        world.script.reactions.extend([AGAIN] * 100)
        await world.transactions.confirm(entry.operation, entry.transaction_id, wait_s=30)
        await asyncio.sleep(WINDOW_S * 3)
        assert (await world.entry(entry.transaction_id)).state is State.CONFIRMING
        assert not watch.heard

    play(story, observer=watch)


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
