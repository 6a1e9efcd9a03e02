"""The SQL that opens and writes rows; who sends which is in `batches`.

Each is one statement, so it is one database transaction and one round trip.
"""

from __future__ import annotations

from giftcard_gateway.journal.postgres.durably import DURABLY, append
from giftcard_gateway.journal.rows import columns

_WRITTEN = {
    "transaction_id": "text",
    "created_us": "bigint",
    "state": "text",
    "updated_us": "bigint",
    "due_us": "bigint",
    "driver": "text",
    "version": "bigint",
    "fence": "bigint",
    "document": "bytea",
    "hash_key": "text",
}
"""What a write gives, with its type; what it does not replace is compared."""
WRITE_COLUMNS = len(_WRITTEN)
_CHANGE = "updated_us, transaction_id, version, created_us, state, tenant"
_CHANGED = "now.updated_us, now.transaction_id, now.version, now.created_us, now.state, now.tenant"
_FRESH = "INSERT INTO fresh_changes (at_us, transaction_id, version, created_us, state, tenant)"


def _given(first: int) -> str:
    """Return the writes whose columns are the parameters from `first` on."""
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_WRITTEN.values(), first))
    return f"unnest({arrays}) AS given ({', '.join(_WRITTEN)})"


def _is_one(row: str, first: int) -> str:
    """Tell whether a write is about a row.

    Ids are found by = ANY, and joined in a way that no index serves. A plan is kept for minutes, and the one
    that is made while the table is empty would else walk through an index in which the id comes last.
    """
    return f"{row}.transaction_id = ANY(${first}) AND {row}.transaction_id || '' = given.transaction_id"


def _is_next(row: str, first: int) -> str:
    """Tell whether a write follows on a recorded row: the next version of the same life of its id."""
    return (
        f"{_is_one(row, first)} AND {row}.created_us IS NOT DISTINCT FROM given.created_us"
        f" AND {row}.version = given.version - 1"
    )


def others(rows: str, ids: str, handles: str) -> str:
    """What else `rows` are found by than what is given; that stays, for it is inserted at the same time."""
    return f"""
        handles.created_us = {rows}.created_us AND handles.transaction_id = {rows}.transaction_id
        AND NOT EXISTS (
            SELECT 1 FROM unnest({ids}::text[], {handles}::bytea[]) AS kept (transaction_id, handle)
            WHERE kept.transaction_id = handles.transaction_id AND kept.handle = handles.handle
        )
    """


def _found(ids: str, handles: str, *stored: str) -> str:
    """Insert the blind indexes that are given of what was stored."""
    rows = " UNION ALL ".join(f"SELECT transaction_id, created_us FROM {one}" for one in stored)
    return f"""
    INSERT INTO handles (handle, created_us, transaction_id)
    SELECT given.handle, stored.created_us, stored.transaction_id
    FROM unnest({ids}::text[], {handles}::bytea[]) AS given (transaction_id, handle)
    JOIN ({rows}) AS stored ON stored.transaction_id = given.transaction_id
    ON CONFLICT DO NOTHING
    """


_ONE_KEY = "CASE WHEN now.hash_key = given.hash_key THEN given.hash_key ELSE '' END"

# `transaction_ids` alone decides whether an id is new: a row that ends goes from one table to another, and
# whoever looked into both could miss it in both. Months of the history are touched only where something is
# inserted into them. `was` gives the state before, which RETURNING cannot tell.
BATCH = f"""
WITH {DURABLY},
taken AS (
    INSERT INTO transaction_ids (transaction_id, created_us)
    SELECT given.* FROM unnest($1::text[], $5::bigint[]) AS given (transaction_id, created_us)
    ON CONFLICT (transaction_id) DO NOTHING
    RETURNING transaction_id
), opened AS (
    INSERT INTO transactions ({columns()})
    SELECT {columns("given.")}
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
        $8::text[], $9::bigint[], $10::bigint[], $11::bytea[], $12::text[], $13::text[], $14::text[])
        AS given ({columns()})
    JOIN taken ON taken.transaction_id = given.transaction_id
    RETURNING {_CHANGE}
), still_open AS (
    UPDATE open_transactions AS now
    SET state = given.state, updated_us = given.updated_us, due_us = given.due_us, driver = given.driver,
        version = given.version, fence = given.fence, document = given.document, hash_key = {_ONE_KEY}
    FROM {_given(15)}, open_transactions AS was
    WHERE {_is_next("now", 15)} AND {_is_one("was", 15)}
    RETURNING {_CHANGED}, was.state <> now.state AS is_change
), ended AS (
    DELETE FROM open_transactions AS now USING {_given(25)} WHERE {_is_next("now", 25)}
    RETURNING now.transaction_id, now.operation, now.provider, given.state, now.created_us, given.updated_us,
        given.due_us, given.driver, given.version, given.fence, given.document, now.tenant, now.asked_id,
        {_ONE_KEY} AS hash_key, now.state <> given.state AS is_change
), at_rest AS (
    INSERT INTO ended_transactions ({columns()}) SELECT {columns()} FROM ended
), changed AS (
    {_FRESH}
    SELECT {_CHANGE} FROM opened
    UNION ALL
    SELECT {_CHANGE} FROM still_open WHERE is_change
    UNION ALL
    SELECT {_CHANGE} FROM ended WHERE is_change
), found AS ({_found("$35", "$36", "opened", "still_open", "ended")}), audited AS (
    {append(37)}
)
SELECT ARRAY(SELECT transaction_id FROM opened) AS opened,
    ARRAY(SELECT transaction_id FROM still_open UNION ALL SELECT transaction_id FROM ended) AS written,
    (SELECT synchronous_commit FROM durable) AS synchronous_commit
"""

# What BATCH leaves out because it looks into every month: writes of rows that have ended, and those that
# bring all that their row is found by. PostgreSQL moves a row whose new state belongs to the other table, and
# ends with 40001 where another statement has just moved it.
REWRITE = f"""
WITH {DURABLY},
written AS (
    UPDATE transactions AS now
    SET state = given.state, updated_us = given.updated_us, due_us = given.due_us, driver = given.driver,
        version = given.version, fence = given.fence, document = given.document,
        hash_key = CASE WHEN given.transaction_id = ANY($11) THEN given.hash_key ELSE {_ONE_KEY} END
    FROM {_given(1)}, transactions AS was
    WHERE now.created_us = given.created_us AND now.transaction_id = given.transaction_id
        AND now.version = given.version - 1
        AND was.created_us = given.created_us AND was.transaction_id = given.transaction_id
    RETURNING {_CHANGED}, was.state <> now.state AS is_change
), changed AS (
    {_FRESH}
    SELECT {_CHANGE} FROM written WHERE is_change
), unfound AS (
    DELETE FROM handles USING written
    WHERE written.transaction_id = ANY($11) AND {others("written", "$12", "$13")}
), found AS ({_found("$12", "$13", "written")})
SELECT ARRAY(SELECT transaction_id FROM written) AS written,
    (SELECT synchronous_commit FROM durable) AS synchronous_commit
"""
