"""Rule 2: the caller hears an outcome that is not durable yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from giftcard_gateway.ledger.entry import Entry
from giftcard_gateway.pipeline.driver import Driver

_tasks: set[asyncio.Task[Entry]] = set()


def apply(patch: pytest.MonkeyPatch) -> None:
    """Go on at once and write meanwhile."""
    commit = Driver._commit  # noqa: SLF001 -- a mutation reaches inside

    async def promise_to_commit(self: Driver, entry: Entry, transition: Callable[[Entry], Entry]) -> Entry:
        after = transition(entry)
        if after.driver:
            return await commit(self, entry, lambda _: after)
        writing = asyncio.create_task(commit(self, entry, lambda _: after))
        _tasks.add(writing)
        writing.add_done_callback(_tasks.discard)
        writing.add_done_callback(lambda done: done.cancelled() or done.exception())
        return msgspec.structs.replace(after, version=after.version + 1)

    patch.setattr(Driver, "_commit", promise_to_commit)
