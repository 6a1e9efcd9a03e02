"""How rows and events are laid out in columns, the same in both databases, and how a list is bounded.

No SQL is run here. What the columns mean is said in `sqlite/0001_journal.sql`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from giftcard_gateway.journal.contract import EventRow, Row, RowQuery
from giftcard_gateway.journal.microseconds import from_us, from_us_or_none, to_us, to_us_or_none
from giftcard_gateway.ledger.entry import FINAL, State

COLUMNS = (
    "transaction_id",
    "operation",
    "provider",
    "state",
    "created_us",
    "updated_us",
    "due_us",
    "driver",
    "version",
    "fence",
    "document",
    "tenant",
    "asked_id",
)
"""The columns of a row, in the order of `values_of` and `row_of`."""

EVENT_COLUMNS = ("provider", "event_id", "name", "received_us", "document", "applied", "tenant")
"""The columns of an event, without its place in the feed."""

FINAL_STATES = tuple(sorted(str(state) for state in FINAL))
OPEN_STATES = tuple(sorted(str(state) for state in State if state not in FINAL))
"""States in which something is owed, or a person is needed."""

EARLIEST_US = -(2**63)
LATEST_US = 2**63 - 1

RowValues = tuple[str, str, str, str, int, int, int | None, str, int, int, bytes, str, str]
WrittenValues = tuple[str, int, int | None, str, int, int, bytes]
EventValues = tuple[str, str, str, int, bytes, bool, str]
Stream = tuple[str, str, str, str]
"""The tenant, state, provider and operation whose rows lie side by side in the index of lists."""


class Open(msgspec.Struct, frozen=True):
    """A row to insert."""

    row: Row


class Write(msgspec.Struct, frozen=True):
    """A row to replace."""

    row: Row


def values_of(row: Row) -> RowValues:
    """Return the columns of a row."""
    return (
        row.transaction_id,
        row.operation,
        row.provider,
        row.state,
        to_us(row.created_at),
        to_us(row.updated_at),
        to_us_or_none(row.due_at),
        row.driver,
        row.version,
        row.fence,
        row.document,
        row.tenant,
        row.asked_id,
    )


def written_of(row: Row) -> WrittenValues:
    """Return the columns that a write replaces."""
    return (
        row.state,
        to_us(row.updated_at),
        to_us_or_none(row.due_at),
        row.driver,
        row.version,
        row.fence,
        row.document,
    )


def row_of(values: RowValues) -> Row:
    """Return the row that lies in these columns."""
    return Row(
        transaction_id=values[0],
        operation=values[1],
        provider=values[2],
        state=values[3],
        created_at=from_us(values[4]),
        updated_at=from_us(values[5]),
        due_at=from_us_or_none(values[6]),
        driver=values[7],
        version=values[8],
        fence=values[9],
        document=values[10],
        tenant=values[11],
        asked_id=values[12],
    )


def is_same(recorded: Row, row: Row) -> bool:
    """Tell whether `row` is what is recorded: a seal is made anew each time, so equal bytes are one write."""
    return (recorded.version, recorded.document) == (row.version, row.document)


def event_of(cursor: str, values: EventValues) -> EventRow:
    """Return the event that lies in these columns."""
    provider, event_id, name, received_us, document, applied, tenant = values
    return EventRow(
        provider=provider,
        event_id=event_id,
        name=name,
        received_at=from_us(received_us),
        document=document,
        applied=bool(applied),
        tenant=tenant,
        cursor=cursor,
    )


def is_wanted(stream: Stream, query: RowQuery) -> bool:
    """Tell whether rows of this tenant, state, provider and operation are asked for."""
    tenant, state, provider, operation = stream
    return (
        (query.tenant is None or tenant == query.tenant)
        and (query.states is None or state in query.states)
        and (query.providers is None or provider in query.providers)
        and (query.operations is None or operation in query.operations)
    )


def bounds(query: RowQuery) -> tuple[int, tuple[int, str]]:
    """Return the first creation time wanted, and the (created_us, transaction_id) all rows are below."""
    upper = (LATEST_US if query.created_before is None else to_us(query.created_before), "")
    if query.after is not None:
        upper = min(upper, (to_us(query.after[0]), query.after[1]))
    lower = EARLIEST_US if query.created_from is None else to_us(query.created_from)
    return lower, upper


def columns(prefix: str = "", names: Sequence[str] = COLUMNS) -> str:
    """Return column names as SQL writes them, each behind `prefix`."""
    return ", ".join(f"{prefix}{name}" for name in names)
