"""Wakes tasks that wait for a journal to change; no change is lost between reading and waiting."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary


class Signal:
    """Wakes every waiting task of one event loop.

    It remembers the last change each task was told of, so a change that comes after a task read and before
    it waits ends the wait at once. A task's first wait therefore returns at once.
    """

    def __init__(self) -> None:
        self._count = 1
        self._told: WeakKeyDictionary[asyncio.Task[object], int] = WeakKeyDictionary()
        # Not a set: those who wait are woken in the order they came, so that one seed makes one run.
        self._waiters: dict[asyncio.Future[None], None] = {}

    @property
    def is_waited_for(self) -> bool:
        """Whether any task waits at this moment."""
        return bool(self._waiters)

    def fire(self) -> None:
        """Tell every task that something changed."""
        self._count += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait(self, timeout_s: float) -> None:
        """Return when something changed since this task was last told, or after `timeout_s`."""
        task = asyncio.current_task()
        if task is None or self._told.get(task, 0) == self._count:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters[waiter] = None
            try:
                await asyncio.wait((waiter,), timeout=timeout_s)
            finally:
                self._waiters.pop(waiter, None)
        if task is not None:
            self._told[task] = self._count
