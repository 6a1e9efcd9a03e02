"""One SQLite file: how it is opened and locked, and what a batch of writes does to it.

Everything here blocks; `journal` runs it on threads.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from giftcard_gateway.journal import heartbeat
from giftcard_gateway.journal.contract import EventRow, JournalBusy, JournalClosed, Row
from giftcard_gateway.journal.group_commit import Ack
from giftcard_gateway.journal.microseconds import to_us
from giftcard_gateway.journal.rows import (
    COLUMNS,
    EVENT_COLUMNS,
    Append,
    Open,
    Write,
    columns,
    event_values_of,
    is_same,
    row_of,
    values_of,
    written_of,
)
from giftcard_gateway.journal.sqlite import audit
from giftcard_gateway.ledger.grace import Outage
from giftcard_gateway.seal import head_of

MEMORY = ":memory:"

_PRAGMAS = (
    "journal_mode = WAL",
    "busy_timeout = 5000",
    "cache_size = -65536",
    "temp_store = MEMORY",
    "trusted_schema = OFF",
    # Documents are sealed, so wiping freed pages would cost writes and hide nothing.
    "secure_delete = OFF",
    # 16 MB between checkpoints: fewer pages are copied twice, and a restart still replays in an instant.
    "wal_autocheckpoint = 4000",
    "journal_size_limit = 67108864",
)

_SELECT = f"SELECT {columns()} FROM transactions"
DUE = (
    f"SELECT {columns()}, rowid FROM transactions"
    " WHERE provider = ? AND state = ? AND due_us <= ? ORDER BY due_us LIMIT ?"
)
DUE_OPENABLE = DUE.replace(
    " ORDER BY", " AND sealed_head(CAST(document AS BLOB)) IN (SELECT value FROM json_each(?)) ORDER BY"
)
BEAT = heartbeat.statement("?1", "?2")
FREE_DRIVERS = (
    "UPDATE transactions SET driver = '', due_us = min(due_us, updated_us)"
    " WHERE due_us IS NOT NULL AND driver <> ''"
)
_TAKE = (
    "UPDATE transactions SET due_us = ?, driver = ?, fence = iif(? = '', ?, fence),"
    " version = iif(? = '', ?, version) WHERE rowid = ?"
)
_INSERT = f"INSERT INTO transactions ({columns()}) VALUES ({', '.join('?' * len(COLUMNS))})"
_UPDATE = (
    "UPDATE transactions SET state = ?, updated_us = ?, due_us = ?, driver = ?, version = ?, fence = ?,"
    " document = ?, hash_key = ? WHERE transaction_id = ?"
)
_CHANGE = "INSERT INTO changes (transaction_id, created_us, state, at_us, tenant) VALUES (?, ?, ?, ?, ?)"
_BLIND_INDEX = "INSERT OR IGNORE INTO handles (handle, created_us, transaction_id) VALUES (?, ?, ?)"
FORGET_INDEXES = "DELETE FROM handles WHERE transaction_id = ? AND created_us = ?"


UNFIT = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    ValueError,
)
"""What a single request can be at fault for; anything else from SQLite is the database's fault."""


Work = Callable[[sqlite3.Connection], Ack]
Recorded = Open | Write | Append
"""What is done by one statement for many."""
WriteRequest = Recorded | Work


def connect(path: str, *, synchronous: str = "FULL") -> sqlite3.Connection:
    """Open the file, made private to its owner if it is new; raise JournalClosed when it cannot be."""
    try:
        _make_private(path)
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        connection.create_function("sealed_head", 1, _head_in_hex, deterministic=True)
        connection.text_factory = text_of
        for pragma in (*_PRAGMAS, f"synchronous = {synchronous}"):
            connection.execute(f"PRAGMA {pragma}")
    except (OSError, sqlite3.Error) as fault:
        raise closed(fault) from fault
    return connection


def _make_private(path: str) -> None:
    """Make the file readable to its owner alone, if there is none.

    One that is there is not opened: closing it would give up every lock that SQLite holds on it for this
    process (POSIX locks belong to the process, not to the descriptor), and the next program to read the file
    would then take itself for the last and delete the write-ahead log that we go on writing.
    """
    if path != MEMORY:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def text_of(encoded: bytes) -> str | bytes:
    """Return a text, and of one that is not UTF-8 its bytes, so that others can be read."""
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        return encoded


def _head_in_hex(document: bytes | None) -> str:
    return head_of(document or b"").hex()


