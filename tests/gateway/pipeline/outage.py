"""A journal that goes away at will, and worlds in which several processes share one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from giftcard_gateway.journal.contract import JournalClosed, Row
from giftcard_gateway.journal.sqlite.journal import InlineSqlite
from tests.crash.virtual import VirtualClock, run
from tests.gateway.pipeline.world import Script, World, build

T = TypeVar("T")


class Unsteady(InlineSqlite):
    """The real journal, in memory; a test says which calls fail, and whether they take effect first."""

    def __init__(self) -> None:
        """Be there."""
        super().__init__(":memory:")
        self.away: set[str] = set()
        """Calls that fail without effect, for as long as they stand here."""
        self.lost: list[str] = []
        """Calls that take effect and fail, each once, in this order."""
        self.calls: list[str] = []

    async def open(self, row: Row) -> Row | None:
        """Insert a row, or fail."""
        return await self._pass("open", lambda: super(Unsteady, self).open(row))

    async def write(self, row: Row) -> bool:
        """Replace a row, or fail."""
        return await self._pass(f"write {row.state}", lambda: super(Unsteady, self).write(row))

    async def get(self, transaction_id: str) -> Row | None:
        """Return a row, or fail."""
        return await self._pass("get", lambda: super(Unsteady, self).get(transaction_id))

    async def claim(self, *, now: datetime, lease_until: datetime, driver: str, limit: int) -> Sequence[Row]:
        """Take what is due, or fail."""
        return await self._pass(
            "claim",
            lambda: super(Unsteady, self).claim(now=now, lease_until=lease_until, driver=driver, limit=limit),
        )

    async def next_due_at(self) -> datetime | None:
        """Tell what is due next, or fail."""
        return await self._pass("next_due_at", super().next_due_at)

    async def _pass(self, name: str, act: Callable[[], Awaitable[T]]) -> T:
        self.calls.append(name)
        if {name, name.partition(" ")[0], "all"} & self.away:
            raise JournalClosed("away")
        done = await act()
        if self.lost and self.lost[0] == name:
            self.lost.pop(0)
            raise JournalClosed("went away before it could answer")
        return done


class Door:
    """What one process sees of a journal; while it is shut the process stands still at every call."""

    def __init__(self, journal: Unsteady) -> None:
        """Be open."""
        self._journal = journal
        self.opened = asyncio.Event()
        self.opened.set()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        """Pass a call on once the door is open."""

        async def call(*args: object, **options: object) -> object:
            await self.opened.wait()
            result = await getattr(self._journal, name)(*args, **options)
            await self.opened.wait()
            return result

        return call


def share(
    story: Callable[..., Coroutine[object, object, None]], *, processes: int = 1, **options: object
) -> None:
    """Run `story(journal, *worlds)` with so many processes on one journal and no sweep running."""

    async def run_story(clock: VirtualClock) -> None:
        journal, scripts = Unsteady(), dict[str, Script]()
        await journal.start()
        worlds = [
            build(
                clock,
                Door(journal),  # type: ignore[arg-type]  # it passes every call on
                name=f"gateway-{number}",
                scripts=scripts,
                **options,  # type: ignore[arg-type]  # passed on as they came
            )
            for number in range(processes)
        ]
        try:
            await story(journal, *worlds)
        finally:
            for world in worlds:
                door_of(world).opened.set()
                await world.driver.drain(0)
            await journal.close()

    run(1, run_story)


def door_of(world: World) -> Door:
    """Return the door a process sees the journal through."""
    door = world.records.journal
    assert isinstance(door, Door)
    return door


class sweeping:  # noqa: N801 - it reads as a block: async with sweeping(world)
    """Lets the sweeps of these processes run for as long as the block lasts."""

    def __init__(self, *worlds: World) -> None:
        """Run nothing yet."""
        self._worlds = worlds
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> None:
        """Start them."""
        self._tasks = [asyncio.create_task(world.recovery.run()) for world in self._worlds]

    async def __aexit__(self, *_: object) -> None:
        """Stop them."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
