"""The layouts of the PostgreSQL journal that are measured beside each other; what is measured is in `life`.

`today` is the schema and the statements that a gateway has. The others are sketches in the same terms: each
is made from today's schema by a script, and takes a batch with the same parameters. No gateway uses them.
"""

from __future__ import annotations

import re

import msgspec

from giftcard_gateway.journal.postgres import statements
from giftcard_gateway.journal.postgres.durably import DURABLY
from giftcard_gateway.journal.rows import FINAL_STATES, columns

_FINAL = ", ".join(map(repr, FINAL_STATES))
_STREAM = "tenant, state, provider, operation, created_us, transaction_id"

WEEK_US = 7 * 86_400 * 10**6
FIRST_US = 1_700_000_000 * 10**6 // WEEK_US * WEEK_US
WEEKS = 57
"""The history is of 400 days: so many weeks and a half; what is measured happens after them."""
NOW_US = FIRST_US + WEEKS * WEEK_US + WEEK_US // 2


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """One way to lay the tables out."""

    name: str
    script: str
    """What makes it from today's schema, on an empty database."""
    batch: str = statements.BATCH
    claim: str = statements.CLAIM
    rows: str = statements.ROWS
    fill: tuple[str, ...]
    """What adds a history from the table `made`."""
    purge: str = statements.PURGE
    """Run until it answers 0."""
    drop: str = ""
    """Run once before purging."""


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
_AS_TODAY = (_MADE.format("transactions", columns()), _HANDLES, _CHANGES)

TODAY = Layout(name="today", script="", fill=_AS_TODAY)


def _partitions(*tables: str) -> str:
    """One partition for each week of the history, three for weeks to come, one for whatever else comes."""
    made = [f"CREATE TABLE {table}_other PARTITION OF {table} DEFAULT" for table in tables]
    for week in range(WEEKS + 4):
        since = FIRST_US + week * WEEK_US
        bounds = f"FROM ({since}) TO ({since + WEEK_US})"
        made += [f"CREATE TABLE {table}_{week} PARTITION OF {table} FOR VALUES {bounds}" for table in tables]
    return ";\n".join(made) + ";\n"


_FINDING = f"""
DROP TABLE handles;
CREATE TABLE handles (
    handle BYTEA NOT NULL, created_us BIGINT NOT NULL, transaction_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (handle, created_us, transaction_id)
) PARTITION BY RANGE (created_us);
CREATE INDEX handles_by_transaction ON handles (created_us, transaction_id);
{_partitions("handles")}
"""
_FEED_AND_FINDING = f"""
DROP TABLE handles;
CREATE TABLE handles (
    handle BYTEA NOT NULL, created_us BIGINT NOT NULL, transaction_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (handle, created_us, transaction_id)
) PARTITION BY RANGE (created_us);
DROP TABLE changes;
CREATE TABLE changes (
    written_in xid8 DEFAULT pg_current_xact_id() NOT NULL, number BIGINT GENERATED ALWAYS AS IDENTITY,
    transaction_id TEXT COLLATE "C" NOT NULL, created_us BIGINT NOT NULL, state TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL, tenant TEXT COLLATE "C" NOT NULL DEFAULT 'default'
) PARTITION BY RANGE (created_us);
CREATE INDEX changes_in_order ON changes (written_in, number);
CREATE INDEX changes_of_tenant ON changes (tenant, written_in, number);
{_partitions("handles", "changes")}
"""


def _without_unfound(batch: str) -> str:
    """Leave out what takes handles back: it is for batches in which a row carries all of them anew."""
    before, after = batch.split("), unfound AS (")
    return f"{before}), found AS ({after.split('), found AS (')[1]}"


# As it was until step 0009.
BEFORE = Layout(
    name="before 0009",
    script="CREATE INDEX transactions_due ON transactions (due_us) WHERE due_us IS NOT NULL",
    fill=_AS_TODAY,
)

