"""One life of a gateway process in the simulation: it can be paused, and stopped for good at any point.

A stopped process does nothing more: whoever of it comes to a point hangs, and its tasks are cancelled.
What a point is, and when to stop there, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from typing import NoReturn, TypeVar

from tests.crash.chronicle import WORLD, Chronicle

T = TypeVar("T")

HOME: ContextVar[Life | None] = ContextVar("home", default=None)
"""The life a task belongs to."""
SUBJECT: ContextVar[str] = ContextVar("subject", default="")
"""The transaction a task works on."""


class Lost(Exception):
    """The caller's connection broke or its patience ended: it does not know what came of its call."""


class Life:
    """One process from its start to its stop."""

    def __init__(
        self, name: str, *, chronicle: Chronicle, stops_at: Callable[[str, str], bool] | None = None
    ) -> None:
        """Live until `stops_at(place, subject)` says yes, or `stop` is called."""
        self.name = name
        self.is_stopped = False
        self.was_paused = False
        self.over = asyncio.Event()
        self._chronicle = chronicle
        self._stops_at = stops_at or (lambda _place, _subject: False)
        self._running = asyncio.Event()
        self._running.set()
        self._tasks: dict[asyncio.Task[object], None] = {}

    @property
    def is_paused(self) -> bool:
        """Tell whether this process stands still."""
        return not self._running.is_set()

    def adopt(self, task: asyncio.Task[object]) -> None:
        """Count `task` as part of this process."""
        self._tasks[task] = None
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[object]) -> None:
        self._tasks.pop(task, None)

    async def point(self, place: str, subject: str = "") -> None:
        """Come to a place where this process can stop or be stopped, and wait there while it is paused."""
        if not self.is_stopped and self._stops_at(place, subject):
            self._chronicle.fault("process stopped", subject, f"{self.name} {place}")
            self.stop()
        while not self._running.is_set() and not self.is_stopped:
            await self._running.wait()
        if self.is_stopped:
            await _hang()

    def pause(self) -> None:
        """Stand still at the next point, as a process whose machine is suspended."""
        self.was_paused = True
        self._running.clear()

    def resume(self) -> None:
        """Go on, not knowing that time has passed."""
        self._running.set()

    def stop(self) -> None:
        """End at once, as by kill -9."""
        if self.is_stopped:
            return
        self.is_stopped = True
        self._chronicle.note(WORLD, f"{self.name} is dead")
        self._running.set()
        self.over.set()
        # Not in place: the task that is stopped may be the one that runs now.
        asyncio.get_running_loop().call_soon(self._bury)

    def _bury(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    def start(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        """Run `work` as part of this process."""
        context = copy_context()
        context.run(HOME.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    async def answer(self, work: Coroutine[object, object, T]) -> T:
        """Return what this process says to a caller; raise Lost when it dies before it can."""
        task = self.start(work)
        over = asyncio.ensure_future(self.over.wait())
        try:
            await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
            while self.is_paused and not self.is_stopped:
                await self._running.wait()
            if self.is_stopped:
                raise Lost
            return task.result()
        finally:
            over.cancel()
            task.cancel()


def adopt_tasks(
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[object, object, T] | Generator[object, None, T],
    *,
    context: Context | None = None,
) -> asyncio.Task[T]:
    """Make a task and tell the life it belongs to; an event loop's task factory."""
    task = asyncio.Task(work, loop=loop, context=context)  # type: ignore[arg-type]  # asyncio makes coroutines only
    life = HOME.get() if context is None else context.get(HOME)
    if life is not None:
        life.adopt(task)
    return task


def outside() -> Context:
    """Return a context that belongs to no process, for work that goes on when its sender dies."""
    context = Context()
    context.run(SUBJECT.set, SUBJECT.get())
    return context


async def _hang() -> NoReturn:
    while True:
        await asyncio.get_running_loop().create_future()
