"""The journal in one SQLite file: for one process, safe against kill -9 and loss of power.

One thread writes: all that waits goes into one database transaction, so one fsync serves many callers.
Other threads read, each on a connection of its own. What a batch of writes does is in `file`.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import urlsplit

from giftcard_adapters.errors import SettingsError
from giftcard_gateway.journal.contract import (
    Backlog,
    Change,
    Due,
    EventRow,
    Journal,
    JournalClosed,
    Resealed,
    Row,
    RowQuery,
    SchemaState,
    Sealed,
)
from giftcard_gateway.journal.group_commit import GroupCommit, ThreadCommit
from giftcard_gateway.journal.notes import AuditRow, KeyInUse, KeyRow, PauseRow
from giftcard_gateway.journal.rows import Append, Open, Write
from giftcard_gateway.journal.signal import Signal
from giftcard_gateway.journal.sqlite import audit, file, keys, lists, reseal, schema
from giftcard_gateway.journal.sqlite.beside import file_beside
from giftcard_gateway.journal.sqlite.file import Work, WriteRequest

if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Self

    from giftcard_gateway.journal.settings import JournalSettings
    from giftcard_gateway.ledger.grace import Outage

Result = TypeVar("Result")
_LINGER_S = 0.002
"""How long a batch of writes waits for more, while many come: the commit alone costs what ten rows do."""


class Sqlite(Journal):
    """A journal in the SQLite file at `path`; a second process that starts on it gets JournalBusy.

    Rows that a dead process drove are due at once after `start`: no other process can be driving them.
    """

    is_shared = False
    system = "sqlite"

    def __init__(self, path: str) -> None:
        self._path = path
        self._signal = Signal()
        self._lock: int | None = None
        self._connections: list[sqlite3.Connection] = []
        self._writer: GroupCommit[WriteRequest] | None = None
        self._reader: GroupCommit[Work] | None = None
        self._lister: GroupCommit[Work] | None = None

    @classmethod
    def at(cls, settings: JournalSettings) -> Self:
        """Return the journal in the file that a `sqlite:///` URL names; see Journal.at."""
        shared = {
            "listen_url": settings.listen_url.reveal(),
            "poll_s": settings.poll_s,
            "pooled": settings.pooled,
        }
        if named := [f"journal.{name}" for name, value in shared.items() if value]:
            raise SettingsError(
                [f"{each} is for PostgreSQL: a SQLite journal has one process" for each in named]
            )
        return cls(path_of(settings.url.reveal()))

    async def schema(self) -> SchemaState:
        """Return how the file's schema stands; see Journal.schema."""
        return await asyncio.to_thread(schema.state, self._path)

    async def upgrade(self) -> None:
        """Bring the file to the known schema; see Journal.upgrade."""
        await asyncio.to_thread(schema.upgrade_file, self._path)

    async def start(self) -> None:
        """Lock and open the file, making it when it is not there; see Journal.start."""
        try:
            await asyncio.to_thread(self._open_file)
        except BaseException:
            self._let_go()
            raise
        write, read, gather = self._connections
        self._writer = ThreadCommit(
            partial(file.serve_writes, write),
            "journal-writer",
            self._signal.fire,
            linger_s=_LINGER_S,
            timed=lambda *told: self.on_batch(self.system, *told),
            caller=lambda: self.caller(),  # noqa: PLW0108 - it is set later
        )
        self._reader = ThreadCommit(partial(file.serve_reads, read), "journal-reader", _ignore)
        self._lister = ThreadCommit(partial(file.serve_reads, gather), "journal-lister", _ignore)

    async def close(self) -> None:
        """Finish what waits and unlock the file."""
        all_commits = (self._writer, self._reader, self._lister)
        self._writer = self._reader = self._lister = None
        for commits in all_commits:
            if commits is not None:
                await commits.close()
        self._let_go()

    async def check(self) -> None:
        """Write the file's header anew: it costs an fsync, and nothing less proves that writing works."""
        await self._write(lambda connection: connection.execute("PRAGMA user_version = 1").close())

    async def open(self, row: Row) -> Row | None:
        """Insert a row; see Journal.open."""
        return cast("Row | None", await _commits(self._writer).submit(Open(row)))

    async def write(self, row: Row) -> bool:
        """Replace a row; see Journal.write."""
        return cast("bool", await _commits(self._writer).submit(Write(row)))

    async def get(self, transaction_id: str) -> Row | None:
        """Return one row; see Journal.get."""
        read: Callable[[sqlite3.Connection], dict[str, Row]] = partial(file.read_rows, ids=[transaction_id])
        return (await _ask(self._reader, read)).get(transaction_id)

    async def list(self, query: RowQuery) -> Sequence[Row]:
        """Return rows newest first; see Journal.list. Needs no `start` here."""
        return await self._read_beside(partial(lists.list_rows, query=query))

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
        """Take what is due; see Journal.claim."""
        return await self._write(
            partial(
                file.claim,
                now=now,
                lease_until=lease_until,
                driver=driver,
                limit=limit,
                provider=provider,
                states=states,
                heads=heads,
            )
        )

    async def next_due(self) -> Sequence[Due]:
        """Return the earliest due times; see Journal.next_due."""
        return await _ask(self._reader, lists.next_due)

    async def beat(self, now: datetime, *, silence: timedelta) -> Outage | None:
        """Write down that this process can write; see Journal.beat."""
        return await self._write(partial(file.beat, now=now, silence=silence))

    async def wait_changed(self, timeout_s: float) -> None:
        """Wait for the next write; see Journal.wait_changed."""
        await self._signal.wait(timeout_s)

    async def changes(self, *, after: str, limit: int, tenant: str | None = None) -> Sequence[Change]:
        """Return the feed after a cursor; see Journal.changes."""
        return await _ask(self._lister, partial(lists.read_changes, after=after, limit=limit, tenant=tenant))

    async def last_cursor(self) -> str:
        """Return the newest place in the feed; see Journal.last_cursor."""
        return await _ask(self._reader, lists.last_cursor)

    async def backlog(self, *, tenant: str | None = None) -> Sequence[Backlog]:
        """Count what is open; see Journal.backlog."""
        return await _ask(self._lister, partial(lists.read_backlog, tenant=tenant))

    async def damaged(self) -> int:
        """Count rows whose plain columns cannot be; see Journal.damaged."""
        return await _ask(self._lister, lists.count_damaged)

    async def purge(self, *, before: datetime, limit: int, tenant: str | None = None) -> int:
        """Delete finished rows; see Journal.purge."""
        return await self._write(partial(lists.purge, before=before, limit=limit, tenant=tenant))

    async def forget(self, rows: Sequence[Row | EventRow]) -> int:
        """Delete what is as it was read; see Journal.forget."""
        return await self._write(partial(lists.forget, rows=rows))

    async def add_event(self, event: EventRow, other_ids: Sequence[str] = ()) -> bool:
        """Insert an event; see Journal.add_event."""
        return await self._write(partial(file.add_event, event=event, other_ids=other_ids))

    async def mark_event_applied(self, provider: str, event_id: str, *, tenant: str | None = None) -> None:
        """Remember that an event was carried over; see Journal.mark_event_applied."""
        await self._write(
            lambda connection: connection.execute(lists.MARK_EVENT, (tenant, provider, event_id)).close()
        )

    async def unapplied_events(
        self, limit: int, heads: Collection[bytes] | None = None
    ) -> Sequence[EventRow]:
        """Return events still to be carried over; see Journal.unapplied_events."""
        return await _ask(self._lister, partial(lists.unapplied_events, limit=limit, heads=heads))

    async def seals(self, states: Sequence[str] | None = None) -> Sequence[Sealed]:
        """Count documents by what they begin with; see Journal.seals."""
        work = partial(reseal.seals, states=states)
        return await self._read_beside(work)

    async def indexed(self, states: Sequence[str] | None = None) -> Mapping[str, int]:
        """Count transactions by their hash key; see Journal.indexed."""
        return await self._read_beside(partial(reseal.indexed, states=states))

    async def keys_in_use(self) -> Sequence[KeyInUse]:
        """Return the keys that were noted; see Journal.keys_in_use."""
        return await _ask(self._lister, keys.in_use)

    async def use_keys(self, noted: Collection[KeyInUse]) -> None:
        """Note keys; see Journal.use_keys."""
        await self._write(partial(keys.use, keys=noted))

    async def drop_keys(self, noted: Collection[KeyInUse]) -> None:
        """Take back notes; see Journal.drop_keys."""
        await self._write(partial(keys.drop, keys=noted))

    async def rows_after(self, after: str, limit: int) -> Sequence[Row]:
        """Return transactions by id; see Journal.rows_after."""
        return await self._read_beside(partial(reseal.rows_after, after=after, limit=limit))

    async def events_after(self, after: tuple[str, str], limit: int) -> Sequence[EventRow]:
        """Return events by their ids; see Journal.events_after."""
        return await self._read_beside(partial(reseal.events_after, after=after, limit=limit))

    async def reseal(self, resealed: Sequence[Resealed]) -> int:
        """Replace documents; see Journal.reseal."""
        return await self._beside(partial(reseal.replace, resealed=resealed))

    async def events(
        self, *, after: str, limit: int, provider: str | None = None, tenant: str | None = None
    ) -> Sequence[EventRow]:
        """Return events after a cursor; see Journal.events."""
        return await _ask(
            self._lister,
            partial(lists.read_events, after=after, limit=limit, provider=provider, tenant=tenant),
        )

    async def api_keys(self) -> Sequence[KeyRow]:
        """Return every API key; see Notes.api_keys."""
        return await self._read_beside(keys.read)

    async def put_api_key(self, key: KeyRow) -> None:
        """Insert or replace a key; see Notes.put_api_key."""
        await self._write_beside(partial(keys.put, key=key))

    async def pauses(self) -> Sequence[PauseRow]:
        """Return what was said of providers; see Notes.pauses."""
        return await self._read_beside(keys.read_pauses)

    async def put_pause(self, pause: PauseRow) -> None:
        """Say something of a provider; see Notes.put_pause."""
        await self._write_beside(partial(keys.put_pause, pause=pause))

    async def add_audit(self, rows: Sequence[AuditRow], *, rides: bool = False) -> None:
        """Insert records of the audit; see Journal.add_audit."""
        if self._writer is not None:
            await self._writer.submit(Append(rows), rides=rides)
        else:
            await self._beside(partial(audit.add, rows=rows))

    async def audit_heads(self, limit: int) -> Sequence[AuditRow]:
        """Return the last records of chains; see Journal.audit_heads."""
        return await self._read_beside(partial(audit.heads, limit=limit))

    async def audit(self, *, after: tuple[str, int], limit: int) -> Sequence[AuditRow]:
        """Return records after a place; see Journal.audit."""
        return await self._read_beside(partial(audit.read, after=after, limit=limit))

    async def purge_audit(self, chain: str, *, until: int, limit: int) -> int:
        """Delete the first records of a chain; see Journal.purge_audit."""
        return await self._beside(partial(audit.purge, chain=chain, until=until, limit=limit))

    async def last_event_cursor(self) -> str:
        """Return the newest place among the events; see Journal.last_event_cursor."""
        return await _ask(self._reader, lists.last_event_cursor)

    async def _write(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        # It carries every kind of answer; this request's answer is what its own work returned.
        return cast("Result", await _commits(self._writer).submit(work))

    async def _read_beside(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Read, started or not."""
        if self._lister is not None:
            return await _ask(self._lister, work)
        return await self._beside(work)

    async def _write_beside(self, work: Callable[[sqlite3.Connection], Result]) -> None:
        """Write, started or not."""
        if self._writer is not None:
            await self._write(work)
        else:
            await self._beside(work)

    async def _beside(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do something on a connection of its own, beside whoever has the file open."""
        return await asyncio.to_thread(_on_file, self._path, work)

    def _open_file(self) -> None:
        self._lock = file.lock(self._path)
        self._connections = [file.connect(self._path)]
        prepare(self._connections[0])
        self._connections += [file.connect(self._path) for _ in ("reader", "lister")]

    def _let_go(self) -> None:
        # The writer last: the last connection to close is the one that folds the log into the file.
        for connection in reversed(self._connections):
            with suppress(sqlite3.Error):
                connection.close()
        self._connections = []
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def path_of(url: str) -> str:
    """Return the file that a `sqlite:///` URL names; raise ValueError when it names none.

    Three slashes lead to a file beside the working folder, four to an absolute path.
    """
    parts = urlsplit(url)
    is_file = len(parts.path) > 1 and parts.path[1:] != file.MEMORY
    if parts.scheme != "sqlite" or parts.netloc or not is_file:
        raise ValueError("must name a file, as in sqlite:///giftcard-gateway.db")
    return parts.path[1:]


def prepare(connection: sqlite3.Connection) -> None:
    """Make the schema of a new file, refuse one that is not known, and free what a dead process drove."""
    try:
        found = schema.read(connection)
        if not found.version:
            schema.upgrade(connection)
        else:
            schema.STEPS.refuse_unknown(found, schema.NAME)
            schema.STEPS.tell_newer(found, schema.NAME)
        file.free_drivers(connection)
    except sqlite3.Error as fault:
        raise file.closed(fault) from fault


def _commits(commits: GroupCommit[WriteRequest] | None) -> GroupCommit[WriteRequest]:
    if commits is None:
        raise JournalClosed("the journal is not open")
    return commits


async def _ask(commits: GroupCommit[Work] | None, work: Callable[[sqlite3.Connection], Result]) -> Result:
    if commits is None:
        raise JournalClosed("the journal is not open")
    # It carries every kind of answer; this request's answer is what its own work returned.
    return cast("Result", await commits.submit(work))


def _on_file(path: str, work: Callable[[sqlite3.Connection], Result]) -> Result:
    with file_beside(path) as connection:
        return work(connection)


def _ignore() -> None:
    """Do nothing: a read changes nothing that others wait for."""