# Rows stay where they were opened; what changes and is indexed is beside them.
BESIDE = Layout(
    name="work beside",
    script=f"""
DROP INDEX transactions_due_at_provider, transactions_of_tenant;
ALTER TABLE transactions SET (fillfactor = 70);
CREATE TABLE work (
    transaction_id TEXT COLLATE "C" NOT NULL PRIMARY KEY, tenant TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL, provider TEXT COLLATE "C" NOT NULL, operation TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL, due_us BIGINT
);
CREATE INDEX work_due ON work (provider, state, due_us) WHERE due_us IS NOT NULL;
CREATE INDEX work_listed ON work ({_STREAM});
CREATE TABLE ended (
    tenant TEXT COLLATE "C" NOT NULL, state TEXT COLLATE "C" NOT NULL, provider TEXT COLLATE "C" NOT NULL,
    operation TEXT COLLATE "C" NOT NULL, created_us BIGINT NOT NULL, transaction_id TEXT COLLATE "C" NOT NULL
);
CREATE INDEX ended_listed ON ended ({_STREAM});
""",
    batch=statements.BATCH.replace(
        "RETURNING transaction_id, created_us, state, updated_us, tenant\n",
        "RETURNING transaction_id, created_us, state, updated_us, tenant, provider, operation, due_us\n",
    )
    .replace(
        "RETURNING now.transaction_id, now.created_us, now.state, now.updated_us, now.tenant,",
        "RETURNING now.transaction_id, now.created_us, now.state, now.updated_us, now.tenant, now.provider,"
        " now.operation, now.due_us,",
    )
    .replace(
        "), changed AS (",
        f"""), in_work AS (
    INSERT INTO work (transaction_id, tenant, state, provider, operation, created_us, due_us)
    SELECT transaction_id, tenant, state, provider, operation, created_us, due_us FROM opened
    WHERE state NOT IN ({_FINAL})
), still_in_work AS (
    UPDATE work SET state = written.state, due_us = written.due_us FROM written
    WHERE work.transaction_id = ANY($15) AND work.transaction_id = written.transaction_id
    AND written.state NOT IN ({_FINAL})
), out_of_work AS (
    DELETE FROM work USING written
    WHERE work.transaction_id = ANY($15) AND work.transaction_id = written.transaction_id
    AND written.state IN ({_FINAL})
), at_rest AS (
    INSERT INTO ended ({_STREAM})
    SELECT {_STREAM} FROM opened WHERE state IN ({_FINAL})
    UNION ALL
    SELECT {_STREAM} FROM written WHERE is_change AND state IN ({_FINAL})
), changed AS (""",  # noqa: S608 - put together from our own text
    ),
    claim=f"""
WITH {DURABLY},
due AS (
    SELECT oldest.* FROM unnest($6::text[]) AS wanted (state) CROSS JOIN LATERAL (
        SELECT w.transaction_id, w.due_us FROM work AS w JOIN transactions AS t USING (transaction_id)
        WHERE w.provider = $5 AND w.state = wanted.state AND w.due_us <= $1
            AND ($7::bytea[] IS NULL OR substring(t.document FROM 1 FOR 2) = ANY($7))
        ORDER BY w.due_us LIMIT $4 FOR UPDATE SKIP LOCKED
    ) AS oldest
    ORDER BY due_us LIMIT $4
), taken AS (
    UPDATE work SET due_us = $2 FROM due WHERE work.transaction_id = due.transaction_id
)
UPDATE transactions AS now SET due_us = $2, driver = $3, fence = fence + 1, version = version + 1
FROM due, durable WHERE now.transaction_id = due.transaction_id
RETURNING {columns("now.")}, due.due_us AS was_due_us
""",  # noqa: S608 - put together from our own text
    fill=(*_AS_TODAY, _MADE.format("ended", _STREAM)),
    purge="""
WITH gone AS (
    DELETE FROM ended WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM ended WHERE tenant = 'default' AND state = ANY($3)
        AND provider = 'spar-za' AND operation = 'redeem' AND created_us < $1 LIMIT $2
    )) RETURNING transaction_id, created_us
), rows AS (
    DELETE FROM transactions USING gone WHERE transactions.transaction_id = gone.transaction_id
), unfound AS (
    DELETE FROM handles USING gone
    WHERE handles.created_us = gone.created_us AND handles.transaction_id = gone.transaction_id
), unchanged AS (
    DELETE FROM changes USING gone
    WHERE changes.created_us = gone.created_us AND changes.transaction_id = gone.transaction_id
) SELECT count(*) FROM gone
""",
)

_GIVEN = statements.BATCH.split("opened AS (")[1].split("FROM unnest(")[1].split(")\n        AS given")[0]
_WRITTEN = (
    statements.BATCH.split("), written AS (")[1].split("FROM unnest(")[1].split(",\n        transactions")[0]
)
_REST = statements.BATCH.split("), found AS (")[1]
_CHANGED = "transaction_id, created_us, state, updated_us, tenant"
_WROTE = {
    name: f"given.{name}"
    for name in ("state", "updated_us", "due_us", "driver", "version", "fence", "document")
} | {
    "hash_key": "CASE WHEN now.hash_key = given.hash_key OR given.transaction_id = ANY($26)"
    " THEN given.hash_key ELSE '' END"
}


def _ended(final: str) -> str:
    return ", ".join(_WROTE.get(name, f"now.{name}") + f" AS {name}" for name in final.split(", "))


