"""The SQL of the PostgreSQL journal; more is in `writing` and `months`.

Who sends it, when, and what follows a lost answer is not here.
Each write is one statement, so it is one database transaction and one round trip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_gateway.journal import heartbeat
from giftcard_gateway.journal.microseconds import EARLIEST_US, LATEST_US
from giftcard_gateway.journal.postgres.durably import DURABLY
from giftcard_gateway.journal.postgres.writing import others
from giftcard_gateway.journal.rows import (
    COLUMNS,
    EVENT_COLUMNS,
    FINAL_STATES,
    OPEN_STATES,
    OPERATIONS,
    STATES,
    columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

# Writing anything makes this commit wait until all commits before it are as safe as it is, standby included.
BARRIER = f"""
WITH {DURABLY} SELECT pg_logical_emit_message(true, 'giftcard-journal', ''), synchronous_commit FROM durable
"""

ROWS = f"SELECT {columns()} FROM open_transactions WHERE transaction_id = ANY($1)"

# An id whose row is not where it belongs has columns without values, as a damaged row may. Those of months
# that were dropped are of nothing any more.
_IS_KEPT = """
    (t.transaction_id IS NOT NULL OR NOT EXISTS (
        SELECT 1 FROM dropped_months AS d WHERE i.created_us >= d.since_us AND i.created_us < d.until_us
    ))
"""

# Asked for what ROWS did not find, and after it: what ended since is found here, and nothing comes back.
ENDED_ROWS = f"""
SELECT i.transaction_id, {columns("t.", COLUMNS[1:])} FROM transaction_ids AS i LEFT JOIN transactions AS t
    ON t.created_us = i.created_us AND t.transaction_id = i.transaction_id
WHERE i.transaction_id = ANY($1) AND {_IS_KEPT}
"""

_OPENABLE = """
    ({0}::bytea[] IS NULL OR EXISTS (
        SELECT 1 FROM unnest({0}::bytea[]) AS known (head)
        WHERE substring(document FROM 1 FOR length(known.head)) = known.head
    ))
"""

# A damaged count must not keep the others from being claimed.
_NEXT = "LEAST({0}, 9223372036854775806) + 1"

CLAIM = f"""
WITH {DURABLY},
due AS (
    SELECT oldest.* FROM unnest($6::text[]) AS wanted (state) CROSS JOIN LATERAL (
        SELECT transaction_id, due_us FROM open_transactions AS t
        WHERE t.provider = $5 AND t.state = wanted.state AND due_us <= $1 AND {_OPENABLE.format("$7")}
        ORDER BY due_us LIMIT $4 FOR UPDATE SKIP LOCKED
    ) AS oldest
    ORDER BY due_us LIMIT $4
)
UPDATE open_transactions AS now
SET due_us = $2, driver = $3, fence = {_NEXT.format("fence")}, version = {_NEXT.format("version")}
FROM due, durable
WHERE now.transaction_id = due.transaction_id
RETURNING {columns("now.")}, due.due_us AS was_due_us
"""

# By one seek in the index for each provider and state.
NEXT_DUE = f"""
WITH RECURSIVE dues AS (
    (SELECT provider, state, due_us FROM open_transactions WHERE due_us IS NOT NULL
        AND due_us <= {LATEST_US} ORDER BY provider, state, due_us LIMIT 1)
    UNION ALL
    SELECT next.* FROM dues AS last CROSS JOIN LATERAL (
        SELECT provider, state, due_us FROM open_transactions
        WHERE due_us IS NOT NULL AND due_us <= {LATEST_US}
            AND (provider, state) > (last.provider, last.state)
        ORDER BY provider, state, due_us LIMIT 1
    ) AS next
)
SELECT provider, state, due_us FROM dues
"""

BEAT = heartbeat.statement("$1::bigint", "$2::bigint")

_STREAM = "tenant, state, provider, operation"
_LISTED = "tenant >= ''"
"""What every row is; who says so goes by the index of lists, and nobody else."""


_OF_STREAM = f"""
    t.{_LISTED} AND t.tenant = streams.tenant AND t.state = streams.state
        AND t.provider = streams.provider AND t.operation = streams.operation
"""


def _streams(of_tenant: str = "") -> str:
    """Which tenants, states, providers and operations occur, by one seek in the index for each."""
    return f"""
streams AS (
    (SELECT {_STREAM} FROM transactions WHERE {_LISTED} {of_tenant} ORDER BY {_STREAM} LIMIT 1)
    UNION ALL
    SELECT next.* FROM streams AS last CROSS JOIN LATERAL (
        SELECT {_STREAM} FROM transactions
        WHERE {_LISTED} AND ({_STREAM}) > (last.tenant, last.state, last.provider, last.operation)
            {of_tenant}
        ORDER BY {_STREAM} LIMIT 1
    ) AS next
)
"""


def _listed_in_sql(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


_STREAMS = _streams()


def _list(streams: str) -> str:
    return f"""
