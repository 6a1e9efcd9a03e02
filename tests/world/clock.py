"""A world without waiting: an event loop in which time jumps, and a clock whose chance has a seed.

When nothing is ready, time is at once what the next timer says. So hours of retries pass in
milliseconds, and one seed makes one run. Nothing in such a world may wait for another thread or
for a socket; work for an executor is done on the spot.
"""

from __future__ import annotations

import asyncio
import random
import selectors
import uuid
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple, Unpack

import msgspec

from giftcard_adapters.calls import Moment
from giftcard_gateway.clock import SystemClock

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""When every virtual world begins."""


class Stalled(Exception):
    """Nothing is ready and no timer is set: everybody waits for somebody."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still while there is work, and else jumps to the next timer."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._elapsed_s = 0.0
        super().__init__(_JumpingSelector(self._jump))

    def time(self) -> float:
        """Return the virtual seconds since the beginning."""
        return self._elapsed_s

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Do the work on the spot, because a thread's time is nobody's seed."""
        del executor
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as fault:  # noqa: BLE001 -- whatever the work raised is the future's to tell
            done.set_exception(fault)
        return done

    def _jump(self, wait_s: float) -> None:
        self._elapsed_s += wait_s


class _JumpingSelector(selectors.BaseSelector):
    """Looks, never waits: where a selector would sleep, time jumps."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        self._inner = selectors.DefaultSelector()
        self._jump = jump

    def register(
        self, fileobj: FileDescriptorLike, events: int, data: object = None
    ) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._inner.select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise Stalled("nothing is ready and no timer is set")
        self._jump(timeout)
        return []

    def close(self) -> None:
        self._inner.close()

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return self._inner.get_map()


class VirtualClock:
    """The clock of a virtual world: its time is the loop's, its chance comes from a seed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seed: int) -> None:
        """Read `loop` for the time; draw everything else from `seed`."""
        self._loop = loop
        self._chance = random.Random(seed)

    def now(self) -> datetime:
        """Return the virtual time."""
        return EPOCH + timedelta(seconds=self._loop.time())

    def now_ns(self) -> int:
        """Return the virtual time in Unix nanoseconds."""
        return int(EPOCH.timestamp()) * 10**9 + round(self._loop.time() * 1e9)

    def monotonic_s(self) -> float:
        """Return the seconds since the world began."""
        return self._loop.time()

    async def sleep(self, delay_s: float) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(delay_s)

    def uuid4(self) -> str:
        """Return the seed's next version-4 UUID."""
        return str(uuid.UUID(bytes=self._chance.randbytes(16), version=4))

    def fraction(self) -> float:
        """Return the seed's next number from 0 to 1."""
        return self._chance.random()

    def random_bytes(self, count: int) -> bytes:
        """Return the seed's next bytes."""
        return self._chance.randbytes(count)

    def moment(self) -> Moment:
        """Return the virtual time and the seed's next nonce."""
        return Moment(now_s=EPOCH.timestamp() + self._loop.time(), nonce=self._chance.randbytes(16).hex())


class ShiftedClock(SystemClock):
    """The machine's clock, which a test can put forward; waiting still takes its time."""

    def __init__(self) -> None:
        """Begin with the true time."""
        self._ahead = timedelta()

    def skip(self, **ahead: float) -> None:
        """Put the clock forward; the arguments are those of timedelta."""
        self._ahead += timedelta(**ahead)

    def now(self) -> datetime:
        """Return the shifted time."""
        return super().now() + self._ahead

    def moment(self) -> Moment:
        """Return the shifted time and a fresh nonce."""
        return msgspec.structs.replace(super().moment(), now_s=self.now().timestamp())


def run(seed: int, play: Callable[[VirtualClock], Coroutine[object, object, T]]) -> T:
    """Run `play` in a fresh virtual world of this seed; raise Stalled when it can never end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(play(VirtualClock(runner.get_loop(), seed)))