# What is open lies in a small table, and goes from there to a partition of its day when it ends; nothing is
# changed there. One narrow table of ids sees to it that none is used twice.
MOVED = Layout(
    name="moved at the end",
    script=f"""
DROP TABLE transactions CASCADE;
CREATE TABLE ids (transaction_id TEXT COLLATE "C" NOT NULL PRIMARY KEY, created_us BIGINT NOT NULL);
CREATE TABLE work (
    transaction_id TEXT COLLATE "C" NOT NULL PRIMARY KEY, operation TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL, state TEXT COLLATE "C" NOT NULL, created_us BIGINT NOT NULL,
    updated_us BIGINT NOT NULL, due_us BIGINT, driver TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL,
    fence BIGINT NOT NULL, document BYTEA NOT NULL, tenant TEXT COLLATE "C" NOT NULL,
    asked_id TEXT COLLATE "C" NOT NULL, hash_key TEXT COLLATE "C" NOT NULL
) WITH (fillfactor = 50);
ALTER TABLE work ALTER COLUMN document SET STORAGE EXTERNAL;
CREATE INDEX work_due ON work (provider, state, due_us) WHERE due_us IS NOT NULL;
CREATE INDEX work_listed ON work ({_STREAM});
CREATE TABLE transactions (LIKE work INCLUDING STORAGE) PARTITION BY RANGE (created_us);
CREATE INDEX transactions_by_age ON transactions (created_us, transaction_id);
CREATE INDEX transactions_of_tenant ON transactions ({_STREAM});
{_partitions("transactions")}
{_FEED_AND_FINDING}
""",
    batch=f"""
WITH {DURABLY},
given AS MATERIALIZED (SELECT given.* FROM unnest({_GIVEN}) AS given ({columns()})),
known AS (
    INSERT INTO ids (transaction_id, created_us) SELECT transaction_id, created_us FROM given
    ON CONFLICT (transaction_id) DO NOTHING RETURNING transaction_id
), opened AS (
    SELECT given.* FROM given JOIN known USING (transaction_id)
), in_work AS (
    INSERT INTO work ({columns()}) SELECT {columns()} FROM opened WHERE state NOT IN ({_FINAL})
), moved AS (
    DELETE FROM work AS now USING unnest({_WRITTEN}
    WHERE now.transaction_id = ANY($15) AND now.transaction_id = given.transaction_id
        AND now.version = given.version - 1 AND given.state IN ({_FINAL})
    RETURNING {_ended(columns())}, now.state <> given.state AS is_change
), at_rest AS (
    INSERT INTO transactions ({columns()})
    SELECT {columns()} FROM moved UNION ALL SELECT {columns()} FROM opened WHERE state IN ({_FINAL})
), still_in_work AS (
    UPDATE work AS now SET {", ".join(f"{name} = {value}" for name, value in _WROTE.items())}
    FROM unnest({_WRITTEN},
        work AS was
    WHERE now.transaction_id = ANY($15) AND now.transaction_id = given.transaction_id
        AND was.transaction_id = ANY($15) AND was.transaction_id = given.transaction_id
        AND now.version = given.version - 1 AND given.state NOT IN ({_FINAL})
    RETURNING now.transaction_id, now.created_us, now.state, now.updated_us, now.tenant,
        was.state <> now.state AS is_change
), written AS (
    SELECT {_CHANGED}, is_change FROM still_in_work UNION ALL SELECT {_CHANGED}, is_change FROM moved
), changed AS (
    INSERT INTO changes (transaction_id, created_us, state, at_us, tenant)
    SELECT {_CHANGED} FROM opened UNION ALL SELECT {_CHANGED} FROM written WHERE is_change
), found AS ({_REST}
""",  # noqa: S608 - put together from our own text
    claim=statements.CLAIM.replace("FROM transactions", "FROM work").replace(
        "UPDATE transactions", "UPDATE work"
    ),
    rows=f"""
SELECT {columns()} FROM work WHERE transaction_id = ANY($1)
UNION ALL
SELECT {columns("t.")} FROM ids JOIN transactions AS t USING (created_us, transaction_id)
WHERE ids.transaction_id = ANY($1)
""",  # noqa: S608 - put together from our own text
    fill=(
        _MADE.format("transactions", columns()),
        _MADE.format("ids", "transaction_id, created_us"),
        _HANDLES,
        _CHANGES,
    ),
    purge="""
WITH gone AS (
    DELETE FROM ids WHERE transaction_id = ANY(ARRAY(
        SELECT i.transaction_id FROM going AS t JOIN ids AS i USING (transaction_id) LIMIT $2
    )) AND created_us < $1 RETURNING 1
) SELECT count(*) FROM gone
""",
    drop="""
ALTER TABLE transactions DETACH PARTITION transactions_0;
ALTER TABLE transactions_0 RENAME TO going;
DROP TABLE handles_0;
DROP TABLE changes_0;
""",
)

