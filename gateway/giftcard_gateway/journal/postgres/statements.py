"""The SQL of the PostgreSQL journal. Who sends it, when, and what follows a lost answer is not here.

Each write is one statement, so it is one database transaction and one round trip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_gateway.journal import heartbeat
from giftcard_gateway.journal.microseconds import EARLIEST_US, LATEST_US
from giftcard_gateway.journal.postgres.durably import DURABLY, append
from giftcard_gateway.journal.rows import (
    EVENT_COLUMNS,
    FINAL_STATES,
    OPEN_STATES,
    OPERATIONS,
    STATES,
    columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_WRITTEN = (
    "transaction_id",
    "state",
    "updated_us",
    "due_us",
    "driver",
    "version",
    "fence",
    "document",
    "hash_key",
)


def _others(rows: str, ids: str, handles: str) -> str:
    """What else `rows` are found by than what is given; that stays, for it is inserted at the same time."""
    return f"""
        handles.created_us = {rows}.created_us AND handles.transaction_id = {rows}.transaction_id
        AND NOT EXISTS (
            SELECT 1 FROM unnest({ids}::text[], {handles}::bytea[]) AS kept (transaction_id, handle)
            WHERE kept.transaction_id = handles.transaction_id AND kept.handle = handles.handle
        )
    """


# Ids are compared with = ANY as well as joined, so that even a plan made while the table was small goes by
# the index. `was` gives the state before, which RETURNING cannot tell.
BATCH = f"""
WITH {DURABLY},
opened AS (
    INSERT INTO transactions ({columns()})
    SELECT {columns()}
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
        $8::text[], $9::bigint[], $10::bigint[], $11::bytea[], $12::text[], $13::text[], $14::text[])
        AS given ({columns()})
    ON CONFLICT (transaction_id) DO NOTHING
    RETURNING transaction_id, created_us, state, updated_us, tenant
), written AS (
    UPDATE transactions AS now
    SET state = given.state, updated_us = given.updated_us, due_us = given.due_us, driver = given.driver,
        version = given.version, fence = given.fence, document = given.document,
        hash_key = CASE
            WHEN now.hash_key = given.hash_key OR given.transaction_id = ANY($26) THEN given.hash_key
            ELSE '' END
    FROM unnest($15::text[], $16::text[], $17::bigint[], $18::bigint[], $19::text[], $20::bigint[],
        $21::bigint[], $22::bytea[], $23::text[]) AS given ({columns(names=_WRITTEN)}),
        transactions AS was
    WHERE now.transaction_id = ANY($15) AND now.transaction_id = given.transaction_id
        AND was.transaction_id = ANY($15) AND was.transaction_id = given.transaction_id
        AND now.version = given.version - 1
    RETURNING now.transaction_id, now.created_us, now.state, now.updated_us, now.tenant,
        was.state <> now.state AS is_change
), changed AS (
    INSERT INTO changes (transaction_id, created_us, state, at_us, tenant)
    SELECT transaction_id, created_us, state, updated_us, tenant FROM opened
    UNION ALL
    SELECT transaction_id, created_us, state, updated_us, tenant FROM written WHERE is_change
), unfound AS (
    DELETE FROM handles USING written
    WHERE written.transaction_id = ANY($26) AND {_others("written", "$24", "$25")}
), found AS (
    INSERT INTO handles (handle, created_us, transaction_id)
    SELECT given.handle, stored.created_us, stored.transaction_id
    FROM unnest($24::text[], $25::bytea[]) AS given (transaction_id, handle)
    JOIN (
        SELECT transaction_id, created_us FROM opened
        UNION ALL
        SELECT transaction_id, created_us FROM written
    ) AS stored ON stored.transaction_id = given.transaction_id
    ON CONFLICT DO NOTHING
), audited AS (
    {append(27)}
)
SELECT ARRAY(SELECT transaction_id FROM opened) AS opened,
    ARRAY(SELECT transaction_id FROM written) AS written,
    (SELECT synchronous_commit FROM durable) AS synchronous_commit