WITH RECURSIVE {streams},
page AS (
    SELECT run.* FROM streams CROSS JOIN LATERAL (
        SELECT created_us, transaction_id FROM transactions AS t
        WHERE {_OF_STREAM}
            AND created_us >= $4 AND created_us <= $5 AND (created_us, transaction_id) < ($5, $6)
        ORDER BY created_us DESC, transaction_id DESC LIMIT $7
    ) AS run
    WHERE ($1::text[] IS NULL OR streams.state = ANY($1))
        AND ($2::text[] IS NULL OR streams.operation = ANY($2))
        AND ($3::text[] IS NULL OR streams.provider = ANY($3))
    ORDER BY created_us DESC, transaction_id DESC LIMIT $7
)
SELECT {columns("t.")} FROM page JOIN transactions AS t
    ON t.created_us = page.created_us AND t.transaction_id = page.transaction_id
ORDER BY page.created_us DESC, page.transaction_id DESC
"""


LIST = _list(_STREAMS)
LIST_OF_TENANT = _list(_streams("AND tenant = $8"))

# One statement for all hash keys, because a row may be indexed under another between two.
LIST_BY_INDEX = f"""
WITH page AS (
    SELECT DISTINCT run.created_us, run.transaction_id
    FROM unnest($8::bytea[]) AS wanted (handle) CROSS JOIN LATERAL (
        SELECT h.created_us, h.transaction_id
        FROM handles AS h JOIN transactions AS t
            ON t.transaction_id = h.transaction_id AND t.created_us = h.created_us
        WHERE h.handle = wanted.handle AND h.created_us >= $4 AND h.created_us <= $5
            AND (h.created_us, h.transaction_id) < ($5, $6)
            AND ($1::text[] IS NULL OR t.state = ANY($1))
            AND ($2::text[] IS NULL OR t.operation = ANY($2))
            AND ($3::text[] IS NULL OR t.provider = ANY($3))
            AND ($9::text IS NULL OR t.tenant = $9)
        ORDER BY h.created_us DESC, h.transaction_id DESC LIMIT $7
    ) AS run
    ORDER BY run.created_us DESC, run.transaction_id DESC LIMIT $7
)
SELECT {columns("t.")} FROM page JOIN transactions AS t
    ON t.created_us = page.created_us AND t.transaction_id = page.transaction_id
ORDER BY page.created_us DESC, page.transaction_id DESC
"""

CHANGES = """
SELECT number, transaction_id, state, at_us FROM changes WHERE number > $1 ORDER BY number LIMIT $2
"""

CHANGES_OF_TENANT = """
SELECT number, transaction_id, state, at_us FROM changes
WHERE tenant = $3 AND number > $1 ORDER BY number LIMIT $2
"""

LAST_CHANGE = "SELECT number FROM changes ORDER BY number DESC LIMIT 1"

LAST_EVENT = "SELECT number FROM events WHERE number IS NOT NULL ORDER BY number DESC LIMIT 1"

_EVENTS = f"SELECT number, {columns(names=EVENT_COLUMNS)} FROM events"

EVENTS = f"{_EVENTS} WHERE number > $1 ORDER BY number LIMIT $2"

EVENTS_OF_PROVIDER = f"{_EVENTS} WHERE provider = $3 AND number > $1 ORDER BY number LIMIT $2"


def _events_of_tenant(provider: str = "") -> str:
    """Two runs of one index, merged: the tenant's own, and those from before anybody noted whose they are."""
    runs = (
        f"({_EVENTS} WHERE tenant = {tenant} {provider} AND number > $1 ORDER BY number LIMIT $2)"
        for tenant in ("$3", "''")
    )
    return f"{' UNION ALL '.join(runs)} ORDER BY number LIMIT $2"


EVENTS_OF_TENANT = _events_of_tenant()
EVENTS_OF_TENANT_AND_PROVIDER = _events_of_tenant("AND provider = $4")

EVENTS_UNAPPLIED = f"""
{_EVENTS} WHERE NOT applied AND {_OPENABLE.format("$2")} ORDER BY arrived LIMIT $1
"""

_HEAD = """
CASE WHEN length(document) > 1
    THEN substring(document FROM 1 FOR 2 + get_byte(substring(document FROM 2 FOR 1), 0))
    ELSE document END
"""

