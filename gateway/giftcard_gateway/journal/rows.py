"""How rows and events are laid out in columns, the same in both databases, and how a list is bounded.

No SQL is run here. What the columns mean is said in `sqlite/0001_journal.sql`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec

from giftcard_adapters.values.operations import Operation
from giftcard_gateway.journal.contract import Change, EventRow, Row, RowQuery
from giftcard_gateway.journal.microseconds import (
    EARLIEST_US,
    LATEST_US,
    from_us,
    from_us_or_none,
    to_us,
    to_us_or_none,
)
from giftcard_gateway.journal.notes import AuditRow
from giftcard_gateway.ledger.entry import FINAL, State

_Time = Annotated[int, msgspec.Meta(ge=EARLIEST_US, le=LATEST_US)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=2**62)]


class RowColumns(msgspec.Struct, frozen=True, array_like=True):
    """What a gateway writes into the columns of a row, in the order of `values_of` and `row_of`."""

    transaction_id: str
    operation: Operation
    provider: str
    state: State
    created_us: _Time
    updated_us: _Time
    due_us: _Time | None
    driver: str
    version: _Count
    fence: _Count
    document: bytes
    tenant: str
    asked_id: str
    hash_key: str


class ChangeColumns(msgspec.Struct, frozen=True, array_like=True):
    """What a gateway writes of a change of state, as `change_of` takes it."""

    transaction_id: str
    state: State
    at_us: _Time


class EventColumns(msgspec.Struct, frozen=True, array_like=True):
    """What a gateway writes of an event, without its place in the feed."""

    provider: str
    event_id: str
    name: str
    received_us: _Time
    document: bytes
    applied: bool
    tenant: str


COLUMNS = RowColumns.__struct_fields__
EVENT_COLUMNS = EventColumns.__struct_fields__

FINAL_STATES = tuple(sorted(str(state) for state in FINAL))
OPEN_STATES = tuple(sorted(str(state) for state in State if state not in FINAL))
"""States in which something is owed, or a person is needed."""

OPERATIONS = tuple(sorted(str(operation) for operation in Operation))
STATES = tuple(sorted(str(state) for state in State))

RowValues = tuple[str, str, str, str, int, int, int | None, str, int, int, bytes, str, str, str]
WrittenValues = tuple[str, int, int | None, str, int, int, bytes, str]
EventValues = tuple[str, str, str, int, bytes, bool, str]
Stream = tuple[str, str, str, str]
"""The tenant, state, provider and operation whose rows lie side by side in the index of lists."""


class Open(msgspec.Struct, frozen=True):
    """A row to insert."""

    row: Row


class Write(msgspec.Struct, frozen=True):
    """A row to replace."""

    row: Row


class Append(msgspec.Struct, frozen=True):
    """Records of one chain to add to the audit."""

    rows: Sequence[AuditRow]


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
        row.hash_key,
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
        row.hash_key,
    )


def row_of(values: RowValues) -> Row:
    """Return the row that lies in these columns, whatever they hold; `damaged` names one that is not ours."""
    damaged = _damaged(values, RowColumns)
    if damaged:
        values = _made_up(values)
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
        hash_key=values[13],
        damaged=damaged,
    )


def _made_up(values: RowValues) -> RowValues:
    """Return columns of the right types: what is of another is told empty, and no count is a write's."""
    kinds = (str, str, str, str, object, object, object, str, int, int, bytes, str, str, str)
    kept: Any = [
        value if isinstance(value, kind) else kind() for value, kind in zip(values, kinds, strict=True)
    ]
    return tuple(kept)


def _damaged(values: Sequence[object], columns_: type[msgspec.Struct]) -> str:
    """Return the name of a column that holds what no gateway writes there, empty where all are ours."""
    try:
        msgspec.convert(values, columns_)
    except msgspec.ValidationError:
        fields = zip(msgspec.structs.fields(columns_), values, strict=True)
        return next(field.encode_name for field, value in fields if not _is(value, field.type))
    return ""


def _is(value: object, kind: Any) -> bool:  # noqa: ANN401 - a type as msgspec has it
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def text_in(value: object) -> str:
    """Return a text; an empty one of what a damaged column holds instead."""
    return value if isinstance(value, str) else ""


def count_in(value: object) -> int:
    """Return a count; 0 of what a damaged column holds instead."""
    return value if isinstance(value, int) else 0


def bytes_in(value: object) -> bytes:
    """Return bytes; none of what a damaged column holds instead."""
    return value if isinstance(value, bytes) else b""


def change_of(cursor: str, values: tuple[str, str, int]) -> Change:
    """Return the change of state that lies in these columns: a transaction's id, a state and when."""
    transaction_id, state, at_us = values
    damaged = _damaged(values, ChangeColumns)
    return Change(
        cursor=cursor,
        transaction_id=text_in(transaction_id),
        state=text_in(state),
        at=from_us(at_us),
        damaged=damaged,
    )


def is_same(recorded: Row, row: Row) -> bool:
    """Tell whether `row` is what is recorded: a seal is made anew each time, so equal bytes are one write."""
    return (recorded.version, recorded.document) == (row.version, row.document)


def event_values_of(event: EventRow) -> EventValues:
    """Return the columns of an event."""
    return (
        event.provider,
        event.event_id,
        event.name,
        to_us(event.received_at),
        event.document,
        event.applied,
        event.tenant,
    )


def event_of(cursor: str, values: EventValues) -> EventRow:
    """Return the event that lies in these columns, whatever they hold, as `row_of` does."""
    provider, event_id, name, received_us, document, applied, tenant = values
    damaged = _damaged((*values[:5], bool(applied), tenant), EventColumns)
    return EventRow(
        provider=text_in(provider),
        event_id=text_in(event_id),
        name=text_in(name),
        received_at=from_us(received_us),
        document=bytes_in(document),
        applied=bool(applied),
        tenant=text_in(tenant),
        cursor=cursor,
        damaged=damaged,
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
    """Return the first creation time wanted, and the (created_us, transaction_id) all rows are below.

    A row that was created at no time there is is on no page: it would be on every one.
    """
    upper = (LATEST_US + 1 if query.created_before is None else to_us(query.created_before), "")
    if query.after is not None:
        upper = min(upper, (to_us(query.after[0]), query.after[1]))
    lower = EARLIEST_US if query.created_from is None else to_us(query.created_from)
    return lower, upper


def is_uuid(text: str) -> bool:
    """Tell whether a text is a UUID, as every id of a transaction is."""
    try:
        UUID(text)
    except (ValueError, AttributeError):
        return False
    return True


def columns(prefix: str = "", names: Sequence[str] = COLUMNS) -> str:
    """Return column names as SQL writes them, each behind `prefix`."""
    return ", ".join(f"{prefix}{name}" for name in names)
