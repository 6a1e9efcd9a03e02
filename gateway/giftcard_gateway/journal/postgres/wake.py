"""Waking the other processes that share a PostgreSQL journal, by LISTEN and NOTIFY.

A lost message only costs time: every wait for a change has a time limit.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import Callable
from contextlib import suppress

from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.journal.postgres.hosts import connect
from giftcard_gateway.journal.postgres.sessions import LOST, Connection, Sessions
from giftcard_gateway.journal.postgres.statements import NOTIFY

CHANNEL = "giftcard_journal"
# NOTIFY makes commits take turns on the whole server, so it is no part of a batch; many batches share one.
PAUSE_S = 0.02
RECONNECT_S = 1.0
# A listener only reads, so without asking it would never learn that its server is gone.
PROBE_S = 15.0

_numbers = itertools.count()


class Wake:
    """Notifies other processes of writes, and listens for theirs."""

    def __init__(
        self, url: str, sessions: Sessions, on_changed: Callable[[], None], connect_timeout_s: float
    ) -> None:
        """Listen at `url`, which must not lead through a pooler, and tell through `sessions`."""
        self._url = url
        self._sessions = sessions
        self._on_changed = on_changed
        self._timeout_s = connect_timeout_s
        self._name = f"{socket.gethostname()}-{os.getpid()}-{next(_numbers)}"
        self._is_news = False
        self._teller: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._listener = asyncio.get_running_loop().create_task(self._listen())

    async def close(self) -> None:
        """Stop listening and notifying."""
        for task in (self._listener, self._teller):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def tell(self) -> None:
        """Notify the others soon; returns at once."""
        self._is_news = True
        if self._teller is None or self._teller.done():
            self._teller = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        while self._is_news:
            self._is_news = False
            with suppress(JournalClosed):
                await self._sessions.run(self._notify)
            await asyncio.sleep(PAUSE_S)

    async def _notify(self, connection: Connection, _: bool) -> None:  # noqa: FBT001 - the shape of a Work
        await connection.execute(NOTIFY, self._name)

    async def _listen(self) -> None:
        while True:
            with suppress(*LOST):
                await self._listen_once()
            await asyncio.sleep(RECONNECT_S)

    async def _listen_once(self) -> None:
        connection = await connect(self._url, timeout=self._timeout_s, command_timeout=self._timeout_s)
        try:
            await connection.add_listener(CHANNEL, self._hear)
            # Messages sent before this session listened are lost, so look once.
            self._on_changed()
            while True:
                await asyncio.sleep(PROBE_S)
                await connection.execute("SELECT 1")
        finally:
            connection.terminate()

    def _hear(self, _connection: object, _pid: int, _channel: str, name: object) -> None:
        if name != self._name:
            self._on_changed()