"""

# Writing anything makes this commit wait until all commits before it are as safe as it is, standby included.
BARRIER = f"""
WITH {DURABLY} SELECT pg_logical_emit_message(true, 'giftcard-journal', ''), synchronous_commit FROM durable
"""

ROWS = f"SELECT {columns()} FROM transactions WHERE transaction_id = ANY($1)"

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
        SELECT transaction_id, due_us FROM transactions AS t
        WHERE t.provider = $5 AND t.state = wanted.state AND due_us <= $1 AND {_OPENABLE.format("$7")}
        ORDER BY due_us LIMIT $4 FOR UPDATE SKIP LOCKED
    ) AS oldest
    ORDER BY due_us LIMIT $4
)
UPDATE transactions AS now
SET due_us = $2, driver = $3, fence = {_NEXT.format("fence")}, version = {_NEXT.format("version")}
FROM due, durable
WHERE now.transaction_id = due.transaction_id
RETURNING {columns("now.")}, due.due_us AS was_due_us
"""

# By one seek in the index for each provider and state.
NEXT_DUE = f"""
WITH RECURSIVE dues AS (
    (SELECT provider, state, due_us FROM transactions WHERE due_us IS NOT NULL
        AND due_us <= {LATEST_US} ORDER BY provider, state, due_us LIMIT 1)
    UNION ALL
    SELECT next.* FROM dues AS last CROSS JOIN LATERAL (
        SELECT provider, state, due_us FROM transactions
        WHERE due_us IS NOT NULL AND due_us <= {LATEST_US}
            AND (provider, state) > (last.provider, last.state)
        ORDER BY provider, state, due_us LIMIT 1
    ) AS next
)
SELECT provider, state, due_us FROM dues
"""

BEAT = heartbeat.statement("$1::bigint", "$2::bigint")

_STREAM = "tenant, state, provider, operation"


def _streams(of_tenant: str = "", next_of_tenant: str = "") -> str:
    """Which tenants, states, providers and operations occur, by one seek in the index for each."""
    return f"""
streams AS (
    (SELECT {_STREAM} FROM transactions {of_tenant} ORDER BY {_STREAM} LIMIT 1)
    UNION ALL
    SELECT next.* FROM streams AS last CROSS JOIN LATERAL (
        SELECT {_STREAM} FROM transactions
        WHERE ({_STREAM}) > (last.tenant, last.state, last.provider, last.operation) {next_of_tenant}
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
        WHERE t.tenant = streams.tenant AND t.state = streams.state AND t.provider = streams.provider
            AND t.operation = streams.operation
            AND created_us >= $4 AND (created_us, transaction_id) < ($5, $6)
        ORDER BY created_us DESC, transaction_id DESC LIMIT $7
    ) AS run
    WHERE ($1::text[] IS NULL OR streams.state = ANY($1))
        AND ($2::text[] IS NULL OR streams.operation = ANY($2))
        AND ($3::text[] IS NULL OR streams.provider = ANY($3))
    ORDER BY created_us DESC, transaction_id DESC LIMIT $7
)
SELECT {columns("t.")} FROM page JOIN transactions AS t ON t.transaction_id = page.transaction_id
ORDER BY page.created_us DESC, page.transaction_id DESC
"""


LIST = _list(_STREAMS)
LIST_OF_TENANT = _list(_streams("WHERE tenant = $8", "AND tenant = $8"))

# One statement for all hash keys, because a row may be indexed under another between two.
LIST_BY_INDEX = f"""
WITH page AS (
    SELECT DISTINCT run.created_us, run.transaction_id
    FROM unnest($8::bytea[]) AS wanted (handle) CROSS JOIN LATERAL (
        SELECT h.created_us, h.transaction_id
        FROM handles AS h JOIN transactions AS t
            ON t.transaction_id = h.transaction_id AND t.created_us = h.created_us
        WHERE h.handle = wanted.handle AND h.created_us >= $4 AND (h.created_us, h.transaction_id) < ($5, $6)
            AND ($1::text[] IS NULL OR t.state = ANY($1))
            AND ($2::text[] IS NULL OR t.operation = ANY($2))
            AND ($3::text[] IS NULL OR t.provider = ANY($3))
            AND ($9::text IS NULL OR t.tenant = $9)
        ORDER BY h.created_us DESC, h.transaction_id DESC LIMIT $7
    ) AS run
    ORDER BY run.created_us DESC, run.transaction_id DESC LIMIT $7
)
SELECT {columns("t.")} FROM page JOIN transactions AS t ON t.transaction_id = page.transaction_id
ORDER BY page.created_us DESC, page.transaction_id DESC
"""