def heads_in_json(heads: Iterable[bytes]) -> str:
    """Return beginnings of documents as `sealed_head` writes them, for json_each."""
    return json.dumps([head.hex() for head in heads])


def lock(path: str) -> int:
    """Keep every other writer away until the returned descriptor is closed, also by a kill -9.

    Raise JournalBusy when another process holds the lock.
    """
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise closed(fault) from fault
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise JournalBusy(
            f"process {holder} already writes the journal {Path(path).name}, and SQLite allows one:"
            " stop that process, or use PostgreSQL for several"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    return descriptor


def unfit(fault: Exception) -> ValueError:
    """Return what a caller gets whose request no journal can serve."""
    return fault if isinstance(fault, ValueError) else ValueError(f"this cannot be journalled: {fault}")


def closed(fault: Exception) -> JournalClosed:
    """Return what a caller gets when the database is at fault; SQLite's own words hold no row data."""
    why = f"{fault.filename}: {fault.strerror}" if isinstance(fault, OSError) else fault
    return JournalClosed(f"the journal cannot be used: {why}")


def serve_writes(connection: sqlite3.Connection, requests: Sequence[WriteRequest]) -> Sequence[Ack]:
    """Do all requests in one database transaction and return what came of each, once it is on disk.

    A fault of the database fails them all. A request that cannot be done by itself fails alone.
    """
    try:
        return _commit(connection, requests)
    except UNFIT as fault:
        _roll_back(connection)
        if len(requests) == 1:
            return [unfit(fault)]
        return [ack for each in requests for ack in serve_writes(connection, [each])]
    except sqlite3.Error as fault:
        _roll_back(connection)
        return [closed(fault)] * len(requests)


def serve_reads(connection: sqlite3.Connection, requests: Sequence[Work]) -> Sequence[Ack]:
    """Do all reads one after the other; each sees every write that was answered before it was asked."""
    return [_read(connection, request) for request in requests]


def read_rows(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, Row]:
    """Return the rows with these ids, by id."""
    found = connection.execute(
        f"{_SELECT} WHERE transaction_id IN (SELECT value FROM json_each(?))", (json.dumps(ids),)
    )
    return {values[0]: row_of(values) for values in found}


def claim(
    connection: sqlite3.Connection,
    *,
    now: datetime,
    lease_until: datetime,
    driver: str,
    limit: int,
    provider: str,
    states: Sequence[str],
    heads: Collection[bytes] | None,
) -> Sequence[Row]:
    """Take what is due; see Journal.claim."""
    statement = DUE if heads is None else DUE_OPENABLE
    openable = () if heads is None else (heads_in_json(heads),)
    due = [
        (row_of(values), number)
        for state in states
        for *values, number in connection.execute(
            statement, (provider, state, to_us(now), *openable, limit)
        ).fetchall()
    ]
    due.sort(key=lambda found: found[0].due_at or now)
    taken = [(_taken(row, lease_until, driver), number) for row, number in due[:limit]]
    connection.executemany(
        _TAKE,
        [
            (to_us(lease_until), driver, row.damaged, row.fence, row.damaged, row.version, number)
            for row, number in taken
        ],
    )
    return [row for row, _ in taken]


def _taken(row: Row, lease_until: datetime, driver: str) -> Row:
    if row.damaged:
        # Its counts may be what is damaged, and stay as they are: only its turn is over.
        return row
    return msgspec.structs.replace(
        row, due_at=lease_until, driver=driver, fence=row.fence + 1, version=row.version + 1
    )


def free_drivers(connection: sqlite3.Connection) -> None:
    """Make due at once what a process drove that is gone; only the holder of the lock may ask."""
    connection.execute(FREE_DRIVERS)


def beat(connection: sqlite3.Connection, *, now: datetime, silence: timedelta) -> Outage | None:
    """Write down that this process can write; see Journal.beat."""
    told = connection.execute(BEAT, (to_us(now), silence // timedelta(microseconds=1)))
    return heartbeat.outage_of(told.fetchone())


def add_event(connection: sqlite3.Connection, event: EventRow, other_ids: Sequence[str]) -> bool:
    """Insert an event; see Journal.add_event."""
    done = connection.execute(
        f"INSERT INTO events ({columns(names=EVENT_COLUMNS)}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7"
        " WHERE NOT EXISTS (SELECT 1 FROM events WHERE provider = ?1"
        " AND event_id IN (SELECT value FROM json_each(?8)))"
        " ON CONFLICT (provider, event_id) DO NOTHING",
        (*event_values_of(event), json.dumps(other_ids)),
    )
    return done.rowcount == 1


def _commit(connection: sqlite3.Connection, requests: Sequence[WriteRequest]) -> Sequence[Ack]:
    connection.execute("BEGIN IMMEDIATE")
    acks: list[Ack] = []
    rows: list[Recorded] = []
    for request in requests:
        if isinstance(request, Recorded):
            rows.append(request)
        else:
            acks += _apply_rows(connection, rows)
            rows = []
            acks.append(request(connection))
    acks += _apply_rows(connection, rows)
    connection.execute("COMMIT")
    return acks


def _apply_rows(connection: sqlite3.Connection, requests: Sequence[Recorded]) -> list[Ack]:
    """Insert and replace rows, and add to the audit.

    No other writer exists, so what was read stays true until the commit.
    """
    if not requests:
        return []
    audited = [row for request in requests if isinstance(request, Append) for row in request.rows]
    if audited:
        audit.add(connection, audited)
    known = _read_versions(
        connection,
        [request.row.transaction_id for request in requests if not isinstance(request, Append)],
    )
    inserts: list[Row] = []
    updates: list[Row] = []
    changes: list[Row] = []
    acks: list[Ack] = []
    for request in requests:
        if isinstance(request, Append):
            acks.append(None)
            continue
        row = request.row
        recorded = known.get(row.transaction_id)
        is_new = isinstance(request, Open)
        if (recorded is None) if is_new else (recorded is not None and recorded[0] == row.version - 1):
            if recorded is not None and recorded[2] != row.hash_key and not row.are_all_indexes:
                row = msgspec.structs.replace(row, hash_key="")
            (inserts if is_new else updates).append(row)
            if recorded is None or recorded[1] != row.state:
                changes.append(row)
            known[row.transaction_id] = (row.version, row.state, row.hash_key)
            acks.append(None if is_new else True)
        else:
            acks.append(request)
    _store(connection, inserts, updates, changes)
    return _compare_refused(connection, acks)


def _read_versions(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, tuple[int, str, str]]:
    found = connection.execute(
        "SELECT transaction_id, version, state, hash_key FROM transactions"
        " WHERE transaction_id IN (SELECT value FROM json_each(?))",
        (json.dumps(ids),),
    )
    return {transaction_id: (version, state, hash_key) for transaction_id, version, state, hash_key in found}


def _store(
    connection: sqlite3.Connection, inserts: Sequence[Row], updates: Sequence[Row], changes: Sequence[Row]
) -> None:
    connection.executemany(_INSERT, [values_of(row) for row in inserts])
    connection.executemany(_UPDATE, [(*written_of(row), row.transaction_id) for row in updates])
    connection.executemany(
        _CHANGE,
        [
            (row.transaction_id, to_us(row.created_at), row.state, to_us(row.updated_at), row.tenant)
            for row in changes
        ],
    )
    for row in updates:
        if row.are_all_indexes:
            connection.execute(FORGET_INDEXES, (row.transaction_id, to_us(row.created_at))).close()
    add_indexes(connection, [(row, row.blind_indexes) for rows in (inserts, updates) for row in rows])


def add_indexes(connection: sqlite3.Connection, found: Iterable[tuple[Row, Iterable[bytes]]]) -> None:
    """Let rows be found by blind indexes."""
    connection.executemany(
        _BLIND_INDEX,
        [(index, to_us(row.created_at), row.transaction_id) for row, indexes in found for index in indexes],
    )


def _compare_refused(connection: sqlite3.Connection, acks: list[Ack]) -> list[Ack]:
    """Answer what was not stored: an open by the recorded row, a write by whether it is the recorded one."""
    refused = [ack.row.transaction_id for ack in acks if isinstance(ack, Open | Write)]
    if not refused:
        return acks
    recorded = read_rows(connection, refused)
    return [_compare(ack, recorded) for ack in acks]


def _compare(ack: Ack, recorded: dict[str, Row]) -> Ack:
    match ack:
        case Open(row):
            return recorded[row.transaction_id]
        case Write(row):
            there = recorded.get(row.transaction_id)
            return there is not None and is_same(there, row)
        case _:
            return ack


def _read(connection: sqlite3.Connection, request: Work) -> Ack:
    try:
        return request(connection)
    except UNFIT as fault:
        return unfit(fault)
    except sqlite3.Error as fault:
        return closed(fault)


def _roll_back(connection: sqlite3.Connection) -> None:
    try:
        connection.rollback()
    except sqlite3.Error:
        # The same fault again: SQLite has forgotten the transaction, or does so before the next begins.
        return
