"""Sessions with PostgreSQL: the pool, what ends a try, and how a commit whose answer was lost is repeated.

A connection can break after a COMMIT was sent and before its answer came. Every write here can be
repeated, so it is sent again; whoever sent it says how to read the second answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias, TypeVar

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.journal.measured import Pool
from giftcard_gateway.journal.postgres.hosts import connect
from giftcard_gateway.journal.postgres.statements import BARRIER

Result = TypeVar("Result")
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Work = Callable[[Connection, bool], Awaitable[Result]]
"""Work in a session; the flag says that an earlier try may have done it already."""

UNFIT = (ValueError, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""Faults of a single request: a value that does not fit its column."""

LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""Faults of the server or the connection; a time-out is an OSError."""

UNDONE = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""Faults after which the server has surely undone the statement (40P01, 40001); not so 40003."""

MOST_UNDONE = 5
_PAUSE_S = 0.01

# A command says in sentences what a pool meets. Without a handler, and where nobody set logs up, the library
# would write a traceback to standard error as well.
logging.getLogger("asyncpg").addHandler(logging.NullHandler())

_OF_THE_STATEMENT = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)
"""Faults that end a statement and leave its session usable."""


class SessionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many sessions there may be and how long each step may take."""

    pool_size: int = 8
    connect_timeout_s: float = 5.0
    statement_timeout_s: float = 5.0
    is_pooled: bool = False
    """A pooler such as pgbouncer is between us and the server: nothing may be kept in a session."""

    @property
    def statements_kept(self) -> int:
        """How many statements may stay prepared in a session."""
        return 0 if self.is_pooled else 100


class Doubtful(asyncpg.InterfaceError):
    """The server reported a commit that its standby may not have yet."""


class Sessions:
    """A pool of sessions with a writable server; of several hosts in the URL whichever may be written."""

    def __init__(self, url: str, limits: SessionLimits) -> None:
        self._url = url
        self._limits = limits
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a pool."""
        return self._pool is not None

    @property
    def use(self) -> Pool | None:
        """Return how many sessions are used, None while there is no pool."""
        pool = self._pool
        if pool is None:
            return None
        idle = pool.get_idle_size()
        return Pool(used=pool.get_size() - idle, idle=idle, most=pool.get_max_size())

    async def open(self) -> None:
        """Connect once, to find out that it can be done; raise JournalClosed when not."""
        limits = self._limits
        try:
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=limits.pool_size,
                timeout=limits.connect_timeout_s,
                # A little longer than the server's own limit, whose refusal says more. The server sets none
                # to a commit that waits for its standby; this one ends that wait too.
                command_timeout=limits.statement_timeout_s + 1,
                statement_cache_size=limits.statements_kept,
                server_settings=None if limits.is_pooled else _session_settings(limits.statement_timeout_s),
                reset=_keep,
                connect=connect,
            )
        except (*LOST, ValueError) as fault:
            raise closed(fault) from fault

    async def close(self) -> None:
        """Let go of the sessions, by force when the server does not answer."""
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await asyncio.wait_for(pool.close(), self._limits.connect_timeout_s)
            except LOST:
                pool.terminate()

    async def run(self, work: Work[Result], *, is_write: bool = False, tries: int = 2) -> Result:
        """Do `work` in a session, and once more when the session was lost.

        What the server has undone because of others is done again up to MOST_UNDONE times in all, even where
        `tries` is 1. A repeat is told that it is one all the same: `work` may have had a statement before.
        Raises JournalClosed when it was lost or undone too often, ValueError when a value fits no column.
        """
        fault: Exception = JournalClosed("the journal is not open")
        lost = undone = 0
        while lost < tries and undone < MOST_UNDONE:
            try:
                return await self._try(work, is_repeat=lost + undone > 0, is_write=is_write)
            except UNFIT as unfit:
                # The driver's own words may quote the values.
                raise ValueError(f"this cannot be journalled: {type(unfit).__name__}") from None
            except UNDONE as conflict:
                # Of those that hinder each other one always gets through, so a growing pause needs no chance.
                fault = conflict
                await asyncio.sleep(_PAUSE_S * 2**undone)
                undone += 1
            except LOST as gone:
                fault = gone
                lost += 1
                await self._forget(gone)
        raise closed(fault) from fault

    async def _try(self, work: Work[Result], *, is_repeat: bool, is_write: bool) -> Result:
        async with self._session() as connection:
            if not is_write:
                return await work(connection, is_repeat)
            return await _commit(connection, work, is_repeat=is_repeat)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Connection]:
        if self._pool is None:
            raise JournalClosed("the journal is not open")
        try:
            connection = await self._pool.acquire(timeout=self._limits.connect_timeout_s)
        except TimeoutError:
            # All are busy, or the server does not answer: waiting a second time would not help.
            raise JournalClosed("no session with the journal came free in time") from None
        try:
            yield connection
        finally:
            await self._pool.release(connection)

    async def _forget(self, fault: Exception) -> None:
        """Let the next try connect anew: the server may be another one by then."""
        if self._pool is not None and not isinstance(fault, _OF_THE_STATEMENT):
            await self._pool.expire_connections()


async def _commit(connection: Connection, work: Work[Result], *, is_repeat: bool) -> Result:
    """Do `work`, which commits; raise Doubtful when the server warned about it.

    A commit whose wait for a standby is cut short is a success with a warning. Who answers by what it found,
    and not by what it wrote, has to `make_safe` first.
    """
    warnings: list[object] = []

    def hear(_: object, message: object) -> None:
        warnings.append(message)

    connection.add_log_listener(hear)
    try:
        result = await work(connection, is_repeat)
    finally:
        connection.remove_log_listener(hear)
    if warnings:
        raise Doubtful("the server did not wait for its standby")
    return result


async def make_safe(connection: Connection) -> None:
    """Wait until everything committed so far is as safe as a commit of ours.

    A commit that was given up on stands here, visible, and may not be on the standby yet.
    """
    await connection.execute(BARRIER)


def closed(fault: Exception) -> JournalClosed:
    """Return what a caller gets when the server is at fault."""
    if isinstance(fault, ValueError) and not isinstance(fault, LOST):
        # What cannot be read may be a piece of the password, so it is not repeated.
        return JournalClosed("journal.url cannot be read: in a password / is written %2F, @ %40 and : %3A")
    return JournalClosed(f"the journal cannot be used: {str(fault) or type(fault).__name__}")


def _session_settings(statement_timeout_s: float) -> dict[str, str]:
    timeout_ms = str(int(statement_timeout_s * 1000))
    return {
        "application_name": "giftcard-gateway",
        "statement_timeout": timeout_ms,
        "lock_timeout": timeout_ms,
        "idle_in_transaction_session_timeout": timeout_ms,
        # Every statement has an index to go by, so one plan serves all its calls; planning each anew costs
        # three times what the statement does. That plan may be made while the tables are still small.
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "jit": "off",
    }


async def _keep(_: asyncpg.Connection[asyncpg.Record]) -> None:
    """Spare the round trip that would reset a session: nothing of ours outlives a statement."""
