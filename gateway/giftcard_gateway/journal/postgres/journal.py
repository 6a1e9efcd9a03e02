"""The journal in PostgreSQL 15 or newer, shared by any number of processes on any number of hosts.

Rows are written in batches (`batches`), over a pool that repeats what was lost (`sessions`); other processes
are woken by NOTIFY (`wake`), or look by themselves (`polling`); the SQL is in `statements` and `audit`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, cast

import asyncpg

from giftcard_gateway.journal import heartbeat
from giftcard_gateway.journal.contract import (
    Backlog,
    Change,
    Due,
    EventRow,
    Journal,
    Resealed,
    Row,
    RowQuery,
    SchemaState,
    Sealed,
)
from giftcard_gateway.journal.measured import Pool
from giftcard_gateway.journal.microseconds import from_us, to_us
from giftcard_gateway.journal.notes import AuditRow, KeyInUse, KeyRow, PauseRow
from giftcard_gateway.journal.postgres import audit as of_audit
from giftcard_gateway.journal.postgres import months, schema
from giftcard_gateway.journal.postgres import notes as of_notes
from giftcard_gateway.journal.postgres import statements as sql
from giftcard_gateway.journal.postgres.alone import add_event, beat, forgotten_arguments, resealed_arguments
from giftcard_gateway.journal.postgres.batches import Batches, transposed
from giftcard_gateway.journal.postgres.hosts import connect
from giftcard_gateway.journal.postgres.numbering import NUMBER_CHANGES, NUMBER_EVENTS, Numbering
from giftcard_gateway.journal.postgres.options import limits_of
from giftcard_gateway.journal.postgres.polling import PLACES, Polling
from giftcard_gateway.journal.postgres.reading import (
    changes_after,
    cursor_of,
    end_of,
    events_after,
    events_of,
    listed,
    place_in,
    rows_by_id,
    statement_of,
    until,
)
from giftcard_gateway.journal.postgres.sessions import LOST, SessionLimits, Sessions, closed
from giftcard_gateway.journal.postgres.wake import Wake
from giftcard_gateway.journal.rows import (
    Append,
    Open,
    Write,
    change_of,
    event_of,
    row_of,
)
from giftcard_gateway.journal.signal import Signal

if TYPE_CHECKING:
    from typing import Self

    from giftcard_gateway.journal.settings import JournalSettings
    from giftcard_gateway.ledger.grace import Outage

_DEFAULT_LIMITS = SessionLimits()


class Postgres(Journal):
    """A journal in the PostgreSQL database at `url`; of several hosts in it whichever may be written.

    `listen_url` leads to the same database without a pooler; empty when `url` does so itself. With a `poll_s`
    nobody listens: every process looks as often by itself.
    """

    is_shared = True
    system = "postgresql"

    def __init__(
        self, url: str, limits: SessionLimits = _DEFAULT_LIMITS, *, listen_url: str = "", poll_s: float = 0.0
    ) -> None:
        self._url = url
        self._limits = limits
        self._signal = Signal()
        self._sessions = Sessions(url, limits)
        self._batches = Batches(
            self._sessions,
            self._changed,
            lambda *told: self.on_batch(self.system, *told),
            lambda: self.caller(),  # noqa: PLW0108 - it is set later
        )
        self._changes = Numbering(self._sessions, NUMBER_CHANGES)
        self._events = Numbering(self._sessions, NUMBER_EVENTS)
        self._wake: Wake | Polling = (
            Polling(self._sessions, self._signal, poll_s, (self._changes, self._events))
            if poll_s
            else Wake(listen_url or url, self._sessions, self._signal.fire, limits.connect_timeout_s)
        )

    @classmethod
    def at(cls, settings: JournalSettings) -> Self:
        """Return the journal at a `postgresql://user:password@host1,host2/database` URL; see Journal.at."""
        limits = limits_of(settings)
        listen_url = settings.listen_url.reveal()
        return cls(settings.url.reveal(), limits, listen_url=listen_url, poll_s=settings.poll_s)

    @property
    def pool(self) -> Pool | None:
        """Return how the sessions are used; see Journal.pool."""
        return self._sessions.use

    async def schema(self) -> SchemaState:
        """Return how the database's schema stands; see Journal.schema."""
        async with self._session() as session:
            return await schema.state(session)

    async def upgrade(self) -> None:
        """Bring the database to the known schema; see Journal.upgrade."""
        async with self._session() as session:
            await schema.upgrade(session)

    async def start(self) -> None:
        """Connect, refuse a schema that is not known, and listen; see Journal.start."""
        await self._sessions.open()
        try:
            found = await self._sessions.run(lambda connection, _: schema.read(connection))
            schema.STEPS.refuse_unknown(found, schema.NAME)
            schema.STEPS.tell_newer(found, schema.NAME)
        except BaseException:
            await self._sessions.close()
            raise
        self._wake.start()

    async def close(self) -> None:
        """Finish the writes that wait and let go of the server."""
        await self._batches.drain()
        await self._wake.close()
        await self._changes.close()
        await self._events.close()
        await self._sessions.close()

    async def check(self) -> None:
        """Commit something that leaves no trace: a standby, a full disk or a missing standby refuse it."""
        await self._sessions.run(lambda connection, _: connection.execute(sql.BARRIER), is_write=True)

    async def open(self, row: Row) -> Row | None:
        """Insert a row; see Journal.open."""
        return cast("Row | None", await self._batches.submit(Open(row)))

    async def write(self, row: Row) -> bool:
        """Replace a row; see Journal.write."""
        return cast("bool", await self._batches.submit(Write(row)))

    async def get(self, transaction_id: str) -> Row | None:
        """Return one row; see Journal.get."""
        found = await self._sessions.run(lambda session, _: rows_by_id(session, [transaction_id]))
        return found.get(transaction_id)

    async def list(self, query: RowQuery) -> Sequence[Row]:
        """Return rows newest first; see Journal.list."""
        statement, arguments = statement_of(query)
        return [row_of(tuple(record)) for record in await self._fetch(statement, *arguments)]

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
        """Take what is due; see Journal.claim.

        Never repeated: rows taken by a try whose answer was lost come due again when their lease ends.
        """
        found = await self._sessions.run(
            lambda connection, _: connection.fetch(
                sql.CLAIM, to_us(now), to_us(lease_until), driver, limit, provider, states, listed(heads)
            ),
            is_write=True,
            tries=1,
        )
        return [row_of(tuple(record)[:-1]) for record in sorted(found, key=lambda each: each["was_due_us"])]

    async def next_due(self) -> Sequence[Due]:
        """Return the earliest due times; see Journal.next_due."""
        return [
            Due(provider=provider, state=state, due_at=from_us(due_us))
            for provider, state, due_us in await self._fetch(sql.NEXT_DUE)
        ]

    async def beat(self, now: datetime, *, silence: timedelta) -> Outage | None:
        """Write down that this process can write; see Journal.beat."""
        told = await self._sessions.run(partial(beat, now=now, silence=silence), is_write=True)
        self._changes.begin()
        self._events.begin()
        return None if told is None else heartbeat.outage_of(tuple(told))

    async def wait_changed(self, timeout_s: float) -> None:
        """Wait for the next write, here or elsewhere; see Journal.wait_changed."""
        await self._signal.wait(timeout_s)

    async def changes(self, *, after: str, limit: int, tenant: str | None = None) -> Sequence[Change]:
        """Return the feed after a cursor; see Journal.changes."""
        place = place_in(after)
        safe = await self._changes.safe()
        found = await self._fetch(*changes_after(place, limit, tenant))
        if not found:
            await self._must_have_come_to(place, "last_change")
        return [change_of(cursor_of(one), tuple(one)[1:]) for one in until(safe, found)]

    async def last_cursor(self) -> str:
        """Return the newest place in the feed; see Journal.last_cursor."""
        safe = await self._changes.safe()
        return end_of(await self._fetch(sql.LAST_CHANGE), safe)

    async def api_keys(self) -> Sequence[KeyRow]:
        """Return every API key; see Notes.api_keys."""
        return [of_notes.key_row(found) for found in await self._fetch_beside(of_notes.API_KEYS)]

    async def put_api_key(self, key: KeyRow) -> None:
        """Insert or replace a key; see Notes.put_api_key."""
        await self._execute_beside(of_notes.PUT_API_KEY, key.key_id, key.document)

    async def pauses(self) -> Sequence[PauseRow]:
        """Return what was said of providers; see Notes.pauses."""
        return [of_notes.pause_row(found) for found in await self._fetch_beside(of_notes.PAUSES)]

    async def put_pause(self, pause: PauseRow) -> None:
        """Say something of a provider; see Notes.put_pause."""
        await self._execute_beside(of_notes.PUT_PAUSE, pause.provider, pause.document)

    async def add_audit(self, rows: Sequence[AuditRow], *, rides: bool = False) -> None:
        """Insert records of the audit; see Journal.add_audit."""
        if self._sessions.is_open:
            await self._batches.submit(Append(rows), rides=rides)
        else:
            values = transposed([of_audit.audit_values(row) for row in rows], 6)
            await self._execute_beside(of_audit.ADD_AUDIT, *values)

    async def audit_heads(self, limit: int) -> Sequence[AuditRow]:
        """Return the last records of chains; see Journal.audit_heads."""
        return [of_audit.audit_row(found) for found in await self._fetch_beside(of_audit.AUDIT_HEADS, limit)]

    async def audit(self, *, after: tuple[str, int], limit: int) -> Sequence[AuditRow]:
        """Return records after a place; see Journal.audit."""
        return [
            of_audit.audit_row(found) for found in await self._fetch_beside(of_audit.AUDIT, *after, limit)
        ]

    async def purge_audit(self, chain: str, *, until: int, limit: int) -> int:
        """Delete the first records of a chain; see Journal.purge_audit."""
        async with self._session() as session:
            schema.STEPS.refuse_unknown(await schema.read(session), schema.NAME)
            async with session.transaction():
                await session.execute(of_audit.OPEN_PURGE_OF_AUDIT, chain, until)
                gone: int = await session.fetchval(of_audit.PURGE_AUDIT, chain, until, limit)
                await session.execute(of_audit.CLOSE_PURGE_OF_AUDIT, chain)
        return gone

    async def last_event_cursor(self) -> str:
        """Return the newest place among the events; see Journal.last_event_cursor."""
        safe = await self._events.safe()
        return end_of(await self._fetch(sql.LAST_EVENT), safe)

    async def backlog(self, *, tenant: str | None = None) -> Sequence[Backlog]:
        """Count what is open; see Journal.backlog."""
        asked = (sql.BACKLOG,) if tenant is None else (sql.BACKLOG_OF_TENANT, tenant)
        return [
            Backlog(provider=provider, state=state, count=count, oldest_at=from_us(oldest_us))
            for provider, state, count, oldest_us in await self._fetch(*asked)
        ]

    async def damaged(self) -> int:
        """Count rows whose plain columns cannot be; see Journal.damaged."""
        ((count,),) = await self._fetch(sql.DAMAGED)
        return int(count)

    async def purge(self, *, before: datetime, limit: int, tenant: str | None = None) -> int:
        """Delete finished rows; see Journal.purge."""
        # What has no place yet would get one when its transaction is gone.
        await self._changes.settle()
        await self._events.settle()
        statement = sql.PURGE if tenant is None else sql.PURGE_OF_TENANT
        given = (to_us(before), limit, *(() if tenant is None else (tenant,)))
        gone = await self._count(statement, *given)
        if gone or tenant is not None:
            return gone
        # Of months that were dropped, whose rows are counted here.
        return await self._count(months.FREE_IDS, limit)

    async def forget(self, rows: Sequence[Row | EventRow]) -> int:
        """Delete what is as it was read; see Journal.forget."""
        await self._changes.settle()
        return await self._count(sql.FORGET, *forgotten_arguments(rows))

    async def _count(self, statement: str, *given: object) -> int:
        return int(await self._sessions.run(lambda one, _: one.fetchval(statement, *given), is_write=True))

    async def now(self) -> datetime:
        """Return the server's time; see Journal.now."""
        ((now,),) = await self._fetch_beside(sql.NOW)
        return cast("datetime", now)

    async def tend(self, now: datetime) -> None:
        """Make the tables of the months to come; see Journal.tend."""
        await self._sessions.run(lambda connection, _: months.make(connection, now), is_write=True)

    async def drop(self, *, before: datetime) -> datetime:
        """Drop whole months; see Journal.drop."""
        async with self._session() as session:
            return await months.drop(session, before)

    async def add_event(self, event: EventRow, other_ids: Sequence[str] = ()) -> bool:
        """Insert an event; see Journal.add_event."""
        is_new = await self._sessions.run(partial(add_event, event, other_ids), is_write=True)
        self._changed()
        return is_new

    async def mark_event_applied(self, provider: str, event_id: str, *, tenant: str | None = None) -> None:
        """Remember that an event was carried over; see Journal.mark_event_applied."""
        await self._sessions.run(
            lambda connection, _: connection.execute(sql.MARK_EVENT, provider, event_id, tenant),
            is_write=True,
        )

    async def unapplied_events(
        self, limit: int, heads: Collection[bytes] | None = None
    ) -> Sequence[EventRow]:
        """Return events still to be carried over; see Journal.unapplied_events."""
        return events_of(await self._fetch(sql.EVENTS_UNAPPLIED, limit, listed(heads)))

    async def seals(self, states: Sequence[str] | None = None) -> Sequence[Sealed]:
        """Count documents by what they begin with; see Journal.seals."""
        found = await (self._fetch if self._sessions.is_open else self._fetch_alone)(sql.SEALS, states)
        return [Sealed(table=table, head=head or b"", count=count) for table, head, count in found]

    async def indexed(self, states: Sequence[str] | None = None) -> Mapping[str, int]:
        """Count transactions by their hash key; see Journal.indexed."""
        found = await (self._fetch if self._sessions.is_open else self._fetch_alone)(sql.INDEXED, states)
        return {each["hash_key"]: each["count"] for each in found}

    async def keys_in_use(self) -> Sequence[KeyInUse]:
        """Return the keys that were noted; see Journal.keys_in_use."""
        return [KeyInUse(*row) for row in await self._fetch(sql.KEYS_IN_USE)]

    async def use_keys(self, noted: Collection[KeyInUse]) -> None:
        """Note keys; see Journal.use_keys."""
        columns = transposed([(key.kind, key.key_id, key.fingerprint) for key in noted], 3)
        await self._sessions.run(lambda session, _: session.execute(sql.USE_KEYS, *columns), is_write=True)

    async def drop_keys(self, noted: Collection[KeyInUse]) -> None:
        """Take back notes; see Journal.drop_keys."""
        columns = [key.kind for key in noted], [key.key_id for key in noted]
        await self._sessions.run(lambda session, _: session.execute(sql.DROP_KEYS, *columns), is_write=True)

    async def rows_after(self, after: str, limit: int) -> Sequence[Row]:
        """Return transactions by id; see Journal.rows_after."""
        return [row_of(tuple(record)) for record in await self._fetch_alone(sql.ROWS_AFTER, after, limit)]

    async def events_after(self, after: tuple[str, str], limit: int) -> Sequence[EventRow]:
        """Return events by their ids; see Journal.events_after."""
        found = await self._fetch_alone(sql.EVENTS_AFTER, *after, limit)
        return [event_of("", tuple(record)) for record in found]

    async def reseal(self, resealed: Sequence[Resealed]) -> int:
        """Replace documents; see Journal.reseal."""
        ((done,),) = await self._fetch_alone(sql.RESEAL, *resealed_arguments(resealed))
        return int(done)

    async def events(
        self, *, after: str, limit: int, provider: str | None = None, tenant: str | None = None
    ) -> Sequence[EventRow]:
        """Return events after a cursor; see Journal.events."""
        place = place_in(after)
        safe = await self._events.safe()
        found = await self._fetch(*events_after(place, limit, provider, tenant))
        if not found:
            await self._must_have_come_to(place, "last_event")
        return events_of(until(safe, found))

    async def _must_have_come_to(self, place: int, column: str) -> None:
        """Raise ValueError for a place that a feed has not come to: what comes next would be passed over.

        The journal was restored, or a failover forgot what it had.
        """
        if place:
            (ends,) = await self._fetch(PLACES)
            if ends[column] < place:
                raise ValueError("this is not a cursor of this feed")

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """Give a session of its own, without the time limits that statements of a serving gateway have."""
        try:
            session = await connect(
                self._url,
                timeout=self._limits.connect_timeout_s,
                statement_cache_size=self._limits.statements_kept,
            )
        except (*LOST, ValueError) as fault:
            raise closed(fault) from fault
        try:
            yield session
        except LOST as fault:
            raise closed(fault) from fault
        finally:
            with suppress(*LOST):
                await session.close()

    async def _fetch_alone(self, statement: str, *arguments: object) -> Sequence[asyncpg.Record]:
        async with self._session() as session:
            schema.STEPS.refuse_unknown(await schema.read(session), schema.NAME)
            found: Sequence[asyncpg.Record] = await session.fetch(statement, *arguments)
            return found

    def _changed(self) -> None:
        self._signal.fire()
        self._wake.tell()

    async def _fetch_beside(self, statement: str, *arguments: object) -> Sequence[asyncpg.Record]:
        """Read, started or not."""
        if self._sessions.is_open:
            return await self._fetch(statement, *arguments)
        async with self._session() as session:
            schema.STEPS.refuse_unknown(await schema.read(session), schema.NAME)
            return await session.fetch(statement, *arguments)

    async def _execute_beside(self, statement: str, *arguments: object) -> None:
        """Write, started or not."""
        if self._sessions.is_open:
            await self._sessions.run(lambda session, _: session.execute(statement, *arguments), is_write=True)
            return
        async with self._session() as session:
            schema.STEPS.refuse_unknown(await schema.read(session), schema.NAME)
            await session.execute(statement, *arguments)

    async def _fetch(self, statement: str, *arguments: object) -> Sequence[asyncpg.Record]:
        return await self._sessions.run(lambda connection, _: connection.fetch(statement, *arguments))
