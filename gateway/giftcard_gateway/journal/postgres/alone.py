"""Writes that go alone, outside the batches: each is repeated by `sessions` when its answer was lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg

from giftcard_gateway.journal.contract import EventRow, Resealed, Row
from giftcard_gateway.journal.microseconds import to_us
from giftcard_gateway.journal.postgres import statements as sql
from giftcard_gateway.journal.postgres.batches import transposed
from giftcard_gateway.journal.postgres.sessions import Connection, make_safe
from giftcard_gateway.journal.rows import event_values_of


async def add_event(
    event: EventRow,
    other_ids: Sequence[str],
    connection: Connection,
    is_repeat: bool,  # noqa: FBT001 - the shape of a Work
) -> bool:
    """Insert an event, unless it is known by any of its ids; return whether it is new."""
    added = await connection.fetchval(sql.ADD_EVENT, *event_values_of(event), other_ids)
    if added is not None:
        return True
    document = await connection.fetchval(sql.EVENT_DOCUMENT, event.provider, event.event_id)
    await make_safe(connection)
    return is_repeat and bool(document == event.document)


async def beat(
    connection: Connection,
    _: bool,  # noqa: FBT001 - as `Sessions.run` calls it
    *,
    now: datetime,
    silence: timedelta,
) -> asyncpg.Record | None:
    """Write down that this process can write; return the outage that ended with it, if one did."""
    # A beat whose wait for the standby was given up stands here all the same. Until it is safe, none follows.
    await make_safe(connection)
    return await connection.fetchrow(sql.BEAT, to_us(now), silence // timedelta(microseconds=1))


def forgotten_arguments(rows: Sequence[Row | EventRow]) -> Sequence[Sequence[object]]:
    """Return the columns by which rows are found that are to be deleted."""
    there = [
        (to_us(one.created_at), one.transaction_id, one.version, one.document)
        for one in rows
        if isinstance(one, Row)
    ]
    events = [(one.provider, one.event_id, one.document) for one in rows if isinstance(one, EventRow)]
    return [*transposed(there, 4), *transposed(events, 3)]


def resealed_arguments(resealed: Sequence[Resealed]) -> Sequence[Sequence[object]]:
    """Return the columns of documents that take the place of others."""
    rows = [
        (each.row.transaction_id, each.row.document, each.document, each.hash_key)
        for each in resealed
        if isinstance(each.row, Row)
    ]
    events = [
        (
            *(each.row.provider, each.row.event_id, each.row.document, each.document),
            *((each.renamed or each.row).event_id, (each.renamed or each.row).name),
        )
        for each in resealed
        if isinstance(each.row, EventRow)
    ]
    indexes = [
        (each.row.transaction_id, index)
        for each in resealed
        if isinstance(each.row, Row)
        for index in each.blind_indexes
    ]
    return [*transposed(rows, 4), *transposed(indexes, 2), *transposed(events, 6)]
