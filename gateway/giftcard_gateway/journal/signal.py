"""Waking those who wait for a journal to change, without losing a change between a look and a wait."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary


class Signal:
    """Wakes every waiting task of one event loop.

    It remembers up to which change each task was told, so a change that comes after a task looked
    and before it waits ends the wait at once. A task's first wait therefore returns at once.
    """

    def __init__(self) -> None:
        self._count = 1
        self._told: WeakKeyDictionary[asyncio.Task[object], int] = WeakKeyDictionary()
        self._waiters: set[asyncio.Future[None]] = set()

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
            self._waiters.add(waiter)
            try:
                await asyncio.wait((waiter,), timeout=timeout_s)
            finally:
                self._waiters.discard(waiter)
        if task is not None:
            self._told[task] = self._count