# What is open lies in a small table, and goes to that of what ended when it does; nothing is moved back.
APART = Layout(
    name="apart",
    script=f"""
ALTER TABLE transactions RENAME TO ended_transactions;
DROP INDEX transactions_due_at_provider;
ALTER INDEX transactions_of_tenant RENAME TO ended_transactions_listed;
ALTER TABLE ended_transactions RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_analyze_scale_factor);
CREATE TABLE open_transactions (LIKE ended_transactions INCLUDING DEFAULTS INCLUDING STORAGE,
    PRIMARY KEY (transaction_id));
ALTER TABLE open_transactions SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX open_transactions_due ON open_transactions (provider, state, due_us) WHERE due_us IS NOT NULL;
CREATE INDEX open_transactions_listed ON open_transactions ({_STREAM});
CREATE FUNCTION no_id_twice() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF EXISTS (SELECT 1 FROM ended_transactions AS e WHERE e.transaction_id = NEW.transaction_id) THEN
        RAISE EXCEPTION 'it ended at this very moment' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER no_id_twice AFTER INSERT ON open_transactions FOR EACH ROW EXECUTE FUNCTION no_id_twice();
CREATE VIEW transactions AS
SELECT {columns()} FROM open_transactions UNION ALL SELECT {columns()} FROM ended_transactions;
""",  # noqa: S608 - put together from our own text
    batch=f"""
WITH {DURABLY},
given AS MATERIALIZED (
    SELECT given.*, given.state IN ({_FINAL}) AS is_final FROM unnest({_WRITTEN}
), opened AS (
    INSERT INTO open_transactions ({columns()})
    SELECT {columns()} FROM unnest({_GIVEN}) AS given ({columns()})
    WHERE transaction_id <> ALL (ARRAY(
        SELECT transaction_id FROM ended_transactions WHERE transaction_id = ANY($1)
    ))
    ON CONFLICT (transaction_id) DO NOTHING
    RETURNING {_CHANGED}
), moved AS (
    DELETE FROM open_transactions AS now USING given
    WHERE now.transaction_id = ANY($15) AND now.transaction_id = given.transaction_id
        AND now.version = given.version - 1 AND given.is_final
    RETURNING {_ended(columns())}, now.state <> given.state AS is_change
), at_rest AS (
    INSERT INTO ended_transactions ({columns()}) SELECT {columns()} FROM moved
), still_open AS (
    UPDATE open_transactions AS now SET {", ".join(f"{name} = {value}" for name, value in _WROTE.items())}
    FROM given, open_transactions AS was
    WHERE now.transaction_id = ANY($15) AND now.transaction_id = given.transaction_id
        AND was.transaction_id = ANY($15) AND was.transaction_id = given.transaction_id
        AND now.version = given.version - 1 AND NOT given.is_final
    RETURNING now.transaction_id, now.created_us, now.state, now.updated_us, now.tenant,
        was.state <> now.state AS is_change
), again AS (
    UPDATE ended_transactions AS now SET {", ".join(f"{name} = {value}" for name, value in _WROTE.items())}
    FROM given, ended_transactions AS was
    WHERE now.transaction_id = ANY($15) AND now.transaction_id = given.transaction_id
        AND was.transaction_id = ANY($15) AND was.transaction_id = given.transaction_id
        AND now.version = given.version - 1 AND given.is_final
    RETURNING now.transaction_id, now.created_us, now.state, now.updated_us, now.tenant,
        was.state <> now.state AS is_change
), written AS (
    SELECT {_CHANGED}, is_change FROM still_open
    UNION ALL SELECT {_CHANGED}, is_change FROM moved
    UNION ALL SELECT {_CHANGED}, is_change FROM again
), changed AS ({statements.BATCH.split("), changed AS (")[1]}
""",  # noqa: S608 - put together from our own text
    claim=statements.CLAIM.replace("FROM transactions", "FROM open_transactions").replace(
        "UPDATE transactions", "UPDATE open_transactions"
    ),
    fill=(_MADE.format("ended_transactions", columns()), _HANDLES, _CHANGES),
    purge=statements.PURGE.replace("DELETE FROM transactions", "DELETE FROM ended_transactions"),
)

# The blind indexes by week, all else as today.
WEEKLY = Layout(
    name="blind indexes by week",
    script=_FINDING,
    batch=_without_unfound(statements.BATCH),
    fill=_AS_TODAY,
    purge=re.sub(r"unfound AS [(].*?[)], (?=unchanged)", "", statements.PURGE, flags=re.DOTALL),
    drop="DROP TABLE handles_0;",
)

LAYOUTS = (BEFORE, TODAY, WEEKLY, BESIDE, APART, MOVED)
