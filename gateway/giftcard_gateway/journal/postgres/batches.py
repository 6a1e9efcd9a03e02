"""Group commit on PostgreSQL: rows and records of the audit that wait together are written by one statement.

Two batches may be on their way at once, but never two with the same row or chain. The SQL is in `statements`,
the sessions that carry it are in `sessions`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias, TypeGuard

from giftcard_gateway.journal.contract import JournalClosed, Row
from giftcard_gateway.journal.group_commit import RIDE_S
from giftcard_gateway.journal.measured import monotonic_s
from giftcard_gateway.journal.microseconds import to_us
from giftcard_gateway.journal.postgres.audit import audit_values
from giftcard_gateway.journal.postgres.reading import rows_by_id
from giftcard_gateway.journal.postgres.sessions import Connection, Sessions, make_safe
from giftcard_gateway.journal.postgres.writing import BATCH, REWRITE, WRITE_COLUMNS
from giftcard_gateway.journal.rows import (
    COLUMNS,
    FINAL_STATES,
    Append,
    Open,
    Write,
    is_same,
    values_of,
    written_of,
)

Request: TypeAlias = Open | Write | Append
Ack: TypeAlias = Row | bool | Exception | None
"""The answer to one request: a value, or the exception its caller gets."""

LARGEST_BATCH = 256
# Fewer and fuller batches cost less, here and in the server: a second one fills the time the first waits.
IN_FLIGHT = 2
# While calls come thick, waiting this long fills a batch; a call that comes alone is never made to wait.
LINGER_S = 0.002
_FEW = 2
"""What one caller brings by itself, a row and a record of the audit; it is never made to wait."""


class Queued(NamedTuple):
    """A request that waits to be sent, and its caller's future."""

    request: Request
    future: asyncio.Future[Ack]
    at_s: float
    caller: object
    """What names the call that waits for it; None of one that rides."""

    @property
    def about(self) -> str:
        """The row or the chain it is about: what is about the same keeps its order."""
        request = self.request
        return request.rows[0].chain if isinstance(request, Append) else request.row.transaction_id