# What a database transaction that still runs will add cannot be seen yet, so a reader stops before the oldest
# of them, and goes by their numbers: all that comes later has a higher one.
_SETTLED = "written_in < pg_snapshot_xmin(pg_current_snapshot())"

CHANGES = f"""
SELECT written_in, number, transaction_id, state, at_us FROM changes
WHERE (written_in, number) > ($1, $2) AND {_SETTLED} ORDER BY written_in, number LIMIT $3
"""

CHANGES_OF_TENANT = f"""
SELECT written_in, number, transaction_id, state, at_us FROM changes
WHERE tenant = $4 AND (written_in, number) > ($1, $2) AND {_SETTLED} ORDER BY written_in, number LIMIT $3
"""

LAST_CHANGE = f"""
SELECT written_in, number FROM changes WHERE {_SETTLED} ORDER BY written_in DESC, number DESC LIMIT 1
"""

LAST_EVENT = f"""
SELECT written_in, number FROM events WHERE {_SETTLED} ORDER BY written_in DESC, number DESC LIMIT 1
"""

_EVENTS = f"SELECT written_in, number, {columns(names=EVENT_COLUMNS)} FROM events"

EVENTS = (
    f"{_EVENTS} WHERE (written_in, number) > ($1, $2) AND {_SETTLED} ORDER BY written_in, number LIMIT $3"
)

EVENTS_OF_PROVIDER = f"""
{_EVENTS} WHERE provider = $4 AND (written_in, number) > ($1, $2) AND {_SETTLED}
ORDER BY written_in, number LIMIT $3
"""


def _events_of_tenant(provider: str = "") -> str:
    """Two runs of one index, merged: the tenant's own, and those from before anybody noted whose they are."""
    runs = (
        f"({_EVENTS} WHERE tenant = {tenant} {provider} AND (written_in, number) > ($1, $2) AND {_SETTLED}"
        " ORDER BY written_in, number LIMIT $3)"
        for tenant in ("$4", "''")
    )
    return f"{' UNION ALL '.join(runs)} ORDER BY written_in, number LIMIT $3"


EVENTS_OF_TENANT = _events_of_tenant()
EVENTS_OF_TENANT_AND_PROVIDER = _events_of_tenant("AND provider = $5")

EVENTS_UNAPPLIED = f"""
{_EVENTS} WHERE NOT applied AND {_OPENABLE.format("$2")} ORDER BY written_in, number LIMIT $1
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

ROWS_AFTER = (
    f"SELECT {columns()} FROM transactions WHERE transaction_id > $1 ORDER BY transaction_id LIMIT $2"
)

EVENTS_AFTER = f"""
SELECT {columns(names=EVENT_COLUMNS)} FROM events
WHERE (provider, event_id) > ($1, $2) ORDER BY provider, event_id LIMIT $3
"""

RESEAL = f"""
WITH {DURABLY}, replaced AS (
    UPDATE transactions AS now
    SET document = given.document, hash_key = coalesce(nullif(given.hash_key, ''), now.hash_key)
    FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::text[])
        AS given (transaction_id, old, document, hash_key), durable
    WHERE now.transaction_id = given.transaction_id AND now.document = given.old
    RETURNING now.transaction_id, now.created_us, given.hash_key <> '' AS is_indexed
), unfound AS (
    DELETE FROM handles USING replaced WHERE is_indexed AND {_others("replaced", "$5", "$6")}
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
    WHERE t.tenant = streams.tenant AND t.state = streams.state AND t.provider = streams.provider
        AND t.operation = streams.operation
) AS counted
WHERE streams.state IN ({_listed_in_sql(OPEN_STATES)})
GROUP BY streams.provider, streams.state
"""


BACKLOG = _backlog(_STREAMS)
BACKLOG_OF_TENANT = _backlog(_streams("WHERE tenant = $1", "AND tenant = $1"))

DAMAGED = f"""
WITH RECURSIVE {_STREAMS}
SELECT coalesce(sum(found.count), 0)::bigint FROM (
    SELECT count(*) AS count FROM streams JOIN transactions AS t
        ON t.tenant = streams.tenant AND t.state = streams.state AND t.provider = streams.provider
        AND t.operation = streams.operation
    WHERE NOT ({_KNOWN})
    UNION ALL
    SELECT (
        SELECT count(*) FROM transactions AS t
        WHERE t.tenant = streams.tenant AND t.state = streams.state AND t.provider = streams.provider
            AND t.operation = streams.operation AND t.created_us < {EARLIEST_US}
    ) + (
        SELECT count(*) FROM transactions AS t
        WHERE t.tenant = streams.tenant AND t.state = streams.state AND t.provider = streams.provider
            AND t.operation = streams.operation AND t.created_us > {LATEST_US}
    ) FROM streams WHERE {_KNOWN}
    UNION ALL
    SELECT (
        SELECT count(*) FROM transactions AS t
        WHERE t.provider = places.provider AND t.state = places.state AND t.due_us > {LATEST_US}
    ) FROM (SELECT DISTINCT provider, state FROM streams) AS places
) AS found
"""


def _purge(streams: str, of_tenant: str = "") -> str:
    return f"""
