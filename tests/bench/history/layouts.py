"""The layouts of the PostgreSQL journal that are measured beside each other; what is measured is in `life`.

`before` is the schema up to step 0009 with its statements, `today` is what a gateway has.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import asyncpg
import msgspec

from giftcard_gateway.journal.microseconds import from_us
from giftcard_gateway.journal.postgres import months, statements
from giftcard_gateway.journal.postgres.batches import arguments_of, transposed
from giftcard_gateway.journal.postgres.numbering import NUMBER_CHANGES
from giftcard_gateway.journal.postgres.writing import BATCH
from giftcard_gateway.journal.rows import COLUMNS, Open, Write, columns, values_of, written_of

Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Requests: TypeAlias = Sequence[Open | Write]

DAY_US = 86_400 * 10**6
FIRST_US = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * 10**6
NOW_US = FIRST_US + 400 * DAY_US
"""The history is of 400 days; what is measured happens after them."""
GOES_US = int(datetime(2025, 2, 1, tzinfo=UTC).timestamp()) * 10**6
"""What was created before, in the oldest month, is let go."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """One way to lay the tables out."""

    name: str
    until: str
    """The last step of the schema; empty for all."""
    batch: str
    arguments: Callable[[Requests], Sequence[Sequence[object]]]
    claim: str
    number: str = ""
    """Gives fresh changes their places until it answers 0; empty where writes do."""
    get: str
    listed: str
    by_index: str
    changes: str
    last_change: str
    fill: tuple[str, ...]
    """What adds a history from the table `made`."""
    purge: tuple[str, tuple[object, ...]]
    """Run until it answers 0, with what it is given."""
    drop: Callable[[Session], Awaitable[object]] | None = None
    """Run once before purging."""


def _arguments_before(requests: Requests) -> Sequence[Sequence[object]]:
    opened = [values_of(one.row) for one in requests if isinstance(one, Open)]
    written = [(one.row.transaction_id, *written_of(one.row)) for one in requests if isinstance(one, Write)]
    indexes = [(one.row.transaction_id, index) for one in requests for index in one.row.blind_indexes]
    return [
        *transposed(opened, len(COLUMNS)),
        *transposed(written, 9),
        *transposed(indexes, 2),
        [],
        *transposed([], 6),
    ]


_MADE = "INSERT INTO {0} ({1}) SELECT {1} FROM made"
_HANDLES = """
INSERT INTO handles (handle, created_us, transaction_id)
SELECT sha256((transaction_id || k)::bytea), created_us, transaction_id FROM made, generate_series(1, 6) AS k
"""
_CHANGES = """
INSERT INTO changes (transaction_id, created_us, state, at_us, tenant)
SELECT transaction_id, created_us, past.state, updated_us, tenant
FROM made, unnest(ARRAY['PENDING', 'APPROVED', 'CONFIRMING', 'CONFIRMED']) AS past (state)
"""
_NUMBERED = """
WITH turn AS (
    UPDATE feed_ends SET last_change = last_change + (SELECT 4 * count(*) FROM made)
    RETURNING last_change - (SELECT 4 * count(*) FROM made) AS base
)
INSERT INTO changes (number, transaction_id, created_us, state, at_us, tenant)
SELECT turn.base + row_number() OVER (), transaction_id, created_us, past.state, updated_us, tenant
FROM turn, made, unnest(ARRAY['PENDING', 'APPROVED', 'CONFIRMING', 'CONFIRMED']) AS past (state)
"""

_FILE = Path(__file__).parent / "before.sql"
_THEN = dict(re.findall(r"^-- name: (\w+)\n(.*?);$", _FILE.read_text(), re.MULTILINE | re.DOTALL))
_PURGED = 200

BEFORE = Layout(
    name="before",
    until="0009",
    batch=_THEN["BATCH"],
    arguments=_arguments_before,
    claim=_THEN["CLAIM"],
    get=_THEN["ROWS"],
    listed=_THEN["LIST"],
    by_index=_THEN["LIST_BY_INDEX"],
    changes=_THEN["CHANGES"],
    last_change=_THEN["LAST_CHANGE"],
    fill=(_MADE.format("transactions", columns()), _HANDLES, _CHANGES),
    purge=(_THEN["PURGE"], (GOES_US, _PURGED)),
)
TODAY = Layout(
    name="today",
    until="",
    batch=BATCH,
    arguments=arguments_of,
    number=NUMBER_CHANGES,
    claim=statements.CLAIM,
    get=statements.ENDED_ROWS,
    listed=statements.LIST,
    by_index=statements.LIST_BY_INDEX,
    changes=statements.CHANGES,
    last_change=statements.LAST_CHANGE,
    fill=(
        _MADE.format("transaction_ids", "transaction_id, created_us"),
        _MADE.format("transactions", columns()),
        _HANDLES,
        _NUMBERED,
    ),
    purge=(months.FREE_IDS, (_PURGED,)),
    drop=lambda session: months.drop(session, from_us(GOES_US)),
)

LAYOUTS = (BEFORE, TODAY)
