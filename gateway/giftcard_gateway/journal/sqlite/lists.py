"""Reads of an SQLite journal, each along an index: lists, feeds and counts; and purging."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice

from giftcard_gateway.journal.contract import Backlog, Change, Due, EventRow, Row, RowQuery
from giftcard_gateway.journal.microseconds import EARLIEST_US, LATEST_US, from_us, to_us
from giftcard_gateway.journal.rows import (
    EVENT_COLUMNS,
    FINAL_STATES,
    OPEN_STATES,
    OPERATIONS,
    STATES,
    Stream,
    bounds,
    change_of,
    columns,
    event_of,
    is_wanted,
    text_in,
)
from giftcard_gateway.journal.sqlite.file import FORGET_INDEXES, heads_in_json, read_rows

RowKey = tuple[int, str]

# Text that is not UTF-8 comes and goes as bytes; see `file.text_of`.
_OF_STREAM = (
    "tenant = CAST(?1 AS TEXT) AND state = CAST(?2 AS TEXT)"
    " AND provider = CAST(?3 AS TEXT) AND operation = CAST(?4 AS TEXT)"
)
STREAM_ROWS = (
    f"SELECT created_us, transaction_id FROM transactions WHERE {_OF_STREAM}"
    " AND created_us >= ? AND (created_us, transaction_id) < (?, ?)"
    " ORDER BY created_us DESC, transaction_id DESC"
)
_INDEXED = (
    "SELECT h.created_us, h.transaction_id, t.tenant, t.state, t.provider, t.operation"
    " FROM handles h CROSS JOIN transactions t USING (transaction_id, created_us)"
    " WHERE h.handle = ? AND h.created_us >= ? AND (h.created_us, h.transaction_id) < (?, ?)"
)
# Beyond the last good row of a run, blobs sorting after text: with fewer columns SQLite would walk through
# the run instead of over it, and so it would without the plus, which takes CAST's affinity away. Damaged rows
# that sort behind it are walked through; what is no text at all is passed over.
_NEXT = " AND ".join(f"typeof({name}) = 'text'" for name in ("tenant", "state", "provider", "operation"))
_PLACE = "(+CAST(?1 AS TEXT), +CAST(?2 AS TEXT), +CAST(?3 AS TEXT), +CAST(?4 AS TEXT)"
NEXT_STREAM = (
    "SELECT tenant, state, provider, operation FROM transactions"
    " WHERE (tenant, state, provider, operation, created_us, transaction_id)"
    f" > {_PLACE}, 9223372036854775807, x'') AND (tenant, state, provider, operation) > {_PLACE}) AND {_NEXT}"
    " ORDER BY tenant, state, provider, operation, created_us, transaction_id LIMIT 1"
)
CHANGES = "SELECT number, transaction_id, state, at_us FROM changes WHERE number > ? ORDER BY number LIMIT ?"
CHANGES_OF_TENANT = (
    "SELECT number, transaction_id, state, at_us FROM changes"
    " WHERE tenant = ? AND number > ? ORDER BY number LIMIT ?"
)
_EVENTS = f"SELECT number, {columns(names=EVENT_COLUMNS)} FROM events"
EVENTS = f"{_EVENTS} WHERE number > ? ORDER BY number LIMIT ?"
EVENTS_OF_PROVIDER = f"{_EVENTS} WHERE provider = ? AND number > ? ORDER BY number LIMIT ?"
# Two runs of one index, merged: the tenant's own, and those from before anybody noted whose they are.
EVENTS_OF_TENANT = (
    f"{_EVENTS} WHERE tenant = ? AND number > ?"
    f" UNION ALL {_EVENTS} WHERE tenant = '' AND number > ? ORDER BY number LIMIT ?"
)
EVENTS_OF_TENANT_AND_PROVIDER = EVENTS_OF_TENANT.replace(" AND number", " AND provider = ? AND number")
MARK_EVENT = (
    "UPDATE events SET applied = TRUE, tenant = coalesce(?, tenant) WHERE provider = ? AND event_id = ?"
)
EVENTS_UNAPPLIED = f"{_EVENTS} WHERE NOT applied ORDER BY number LIMIT ?"
EVENTS_OPENABLE = EVENTS_UNAPPLIED.replace(
    " ORDER BY", " AND sealed_head(CAST(document AS BLOB)) IN (SELECT value FROM json_each(?)) ORDER BY"
)
BACKLOG = f"SELECT count(*), min(created_us) FROM transactions WHERE {_OF_STREAM}"
PURGEABLE = (
    f"SELECT transaction_id, created_us FROM transactions WHERE {_OF_STREAM}"
    " AND created_us < ? AND updated_us < ?"
    " ORDER BY created_us LIMIT ?"
)
# The first that came, looked at in their order, and of them those that are old: O(limit), not O(history).
PURGE_EVENTS = (
    "DELETE FROM events WHERE number IN (SELECT number FROM"
    " (SELECT number, received_us FROM events WHERE applied ORDER BY number LIMIT :limit)"
    " WHERE received_us < :before)"
)
PURGE_EVENTS_OF_TENANT = PURGE_EVENTS.replace("WHERE applied", "WHERE tenant = :tenant AND applied")
FORGET_EVENT = "DELETE FROM events WHERE provider = ? AND event_id = ? AND document = ?"
IS_AS_READ = (
    "SELECT 1 FROM transactions WHERE transaction_id = ? AND version = ? AND document = ?"
    f" AND state IN ({', '.join(map(repr, FINAL_STATES))})"
)
FORGET_CHANGES = "DELETE FROM changes WHERE transaction_id = ? AND created_us = ?"
NEXT_DUE = (
    "SELECT provider, state, due_us FROM transactions WHERE due_us IS NOT NULL"
    " AND (provider, state, due_us) > (+CAST(?1 AS TEXT), +CAST(?2 AS TEXT), 9223372036854775807)"
    f" AND due_us <= {LATEST_US} AND typeof(provider) = 'text' AND typeof(state) = 'text'"
    " ORDER BY provider, state, due_us LIMIT 1"
)
_COUNT = f"SELECT count(*) FROM transactions WHERE {_OF_STREAM}"
# Text and blobs are greater than any number.
CREATED_AT_NO_TIME = (
    f"SELECT ({_COUNT} AND created_us < {EARLIEST_US}) + ({_COUNT} AND created_us > {LATEST_US})"
)
DUE_AT_NO_TIME = (
    "SELECT count(*) FROM transactions WHERE provider = CAST(? AS TEXT) AND state = CAST(? AS TEXT)"
    f" AND due_us IS NOT NULL AND due_us > {LATEST_US}"
)


def list_rows(connection: sqlite3.Connection, query: RowQuery) -> Sequence[Row]:
    """Return rows newest first; see Journal.list."""
    keys = _indexed_keys(connection, query) if query.blind_indexes else _stream_keys(connection, query)
    ids = list(islice(filter(None, (text_in(each) for _, each in keys)), query.limit))
    found = read_rows(connection, ids)
    return [found[each] for each in ids]


def next_due(connection: sqlite3.Connection) -> Sequence[Due]:
    """Return the earliest due times, by one seek for each; see Journal.next_due."""
    dues: list[Due] = []
    last = ("", "")
    while found := connection.execute(NEXT_DUE, last).fetchone():
        provider, state, due_us = found
        dues.append(Due(provider=provider, state=state, due_at=from_us(due_us)))
        last = (provider, state)
    return dues


def read_changes(
    connection: sqlite3.Connection, *, after: str, limit: int, tenant: str | None
) -> Sequence[Change]:
    """Return the feed after a cursor; see Journal.changes."""
    place = _place(connection, "changes", after)
    if tenant is None:
        found = connection.execute(CHANGES, (place, limit))
    else:
        found = connection.execute(CHANGES_OF_TENANT, (tenant, place, limit))
    return [change_of(str(number), values) for number, *values in found]


def last_cursor(connection: sqlite3.Connection) -> str:
    """Return the newest place in the feed; see Journal.last_cursor."""
    return _newest(connection, "changes")


def last_event_cursor(connection: sqlite3.Connection) -> str:
    """Return the newest place among the events; see Journal.last_event_cursor."""
    return _newest(connection, "events")


def _newest(connection: sqlite3.Connection, feed: str) -> str:
    # The counter, not the newest row: a purge may have taken that, and numbers go on from the counter.
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (feed,)).fetchone()
    return str(found[0]) if found else ""


def read_backlog(connection: sqlite3.Connection, tenant: str | None = None) -> Sequence[Backlog]:
    """Count what is open; see Journal.backlog."""
    counted: dict[tuple[str, str], Backlog] = {}
    for stream in _streams(connection, tenant):
        _, state, provider, _ = stream
        if state not in OPEN_STATES:
            continue
        count, oldest_us = connection.execute(BACKLOG, stream).fetchone()
        so_far = counted.get((state, provider))
        counted[state, provider] = Backlog(
            provider=provider,
            state=state,
            count=count + (so_far.count if so_far else 0),
            oldest_at=min(from_us(oldest_us), so_far.oldest_at if so_far else from_us(oldest_us)),
        )
    return list(counted.values())


def count_damaged(connection: sqlite3.Connection) -> int:
    """Count rows whose plain columns cannot be; see Journal.damaged."""
    streams = [*_streams(connection)]
    states = {(provider, state) for _, state, provider, _ in streams}
    return sum(
        connection.execute(statement, place).fetchone()[0]
        for statement, place in (
            *((_damaged_in(stream), stream) for stream in streams),
            *((DUE_AT_NO_TIME, place) for place in states),
        )
    )


def _damaged_in(stream: Stream) -> str:
    is_known = stream[1] in STATES and stream[3] in OPERATIONS
    return CREATED_AT_NO_TIME if is_known else _COUNT


def purge(connection: sqlite3.Connection, *, before: datetime, limit: int, tenant: str | None = None) -> int:
    """Delete finished rows with all that belongs to them; see Journal.purge."""
    before_us = to_us(before)
    gone: list[tuple[str, int]] = []
    for stream in _streams(connection, tenant):
        if stream[1] in FINAL_STATES:
            left = limit - len(gone)
            gone += connection.execute(PURGEABLE, (*stream, before_us, before_us, left)).fetchall()
    _forget(connection, gone)
    events = connection.execute(
        PURGE_EVENTS if tenant is None else PURGE_EVENTS_OF_TENANT,
        {"before": before_us, "limit": limit - len(gone), "tenant": tenant},
    )
    return len(gone) + events.rowcount


def forget(connection: sqlite3.Connection, *, rows: Sequence[Row | EventRow]) -> int:
    """Delete what is as it was read; see Journal.forget."""
    gone, events = [], 0
    for one in rows:
        if isinstance(one, EventRow):
            read = (one.provider, one.event_id, one.document)
            events += connection.execute(FORGET_EVENT, read).rowcount
        elif connection.execute(IS_AS_READ, (one.transaction_id, one.version, one.document)).fetchone():
            gone.append((one.transaction_id, to_us(one.created_at)))
    _forget(connection, gone)
    return len(gone) + events


def _forget(connection: sqlite3.Connection, gone: Sequence[tuple[str, int]]) -> None:
    connection.executemany(FORGET_INDEXES, gone)
    connection.executemany(FORGET_CHANGES, gone)
    connection.executemany("DELETE FROM transactions WHERE transaction_id = ?", [(each,) for each, _ in gone])


def unapplied_events(
    connection: sqlite3.Connection, limit: int, heads: Collection[bytes] | None
) -> Sequence[EventRow]:
    """Return events still to be carried over; see Journal.unapplied_events."""
    if heads is not None:
        return _read_events(connection.execute(EVENTS_OPENABLE, (heads_in_json(heads), limit)))
    return _read_events(connection.execute(EVENTS_UNAPPLIED, (limit,)))


def read_events(
    connection: sqlite3.Connection, *, after: str, limit: int, provider: str | None, tenant: str | None
) -> Sequence[EventRow]:
    """Return events after a cursor; see Journal.events."""
    place = _place(connection, "events", after)
    run = (place,) if provider is None else (provider, place)
    if tenant is not None:
        statement = EVENTS_OF_TENANT if provider is None else EVENTS_OF_TENANT_AND_PROVIDER
        return _read_events(connection.execute(statement, (tenant, *run, *run, limit)))
    return _read_events(connection.execute(EVENTS if provider is None else EVENTS_OF_PROVIDER, (*run, limit)))


def _read_events(found: sqlite3.Cursor) -> Sequence[EventRow]:
    return [event_of(str(values[0]), values[1:]) for values in found]


def _stream_keys(connection: sqlite3.Connection, query: RowQuery) -> Iterator[RowKey]:
    """Merge the wanted runs of the index; each is read only as far as the page needs it."""
    lower, upper = bounds(query)
    runs = [
        connection.execute(STREAM_ROWS, (*stream, lower, *upper))
        for stream in _streams(connection, query.tenant)
        if is_wanted(stream, query)
    ]
    return heapq.merge(*runs, reverse=True)


def _streams(connection: sqlite3.Connection, tenant: str | None = None) -> Iterator[Stream]:
    """Return every tenant, state, provider and operation that occurs, by one seek for each.

    Of one tenant only its own are looked at.
    """
    stream: Stream = (tenant or "", "", "", "")
    while found := connection.execute(NEXT_STREAM, stream).fetchone():
        stream = found
        if tenant is not None and stream[0] != tenant:
            return
        yield stream


def indexed_rows(count: int) -> str:
    """Return the statement that merges the runs of so many blind indexes; it reads only as far as asked.

    One statement, because a row may be indexed under another hash key between two.
    """
    return " UNION ALL ".join([_INDEXED] * count) + " ORDER BY 1 DESC, 2 DESC"


def _indexed_keys(connection: sqlite3.Connection, query: RowQuery) -> Iterator[RowKey]:
    lower, upper = bounds(query)
    last: RowKey | None = None
    for created_us, transaction_id, *stream in connection.execute(
        indexed_rows(len(query.blind_indexes)),
        [value for index in query.blind_indexes for value in (index, lower, *upper)],
    ):
        is_again = last == (created_us, transaction_id)
        if not is_again and is_wanted((stream[0], stream[1], stream[2], stream[3]), query):
            last = created_us, transaction_id
            yield last


def _place(connection: sqlite3.Connection, feed: str, cursor: str) -> int:
    """Return the place a cursor means; raise ValueError for text that this feed did not give.

    So is a place that it has not come to: the file was restored, and what comes next would be passed over.
    """
    if not cursor:
        return 0
    is_number = cursor.isascii() and cursor.isdigit() and len(cursor) <= 18  # noqa: PLR2004 - fits 64 bits
    if not is_number or int(cursor) > int(_newest(connection, feed) or 0):
        raise ValueError("this is not a cursor of this feed")
    return int(cursor)