WITH RECURSIVE {DURABLY}, {streams},
gone AS (
    DELETE FROM transactions WHERE transaction_id = ANY(ARRAY(
        SELECT run.transaction_id FROM streams CROSS JOIN LATERAL (
            SELECT transaction_id FROM transactions AS t
            WHERE t.tenant = streams.tenant AND t.state = streams.state AND t.provider = streams.provider
                AND t.operation = streams.operation AND created_us < $1 AND updated_us < $1
            ORDER BY created_us LIMIT $2
        ) AS run
        WHERE streams.state IN ({_listed_in_sql(FINAL_STATES)}) LIMIT $2
    -- Asked again of each row as it is deleted: it may have been written since it was found.
    )) AND state IN ({_listed_in_sql(FINAL_STATES)}) AND updated_us < $1
    RETURNING transaction_id, created_us
), unfound AS (
    DELETE FROM handles USING gone
    WHERE handles.created_us = gone.created_us AND handles.transaction_id = gone.transaction_id
), unchanged AS (
    DELETE FROM changes USING gone
    WHERE changes.created_us = gone.created_us AND changes.transaction_id = gone.transaction_id
), old_events AS MATERIALIZED (
    SELECT written_in, number FROM (
        SELECT written_in, number, received_us FROM events WHERE applied {of_tenant}
        ORDER BY written_in, number LIMIT $2 - (SELECT count(*) FROM gone)
    ) AS first WHERE received_us < $1
), gone_events AS (
    -- No two events have one number, so no other event is of these transactions and these numbers.
    DELETE FROM events WHERE written_in = ANY(ARRAY(SELECT written_in FROM old_events))
        AND number = ANY(ARRAY(SELECT number FROM old_events))
    RETURNING number
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM gone_events), synchronous_commit FROM durable
"""


PURGE = _purge(_STREAMS)
PURGE_OF_TENANT = _purge(_streams("WHERE tenant = $3", "AND tenant = $3"), "AND tenant = $3")

ADD_EVENT = f"""
WITH {DURABLY}
INSERT INTO events ({columns(names=EVENT_COLUMNS)})
SELECT $1, $2, $3, $4, $5, $6, $7 FROM durable
WHERE NOT EXISTS (SELECT 1 FROM events WHERE provider = $1 AND event_id = ANY($8))
ON CONFLICT (provider, event_id) DO NOTHING RETURNING number
"""

EVENT_DOCUMENT = "SELECT document FROM events WHERE provider = $1 AND event_id = $2"

MARK_EVENT = f"""
WITH {DURABLY} UPDATE events SET applied = TRUE, tenant = coalesce($3, tenant) FROM durable
WHERE provider = $1 AND event_id = $2
"""

NOTIFY = "SELECT pg_notify('giftcard_journal', $1)"
