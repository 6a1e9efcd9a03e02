"""Awaiting work to its end though the task that awaits it is cancelled, by asyncio or by an anyio scope."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar, cast

_Result = TypeVar("_Result")


async def see_through(work: Coroutine[None, None, _Result]) -> tuple[_Result, BaseException | None]:
    """Await work to its end; return what it came to, and the cancellation that came meanwhile, if any.

    The work runs in a task of its own, which nobody cancels. So it must have a deadline of its own, and must
    return what it fails with: SystemExit out of a task would end the whole loop.
    """
    task = asyncio.ensure_future(work)
    cancelled: BaseException | None = None
    with _anyio_shield():
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as error:
                cancelled = error
    return task.result(), cancelled


def _anyio_shield() -> AbstractContextManager[object]:
    """Keep anyio, where it is in use, from cancelling again at every turn of the loop."""
    anyio = sys.modules.get("anyio")
    if anyio is None:
        return nullcontext()
    return cast("AbstractContextManager[object]", anyio.CancelScope(shield=True))
