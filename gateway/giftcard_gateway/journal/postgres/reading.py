"""Queries in SQL's terms, and what comes back in the journal's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from giftcard_gateway.journal.postgres import statements as sql
from giftcard_gateway.journal.rows import bounds, event_of, row_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import asyncpg

    from giftcard_gateway.journal.contract import EventRow, Row, RowQuery
    from giftcard_gateway.journal.postgres.sessions import Connection

_CURSOR = re.compile(r"\d{1,18}", re.ASCII)


def listed(heads: Collection[bytes] | None) -> Sequence[bytes] | None:
    """Return heads as an array; None, for all of them, stays None."""
    return None if heads is None else list(heads)


def statement_of(query: RowQuery) -> tuple[str, Sequence[object]]:
    """Return the statement that answers a query, and its arguments."""
    lower, upper = bounds(query)
    arguments = [query.states, query.operations, query.providers, lower, *upper, query.limit]
    if not query.blind_indexes:
        return (
            (sql.LIST, arguments)
            if query.tenant is None
            else (sql.LIST_OF_TENANT, [*arguments, query.tenant])
        )
    return sql.LIST_BY_INDEX, [*arguments, list(query.blind_indexes), query.tenant]


def changes_after(place: int, limit: int, tenant: str | None) -> tuple[str, *tuple[object, ...]]:
    """Return the statement that reads the feed after a place, and its arguments."""
    if tenant is None:
        return sql.CHANGES, place, limit
    return sql.CHANGES_OF_TENANT, place, limit, tenant


def events_after(
    place: int, limit: int, provider: str | None, tenant: str | None
) -> tuple[str, *tuple[object, ...]]:
    """Return the statement that reads events after a place, and its arguments."""
    if tenant is not None:
        if provider is None:
            return sql.EVENTS_OF_TENANT, place, limit, tenant
        return sql.EVENTS_OF_TENANT_AND_PROVIDER, place, limit, tenant, provider
    if provider is None:
        return sql.EVENTS, place, limit
    return sql.EVENTS_OF_PROVIDER, place, limit, provider


def events_of(found: Sequence[asyncpg.Record]) -> Sequence[EventRow]:
    """Return events with their places in the feed."""
    return [event_of(cursor_of(record), tuple(record)[1:]) for record in found]


def until(safe: int, found: Sequence[asyncpg.Record]) -> Sequence[asyncpg.Record]:
    """Leave out places that a failover may forget."""
    return [record for record in found if record["number"] <= safe]


def end_of(found: Sequence[asyncpg.Record], safe: int) -> str:
    """Return the cursor of the last place found, but of none that a failover may forget."""
    return str(min(found[0]["number"], safe)) if found else ""


def cursor_of(record: asyncpg.Record) -> str:
    """Return the cursor of a place in a feed."""
    return "" if record["number"] is None else str(record["number"])


def place_in(cursor: str) -> int:
    """Return the place a cursor means; raise ValueError for text that no feed gave."""
    if not cursor:
        return 0
    if not _CURSOR.fullmatch(cursor):
        raise ValueError("this is not a cursor of this feed")
    return int(cursor)


async def rows_by_id(connection: Connection, ids: Sequence[str]) -> dict[str, Row]:
    """Return rows by their ids, of those that are there.

    In this order: a row that ends between the two statements is found by one of them.
    """
    found = {
        record["transaction_id"]: row_of(tuple(record)) for record in await connection.fetch(sql.ROWS, ids)
    }
    if ended := [each for each in ids if each not in found]:
        for record in await connection.fetch(sql.ENDED_ROWS, ended):
            found[record["transaction_id"]] = row_of(tuple(record))
    return found
