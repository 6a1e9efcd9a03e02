"""The virtual world: time jumps, order is kept, a seed repeats, and a deadlock is found."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from giftcard_gateway.clock import Clock
from tests.world.clock import EPOCH, Stalled, VirtualClock, run


def test_hours_pass_at_once() -> None:
    """A day of sleeping takes no time and moves the clock by a day."""

    async def play(clock: VirtualClock) -> float:
        await clock.sleep(86_400)
        assert clock.now() == EPOCH + timedelta(days=1)
        assert clock.now_ns() == (int(EPOCH.timestamp()) + 86_400) * 10**9
        return clock.moment().now_s

    began = time.monotonic()
    assert run(1, play) == EPOCH.timestamp() + 86_400
    assert time.monotonic() - began < 86_400 / 100


def test_order() -> None:
    """Timers fire in the order of their times, whatever the order they were set in."""

    async def play(clock: VirtualClock) -> list[float]:
        fired: list[float] = []

        async def fire(after_s: float) -> None:
            await clock.sleep(after_s)
            fired.append(clock.monotonic_s())

        async with asyncio.TaskGroup() as tasks:
            for after_s in (3.0, 1.0, 2.5, 0.001):
                tasks.create_task(fire(after_s))
        return fired

    assert run(1, play) == [0.001, 1.0, 2.5, 3.0]


def test_work_takes_no_time() -> None:
    """While something is ready, time stands still."""

    async def play(clock: VirtualClock) -> float:
        for _ in range(1000):
            await asyncio.sleep(0)
        return clock.monotonic_s()

    assert run(1, play) == 0


def test_timeout() -> None:
    """A deadline is virtual too."""

    async def play(clock: VirtualClock) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await asyncio.Event().wait()
        return clock.monotonic_s()

    assert run(1, play) == 60


def test_stalled() -> None:
    """A world in which everybody waits for somebody ends with Stalled instead of hanging."""

    async def play(_: VirtualClock) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stalled):
        run(1, play)


def test_executor() -> None:
    """Work for a thread is done on the spot, its result and its fault handed on."""

    async def play(_: VirtualClock) -> int:
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divmod, 1, 0)
        return await asyncio.to_thread(max, 1, 2)

    assert run(1, play) == 2


def test_seed_repeats() -> None:
    """The same seed draws the same; another draws something else."""

    async def play(clock: Clock) -> tuple[str, float, bytes, str]:
        return clock.uuid4(), clock.fraction(), clock.random_bytes(8), clock.moment().nonce

    assert run(7, play) == run(7, play)
    assert run(7, play) != run(8, play)
