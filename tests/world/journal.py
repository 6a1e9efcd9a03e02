"""The real journal without threads, one that goes away at will, and doors that can be shut before it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from giftcard_gateway.journal.contract import Due, EventRow, JournalClosed, Row
from giftcard_gateway.journal.group_commit import GroupCommit
from giftcard_gateway.journal.sqlite import file
from giftcard_gateway.journal.sqlite.file import WriteRequest
from giftcard_gateway.journal.sqlite.journal import Sqlite, prepare
from giftcard_gateway.ledger.grace import Outage

T = TypeVar("T")
Request = TypeVar("Request")


class InlineCommit(GroupCommit[Request]):
    """Serves each request in place, before anything else of the event loop runs."""

    def __init__(self, serve: Callable[[Sequence[Request]], Sequence[object]]) -> None:
        """Serve with `serve`."""
        self._serve = serve

    async def submit(self, request: Request, *, rides: bool = False) -> object:  # noqa: ARG002 - nothing ever waits
        """Serve one request now."""
        (outcome,) = self._serve([request])
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def close(self) -> None:
        """Do nothing: nothing ever waits."""


class InlineSqlite(Sqlite):
    """The journal without threads, for virtual time: every call is done in place.

    It does not wait for the disk, so it outlives a stopped process but not a loss of power. With the
    path `:memory:` the rows live until `close`.
    """

    async def start(self) -> None:
        """Open the file in place; see Journal.start."""
        try:
            self._open_file()
        except BaseException:
            self._let_go()
            raise
        connection = self._connections[0]
        self._writer = InlineCommit(partial(self._serve, connection))
        self._reader = self._lister = InlineCommit(partial(file.serve_reads, connection))

    async def _beside(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do it in place: what lives in memory has no second connection."""
        return work(self._connections[0]) if self._connections else await super()._beside(work)

    def _serve(self, connection: sqlite3.Connection, requests: Sequence[WriteRequest]) -> Sequence[object]:
        outcomes = file.serve_writes(connection, requests)
        self._signal.fire()
        return outcomes

    def _open_file(self) -> None:
        if self._path != file.MEMORY:
            self._lock = file.lock(self._path)
        self._connections = [file.connect(self._path, synchronous="OFF")]
        prepare(self._connections[0])


class Unsteady(InlineSqlite):
    """The real journal; a test says which calls fail, and whether they take effect first."""

    def __init__(self) -> None:
        """Be in memory, and there."""
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

    async def claim(
        self,
        *,
        now: datetime,
        lease_until: datetime,
        driver: str,
        limit: int,
        provider: str,
        states: Sequence[str],
        heads: Collection[bytes] | None = None,
    ) -> Sequence[Row]:
        """Take what is due, or fail."""
        return await self._pass(
            "claim",
            lambda: super(Unsteady, self).claim(
                now=now,
                lease_until=lease_until,
                driver=driver,
                limit=limit,
                provider=provider,
                states=states,
                heads=heads,
            ),
        )

    async def next_due(self) -> Sequence[Due]:
        """Tell what is due next, or fail."""
        return await self._pass("next_due", super().next_due)

    async def beat(self, now: datetime, *, silence: timedelta) -> Outage | None:
        """Beat, or fail."""
        return await self._pass("beat", lambda: super(Unsteady, self).beat(now, silence=silence))

    async def add_event(self, event: EventRow, other_ids: Sequence[str] = ()) -> bool:
        """Keep an event, or fail."""
        return await self._pass("add_event", lambda: super(Unsteady, self).add_event(event, other_ids))

    async def unapplied_events(
        self, limit: int, heads: Collection[bytes] | None = None
    ) -> Sequence[EventRow]:
        """Return what waits to be carried over, or fail."""
        return await self._pass(
            "unapplied_events", lambda: super(Unsteady, self).unapplied_events(limit, heads)
        )

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

    is_shared = True

    def __init__(self, journal: Unsteady) -> None:
        """Be open."""
        self._journal = journal
        self.opened = asyncio.Event()
        self.opened.set()
        self.reached = asyncio.Event()
        """Set once somebody stands before the shut door."""

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        """Pass a call on once the door is open."""

        async def call(*args: object, **options: object) -> object:
            await self._step_through()
            result = await getattr(self._journal, name)(*args, **options)
            await self._step_through()
            return result

        return call

    async def _step_through(self) -> None:
        if not self.opened.is_set():
            self.reached.set()
        await self.opened.wait()