SEALS = f"""
SELECT 'transactions' AS kept, {_HEAD} AS head, count(*) AS count FROM transactions
WHERE $1::text[] IS NULL OR state = ANY($1) GROUP BY head
UNION ALL
SELECT 'events' AS kept, {_HEAD} AS head, count(*) AS count FROM events WHERE $1::text[] IS NULL GROUP BY head
"""

INDEXED = """
SELECT hash_key, count(*) FROM transactions WHERE $1::text[] IS NULL OR state = ANY($1) GROUP BY hash_key
"""

KEYS_IN_USE = "SELECT kind, key_id, fingerprint FROM keys_in_use"

USE_KEYS = f"""
WITH {DURABLY}
INSERT INTO keys_in_use (kind, key_id, fingerprint)
SELECT given.* FROM durable
CROSS JOIN unnest($1::text[], $2::text[], $3::text[]) AS given (kind, key_id, fingerprint)
ON CONFLICT (kind, key_id) DO UPDATE SET fingerprint = excluded.fingerprint WHERE keys_in_use.fingerprint = ''
"""

DROP_KEYS = """
DELETE FROM keys_in_use USING unnest($1::text[], $2::text[]) AS given (kind, key_id)
WHERE keys_in_use.kind = given.kind AND keys_in_use.key_id = given.key_id
"""

ROWS_AFTER = f"""
SELECT i.transaction_id, {columns("t.", COLUMNS[1:])} FROM transaction_ids AS i LEFT JOIN LATERAL (
    SELECT {columns()} FROM transactions AS kept
    WHERE kept.created_us = i.created_us AND kept.transaction_id = i.transaction_id LIMIT 1
) AS t ON TRUE
WHERE i.transaction_id > $1 AND {_IS_KEPT} ORDER BY i.transaction_id LIMIT $2
"""

EVENTS_AFTER = f"""
SELECT {columns(names=EVENT_COLUMNS)} FROM events
WHERE (provider, event_id) > ($1, $2) ORDER BY provider, event_id LIMIT $3
"""

RESEAL = f"""
WITH {DURABLY}, replaced AS (
    UPDATE transactions AS now
    SET document = given.document, hash_key = coalesce(nullif(given.hash_key, ''), now.hash_key)
    FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::text[])
        AS given (transaction_id, old, document, hash_key), transaction_ids AS i, durable
    WHERE i.transaction_id = ANY($1) AND i.transaction_id = given.transaction_id
        AND now.created_us = i.created_us AND now.transaction_id = i.transaction_id
        AND now.document = given.old
    RETURNING now.transaction_id, now.created_us, given.hash_key <> '' AS is_indexed
), unfound AS (
    DELETE FROM handles USING replaced WHERE is_indexed AND {others("replaced", "$5", "$6")}
), found AS (
    INSERT INTO handles (handle, created_us, transaction_id)
    SELECT given.handle, replaced.created_us, replaced.transaction_id
    FROM unnest($5::text[], $6::bytea[]) AS given (transaction_id, handle)
    JOIN replaced ON replaced.transaction_id = given.transaction_id
    ON CONFLICT DO NOTHING
), replaced_event AS (
    UPDATE events AS now SET document = given.document, event_id = given.id_from_now, name = given.name
    FROM unnest($7::text[], $8::text[], $9::bytea[], $10::bytea[], $11::text[], $12::text[])
        AS given (provider, event_id, old, document, id_from_now, name), durable
    WHERE now.provider = given.provider AND now.event_id = given.event_id AND now.document = given.old
    AND (given.id_from_now = given.event_id OR NOT EXISTS (
        SELECT 1 FROM events AS other
        WHERE other.provider = given.provider AND other.event_id = given.id_from_now
    ))
    RETURNING 1
)
SELECT (SELECT count(*) FROM replaced) + (SELECT count(*) FROM replaced_event)
"""

_KNOWN = (
    f"streams.state IN ({_listed_in_sql(STATES)}) AND streams.operation IN ({_listed_in_sql(OPERATIONS)})"
)


def _backlog(streams: str) -> str:
    return f"""
WITH RECURSIVE {streams}
SELECT streams.provider, streams.state, sum(counted.count)::bigint AS count,
    min(counted.oldest_us) AS oldest_us
FROM streams CROSS JOIN LATERAL (
    SELECT count(*) AS count, min(created_us) AS oldest_us FROM transactions AS t
    WHERE {_OF_STREAM}
) AS counted
WHERE streams.state IN ({_listed_in_sql(OPEN_STATES)})
GROUP BY streams.provider, streams.state
"""


BACKLOG = _backlog(_STREAMS)
BACKLOG_OF_TENANT = _backlog(_streams("AND tenant = $1"))