class Batches:
    """Gathers what is to be written, sends them together, and answers each caller."""

    def __init__(
        self,
        sessions: Sessions,
        on_written: Callable[[], None],
        timed: Callable[[float, float, Sequence[object]], None],
        caller: Callable[[], object],
    ) -> None:
        """`timed` hears how long a batch's first request waited, how long it took, and for whom each was."""
        self._timed = timed
        self._caller = caller
        self._sessions = sessions
        self._on_written = on_written
        self._waiting: deque[Queued] = deque()
        self._busy: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._launch: asyncio.Handle | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._last_size = 1

    async def submit(self, request: Request, *, rides: bool = False) -> Row | bool | None:
        """Wait until the request is committed; it is, even when its caller is cancelled meanwhile.

        One that rides is sent with the next that does not, and no later than RIDE_S from now.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Ack] = loop.create_future()
        caller = None if rides else self._caller()
        self._waiting.append(Queued(request, future, monotonic_s(), caller))
        if not rides:
            self._schedule()
        elif self._leaving is None:
            self._leaving = loop.call_later(RIDE_S, self._leave)
        ack = await future
        if isinstance(ack, Exception):
            raise ack
        return ack

    async def drain(self) -> None:
        """Return when nothing waits and nothing is on its way."""
        while self._waiting or self._tasks:
            self._send_now()
            await asyncio.wait(self._tasks)

    def _leave(self) -> None:
        self._leaving = None
        if self._waiting:
            self._schedule()

    def _schedule(self) -> None:
        if self._launch is not None or self._in_flight >= IN_FLIGHT:
            return
        loop = asyncio.get_running_loop()
        if self._last_size > _FEW:
            self._launch = loop.call_later(LINGER_S, self._send_now)
        else:
            self._launch = loop.call_soon(self._send_now)

    def _send_now(self) -> None:
        if self._launch is not None:
            self._launch.cancel()
            self._launch = None
        if self._in_flight < IN_FLIGHT and (batch := self._take()):
            self._in_flight += 1
            self._busy.update(queued.about for queued in batch)
            self._last_size = len(batch)
            task = asyncio.get_running_loop().create_task(self._carry(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _take(self) -> list[Queued]:
        """Take what can go together: nothing about what is taken already, or its order would be lost."""
        batch: list[Queued] = []
        passed: deque[Queued] = deque()
        seen = set(self._busy)
        while self._waiting and len(batch) < LARGEST_BATCH:
            queued = self._waiting.popleft()
            (passed if queued.about in seen else batch).append(queued)
            seen.add(queued.about)
        self._waiting = passed + self._waiting
        return batch

    async def _carry(self, batch: Sequence[Queued]) -> None:
        # Used only when the event loop is closing, or by a bug: even then no caller may wait for ever.
        acks: Sequence[Ack] = [JournalClosed("the journal stopped before it knew")] * len(batch)
        began_s = monotonic_s()
        try:
            acks = await self._acks(batch)
        finally:
            took_s = monotonic_s() - began_s
            self._timed(began_s - batch[0].at_s, took_s, [queued.caller for queued in batch])
            # Before the answers: who is answered may ask again at once, and finds the way free.
            self._busy.difference_update(queued.about for queued in batch)
            self._in_flight -= 1
            _answer(batch, acks)
            if self._waiting:
                self._schedule()

    async def _acks(self, batch: Sequence[Queued]) -> Sequence[Ack]:
        try:
            acks = await self._sessions.run(partial(_send, batch), is_write=True)
        except ValueError as fault:
            # One of them cannot be written. The others are, each by itself.
            if len(batch) == 1:
                return [fault]
            return [ack for queued in batch for ack in await self._acks([queued])]
        except JournalClosed as fault:
            # Callers do not queue behind a server that is away: what is refused now was surely not sent.
            waiting, self._waiting = self._waiting, deque()
            _answer(waiting, [fault] * len(waiting))
            return [fault] * len(batch)
        self._on_written()
        return acks


def _answer(batch: Sequence[Queued], acks: Sequence[Ack]) -> None:
    for queued, ack in zip(batch, acks, strict=True):
        if not queued.future.done():
            queued.future.set_result(ack)


async def _send(batch: Sequence[Queued], connection: Connection, is_repeat: bool) -> Sequence[Ack]:  # noqa: FBT001 - the shape of a Work
    requests = [queued.request for queued in batch]
    whole = [one for one in requests if _is_whole(one)]
    rest = [one for one in requests if not _is_whole(one)] if whole else requests
    stored: set[str] = set()
    if rest:
        done = await connection.fetchrow(BATCH, *arguments_of(rest))
        stored |= {*done["opened"], *done["written"]} if done else set()
    stored |= await _rewrite(connection, whole)
    refused = [
        request
        for request in requests
        if not isinstance(request, Append) and request.row.transaction_id not in stored
    ]
    if not refused:
        return [_ack(request, stored, {}, is_repeat=is_repeat) for request in requests]
    recorded = await rows_by_id(connection, [request.row.transaction_id for request in refused])
    # Of what ended BATCH writes nothing. Nothing that ended goes back, so what is found there stays.
    ended = [
        request
        for request in refused
        if isinstance(request, Write) and _may_follow(recorded.get(request.row.transaction_id), request.row)
    ]
    stored |= await _rewrite(connection, ended)
    await make_safe(connection)
    return [_ack(request, stored, recorded, is_repeat=is_repeat) for request in requests]


def _is_whole(request: Request) -> TypeGuard[Write]:
    return isinstance(request, Write) and request.row.are_all_indexes


def _may_follow(there: Row | None, row: Row) -> bool:
    return there is not None and there.state in FINAL_STATES and there.version == row.version - 1


async def _rewrite(connection: Connection, writes: Sequence[Write]) -> set[str]:
    """Write wherever the rows lie; return the ids of those that were."""
    if not writes:
        return set()
    rows = sorted((write.row for write in writes), key=lambda row: row.transaction_id)
    whole = [row.transaction_id for row in rows if row.are_all_indexes]
    done = await connection.fetchrow(REWRITE, *_written(rows), whole, *_indexes(rows))
    return set(done["written"]) if done else set()


def arguments_of(requests: Sequence[Request]) -> list[Sequence[object]]:
    """Return the columns of a batch, ordered by id, so that two processes lock rows the same way."""
    records = [request for request in requests if isinstance(request, Append)]
    about_rows = sorted(
        (request for request in requests if not isinstance(request, Append)),
        key=lambda request: request.row.transaction_id,
    )
    opened = [values_of(request.row) for request in about_rows if isinstance(request, Open)]
    written = [request.row for request in about_rows if isinstance(request, Write)]
    audited = [audit_values(row) for append in records for row in append.rows]
    return [
        *transposed(opened, len(COLUMNS)),
        *_written([row for row in written if row.state not in FINAL_STATES]),
        *_written([row for row in written if row.state in FINAL_STATES]),
        *_indexes([request.row for request in about_rows]),
        *transposed(audited, 6),
    ]


def _written(rows: Sequence[Row]) -> Sequence[Sequence[object]]:
    values = [(row.transaction_id, to_us(row.created_at), *written_of(row)) for row in rows]
    return transposed(values, WRITE_COLUMNS)


def _indexes(rows: Sequence[Row]) -> Sequence[Sequence[object]]:
    return transposed([(row.transaction_id, index) for row in rows for index in row.blind_indexes], 2)


def transposed(rows: Sequence[tuple[object, ...]], count: int) -> Sequence[Sequence[object]]:
    """Return rows as columns, `count` of them even where there is no row."""
    return list(zip(*rows, strict=True)) if rows else [()] * count


def _ack(request: Request, stored: set[str], recorded: dict[str, Row], *, is_repeat: bool) -> Ack:
    if isinstance(request, Append):
        return None
    row = request.row
    if row.transaction_id in stored:
        return None if isinstance(request, Open) else True
    there = recorded.get(row.transaction_id)
    if isinstance(request, Write):
        return there is not None and is_same(there, row)
    if there is None:
        return JournalClosed("the row was purged at this very moment: ask again")
    return None if is_repeat and is_same(there, row) else there
