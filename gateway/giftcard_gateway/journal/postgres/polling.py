"""Waking without LISTEN and NOTIFY: while anybody waits, a process looks whether others wrote.

For a pooler that no session leads around, and for servers that have no NOTIFY.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from giftcard_gateway.journal.contract import JournalClosed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from giftcard_gateway.journal.postgres.numbering import Numbering
    from giftcard_gateway.journal.postgres.sessions import Connection, Sessions
    from giftcard_gateway.journal.signal import Signal

PLACES = "SELECT last_change, last_event FROM feed_ends"


class Polling:
    """Looks at the ends of both feeds, and wakes who waits when one has moved; stands in for `Wake`."""

    def __init__(self, sessions: Sessions, signal: Signal, poll_s: float, feeds: Sequence[Numbering]) -> None:
        """Look through `sessions` every `poll_s` seconds, when what is new in `feeds` has its places."""
        self._feeds = feeds
        self._sessions = sessions
        self._signal = signal
        self._poll_s = poll_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.get_running_loop().create_task(self._look())

    async def close(self) -> None:
        """Look no longer."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def tell(self) -> None:
        """Tell nobody: the others look."""

    async def _look(self) -> None:
        seen: Sequence[asyncpg.Record] | None = None
        while True:
            await asyncio.sleep(self._poll_s)
            if self._signal.is_waited_for:
                with suppress(JournalClosed):
                    for feed in self._feeds:
                        await feed.settle()
                    found = await self._sessions.run(_places)
                    if found != seen:
                        seen = found
                        self._signal.fire()


async def _places(connection: Connection, _: bool) -> Sequence[asyncpg.Record]:  # noqa: FBT001 - the shape of a Work
    found: Sequence[asyncpg.Record] = await connection.fetch(PLACES)
    return found