DAMAGED = f"""
WITH RECURSIVE {_STREAMS}
SELECT coalesce(sum(found.count), 0)::bigint FROM (
    SELECT count(*) AS count FROM streams JOIN transactions AS t
        ON {_OF_STREAM}
    WHERE NOT ({_KNOWN})
    UNION ALL
    SELECT (
        SELECT count(*) FROM transactions AS t
        WHERE {_OF_STREAM} AND t.created_us < {EARLIEST_US}
    ) + (
        SELECT count(*) FROM transactions AS t
        WHERE {_OF_STREAM} AND t.created_us > {LATEST_US}
    ) FROM streams WHERE {_KNOWN}
    UNION ALL
    SELECT (
        SELECT count(*) FROM open_transactions AS t
        WHERE t.provider = places.provider AND t.state = places.state AND t.due_us > {LATEST_US}
    ) FROM (SELECT DISTINCT provider, state FROM streams) AS places
) AS found
"""


_WITH_ALL_OF_IT = """
freed AS (
    DELETE FROM transaction_ids AS i USING gone WHERE i.transaction_id = gone.transaction_id
), unfound AS (
    DELETE FROM handles USING gone
    WHERE handles.created_us = gone.created_us AND handles.transaction_id = gone.transaction_id
), unchanged AS (
    DELETE FROM changes USING gone
    WHERE changes.created_us = gone.created_us AND changes.transaction_id = gone.transaction_id
)
"""


def _purge(streams: str, of_tenant: str = "") -> str:
    return f"""
WITH RECURSIVE {DURABLY}, {streams},
gone AS (
    DELETE FROM ended_transactions AS t USING (
        SELECT run.created_us, run.transaction_id FROM streams CROSS JOIN LATERAL (
            SELECT created_us, transaction_id FROM ended_transactions AS t
            WHERE {_OF_STREAM} AND created_us < $1 AND updated_us < $1
            ORDER BY created_us LIMIT $2
        ) AS run
        WHERE streams.state IN ({_listed_in_sql(FINAL_STATES)}) LIMIT $2
    ) AS old
    -- Asked again of each row as it is deleted: it may have been written since it was found.
    WHERE t.created_us = old.created_us AND t.transaction_id = old.transaction_id AND t.updated_us < $1
    RETURNING t.transaction_id, t.created_us
), {_WITH_ALL_OF_IT}, old_events AS MATERIALIZED (
    SELECT number FROM (
        SELECT number, received_us FROM events WHERE applied AND number > 0 {of_tenant}
        ORDER BY number LIMIT $2 - (SELECT count(*) FROM gone)
    ) AS first WHERE received_us < $1
), gone_events AS (
    DELETE FROM events WHERE number = ANY(ARRAY(SELECT number FROM old_events)) RETURNING number
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM gone_events), synchronous_commit FROM durable
"""


PURGE = _purge(_STREAMS)
PURGE_OF_TENANT = _purge(_streams("AND tenant = $3"), "AND tenant = $3")

FORGET = f"""
WITH {DURABLY}, gone AS (
    DELETE FROM ended_transactions AS t
    USING unnest($1::bigint[], $2::text[], $3::bigint[], $4::bytea[])
        AS given (created_us, transaction_id, version, document)
    WHERE t.created_us = given.created_us AND t.transaction_id = given.transaction_id
        AND t.version = given.version AND t.document = given.document
    RETURNING t.transaction_id, t.created_us
), {_WITH_ALL_OF_IT}, gone_events AS (
    DELETE FROM events AS e USING unnest($5::text[], $6::text[], $7::bytea[])
        AS given (provider, event_id, document)
    WHERE e.provider = given.provider AND e.event_id = given.event_id AND e.document = given.document
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM gone_events), synchronous_commit FROM durable
"""

NOW = "SELECT now()"

ADD_EVENT = f"""
WITH {DURABLY}
INSERT INTO events ({columns(names=EVENT_COLUMNS)})
SELECT $1, $2, $3, $4, $5, $6, $7 FROM durable
WHERE NOT EXISTS (SELECT 1 FROM events WHERE provider = $1 AND event_id = ANY($8))
ON CONFLICT (provider, event_id) DO NOTHING RETURNING event_id
"""

EVENT_DOCUMENT = "SELECT document FROM events WHERE provider = $1 AND event_id = $2"

MARK_EVENT = f"""
WITH {DURABLY} UPDATE events SET applied = TRUE, tenant = coalesce($3, tenant) FROM durable
WHERE provider = $1 AND event_id = $2
"""

NOTIFY = "SELECT pg_notify('giftcard_journal', $1)"
