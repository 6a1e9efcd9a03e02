-- oldest reader: 0010
-- gateways: stopped
-- What is open lies apart from what ended, what ended lies by months, and the feed is numbered late.
--
-- Transactions that are open change for minutes and are few; they lie in open_transactions, whose indexes stay small.
-- What ended lies still, in a table for each month in which it was created, with its blind indexes and changes: the
-- oldest month is dropped, not deleted row by row. PostgreSQL moves a row that an UPDATE of `transactions` ends;
-- `transactions` is all of them, for whoever reads or mends by hand.
--
-- An id is taken in transaction_ids, which is one table, because ids of several tables cannot be kept unique. It is
-- never moved, so it is not free for a moment while its row is.
--
-- A change gets its place in the feed after it was committed, so that nothing is ever inserted behind a reader: it
-- is written into fresh_changes, and whoever reads the feed, or beats, numbers what is there. They take turns at the
-- row of feed_ends; writers never wait for that. Places were made of the numbers of database transactions before,
-- which one server alone has, which a restore from a dump begins anew, and which anybody's long transaction held
-- back. They are given anew here, in their order: whoever watches begins anew.
--
-- This step copies all rows: it takes as much room again, and a minute for each million.

ALTER TABLE transactions RENAME TO transactions_before;
ALTER INDEX transactions_pkey RENAME TO transactions_before_pkey;
DROP INDEX IF EXISTS transactions_of_tenant, transactions_due_at_provider;
ALTER TABLE handles RENAME TO handles_before;
ALTER INDEX handles_pkey RENAME TO handles_before_pkey;
DROP INDEX handles_by_transaction;
ALTER TABLE changes RENAME TO changes_before;
ALTER INDEX changes_pkey RENAME TO changes_before_pkey;
DROP INDEX changes_by_transaction, changes_of_tenant;

CREATE TABLE transaction_ids (
    transaction_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    created_us BIGINT NOT NULL
);

COMMENT ON TABLE transaction_ids IS 'every id that is taken, and the month its transaction lies in once it ended';
COMMENT ON COLUMN transaction_ids.transaction_id IS 'the id that gateway and provider use';
COMMENT ON COLUMN transaction_ids.created_us IS 'its transaction''s';

CREATE INDEX transaction_ids_by_time ON transaction_ids (created_us);

COMMENT ON INDEX transaction_ids_by_time IS 'finds the ids of months that were dropped';

-- Columns keep their comments, defaults and storage; the parts take them over.
CREATE TABLE transactions (LIKE transactions_before INCLUDING COMMENTS INCLUDING DEFAULTS INCLUDING STORAGE)
    PARTITION BY LIST (state);

COMMENT ON TABLE transactions IS
    'one row for each transaction: columns to find work by, and a sealed document; open_transactions and ended_transactions';
CREATE TABLE open_transactions PARTITION OF transactions DEFAULT;
ALTER TABLE open_transactions ADD PRIMARY KEY (transaction_id);

COMMENT ON TABLE open_transactions IS 'the transactions in which something is owed, or a person is needed';

-- Rows are written two to five times in their minutes: without frequent cleaning the index of what is due fills
-- with dead entries. The table is small, so a fraction of it says little.
ALTER TABLE open_transactions SET (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 10000
);

CREATE TABLE ended_transactions PARTITION OF transactions
    FOR VALUES IN ('CONFIRMED', 'DECLINED', 'FAILED', 'REVERSED') PARTITION BY RANGE (created_us);
ALTER TABLE ended_transactions ADD PRIMARY KEY (created_us, transaction_id);

COMMENT ON TABLE ended_transactions IS 'the transactions in a state that nothing leaves, by months';

-- Every tenant is in it. The condition is there so that only what asks for it goes by this index: of a table that is
-- empty at the moment the planner takes any index for the id, and keeps to that when the table has filled.
CREATE INDEX transactions_of_tenant
    ON transactions (tenant, state, provider, operation, created_us, transaction_id) WHERE tenant >= '';

COMMENT ON INDEX transactions_of_tenant IS
    'serves every list (a merge of its runs, newest first), the count of the backlog, and purging';

CREATE INDEX transactions_due_at_provider ON open_transactions (provider, state, due_us)
    WHERE due_us IS NOT NULL;

COMMENT ON INDEX transactions_due_at_provider IS
    'finds what is due at one provider in one state, oldest first';

CREATE INDEX ended_transactions_by_last_write ON ended_transactions USING brin (updated_us);

COMMENT ON INDEX ended_transactions_by_last_write IS
    'tells whether anything in a month was written too late for the month to be dropped';

CREATE TABLE handles (
    LIKE handles_before INCLUDING COMMENTS,
    PRIMARY KEY (handle, created_us, transaction_id)
) PARTITION BY RANGE (created_us);

COMMENT ON TABLE handles IS
    'blind indexes: keyed hashes that transactions are found by without storing what was hashed; by months';
CREATE INDEX handles_by_transaction ON handles (created_us, transaction_id);

COMMENT ON INDEX handles_by_transaction IS 'finds the hashes of a transaction that is purged or hashed anew';

CREATE TABLE feed_ends (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    last_change BIGINT NOT NULL,
    last_event BIGINT NOT NULL
);

COMMENT ON TABLE feed_ends IS 'one row: up to where places were given; who gives some holds it meanwhile';
COMMENT ON COLUMN feed_ends.only_row IS 'always 1';
COMMENT ON COLUMN feed_ends.last_change IS 'no change has a higher number';
COMMENT ON COLUMN feed_ends.last_event IS 'no event has a higher number';

CREATE TABLE fresh_changes (
    at_us BIGINT NOT NULL,
    transaction_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    tenant TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (at_us, transaction_id, version)
);

COMMENT ON TABLE fresh_changes IS 'changes of state that have no place in the feed yet';
COMMENT ON COLUMN fresh_changes.at_us IS 'when; never before the transaction''s last';
COMMENT ON COLUMN fresh_changes.transaction_id IS 'the transaction that changed';
COMMENT ON COLUMN fresh_changes.version IS 'its version then';
COMMENT ON COLUMN fresh_changes.created_us IS 'its transaction''s';
COMMENT ON COLUMN fresh_changes.state IS 'the state it came to';
COMMENT ON COLUMN fresh_changes.tenant IS 'its transaction''s';

-- It is filled and emptied all day, so what is dead in it is many times what is not.
ALTER TABLE fresh_changes SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE changes (
    number BIGINT NOT NULL,
    transaction_id TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL,
    tenant TEXT COLLATE "C" NOT NULL DEFAULT 'default',
    PRIMARY KEY (number, created_us)
) PARTITION BY RANGE (created_us);

COMMENT ON TABLE changes IS 'the feed: one row for each change of state; by months';
COMMENT ON COLUMN changes.number IS 'its place in the feed';
COMMENT ON COLUMN changes.transaction_id IS 'the transaction that changed';
COMMENT ON COLUMN changes.created_us IS 'its transaction''s, so that it goes with it';
COMMENT ON COLUMN changes.state IS 'the state it came to';
COMMENT ON COLUMN changes.at_us IS 'when';
COMMENT ON COLUMN changes.tenant IS 'its transaction''s';

CREATE INDEX changes_by_transaction ON changes (created_us, transaction_id);

COMMENT ON INDEX changes_by_transaction IS 'finds the changes of a transaction that is purged';

CREATE INDEX changes_of_tenant ON changes (tenant, number);

COMMENT ON INDEX changes_of_tenant IS 'serves the feed of one tenant';

CREATE TABLE dropped_months (
    since_us BIGINT NOT NULL PRIMARY KEY,
    until_us BIGINT NOT NULL,
    dropped_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

COMMENT ON TABLE dropped_months IS 'the months whose tables were dropped; their ids are freed after that';
COMMENT ON COLUMN dropped_months.since_us IS 'when the month began';
COMMENT ON COLUMN dropped_months.until_us IS 'when the next one began';
COMMENT ON COLUMN dropped_months.dropped_at IS 'when it was dropped';

-- What was created in a month that has no tables, because nobody made them in time or a clock was wrong.
CREATE TABLE ended_transactions_other PARTITION OF ended_transactions DEFAULT;
CREATE TABLE handles_other PARTITION OF handles DEFAULT;
CREATE TABLE changes_other PARTITION OF changes DEFAULT;

-- A gateway's role need not own the tables, so the two functions run as their owner, for whoever may delete
-- transactions. Neither waits long for a table, because whoever waits for one keeps all that come later waiting; who
-- calls them tries again.

CREATE FUNCTION add_month(month DATE) RETURNS BOOLEAN LANGUAGE plpgsql SECURITY DEFINER
SET lock_timeout = '100ms' AS
$$
DECLARE
    since_us CONSTANT BIGINT := extract(epoch FROM date_trunc('month', month::timestamp) AT TIME ZONE 'UTC') * 1000000;
    until_us CONSTANT BIGINT :=
        extract(epoch FROM (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC') * 1000000;
    parent TEXT;
    child TEXT;
    is_taken BOOLEAN;
    is_new BOOLEAN := FALSE;
BEGIN
    IF NOT has_table_privilege(session_user, 'transactions', 'DELETE') THEN
        RAISE EXCEPTION 'permission denied for table transactions' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOREACH parent IN ARRAY ARRAY['ended_transactions', 'handles', 'changes'] LOOP
        child := parent || to_char(month, '_YYYY_MM');
        CONTINUE WHEN to_regclass(child) IS NOT NULL;
        -- Two processes make one month in turns. What a name means may be remembered from before the turn.
        PERFORM pg_advisory_xact_lock(7283640918);
        CONTINUE WHEN EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema() AND tablename = child);
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE created_us >= $1 AND created_us < $2)', parent || '_other')
            INTO is_taken USING since_us, until_us;
        -- Rows that came before their table stay where they are, and are purged one by one.
        CONTINUE WHEN is_taken;
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)', child, parent, since_us, until_us);
        is_new := TRUE;
    END LOOP;
    RETURN is_new;
END
$$;

COMMENT ON FUNCTION add_month(DATE) IS 'makes the tables of what is created in a month, where they are not there yet';

CREATE FUNCTION drop_month(month DATE, before_us BIGINT) RETURNS BOOLEAN LANGUAGE plpgsql SECURITY DEFINER
SET lock_timeout = '100ms' AS
$$
DECLARE
    since_us CONSTANT BIGINT := extract(epoch FROM date_trunc('month', month::timestamp) AT TIME ZONE 'UTC') * 1000000;
    until_us CONSTANT BIGINT :=
        extract(epoch FROM (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC') * 1000000;
    suffix CONSTANT TEXT := to_char(month, '_YYYY_MM');
    is_kept BOOLEAN;
BEGIN
    IF NOT has_table_privilege(session_user, 'transactions', 'DELETE') THEN
        RAISE EXCEPTION 'permission denied for table transactions' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- Every gateway drops months, and they begin at the same time: whoever comes second finds the month gone.
    PERFORM pg_advisory_xact_lock(7283640918);
    IF until_us > before_us OR NOT EXISTS (
        SELECT FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'ended_transactions' || suffix
    ) THEN
        RETURN FALSE;
    END IF;
    -- Asked before anybody is kept waiting, and again when nobody can write any more.
    FOR turn IN 1 .. 2 LOOP
        IF EXISTS (SELECT FROM open_transactions WHERE created_us >= since_us AND created_us < until_us) THEN
            RETURN FALSE;
        END IF;
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE updated_us >= $1)', 'ended_transactions' || suffix)
            INTO is_kept USING before_us;
        IF is_kept THEN
            RETURN FALSE;
        END IF;
        IF turn = 1 THEN
            -- The whole before its part, as readers take them; or each would wait for the other.
            LOCK TABLE ONLY ended_transactions, ONLY handles, ONLY changes IN ACCESS EXCLUSIVE MODE;
            EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', 'ended_transactions' || suffix);
        END IF;
    END LOOP;
    EXECUTE format('DROP TABLE %I', 'ended_transactions' || suffix);
    -- A clock that is set back makes a month again that was dropped.
    INSERT INTO dropped_months (since_us, until_us) VALUES (since_us, until_us)
    ON CONFLICT ON CONSTRAINT dropped_months_pkey DO UPDATE SET dropped_at = now();
    EXECUTE format('DROP TABLE IF EXISTS %I, %I', 'changes' || suffix, 'handles' || suffix);
    -- What came before its table was made lies here.
    DELETE FROM handles_other AS o WHERE o.created_us >= since_us AND o.created_us < until_us;
    DELETE FROM changes_other AS o WHERE o.created_us >= since_us AND o.created_us < until_us;
    RETURN TRUE;
END
$$;

COMMENT ON FUNCTION drop_month(DATE, BIGINT) IS
    'drops the tables of a month when all of it ended and was last written before a time; says whether it did';

-- A function that runs as its owner must find the owner's tables, whatever its caller has set.
DO $$
DECLARE
    place CONSTANT TEXT := current_schema();
    oldest TIMESTAMP;
BEGIN
    EXECUTE format('ALTER FUNCTION add_month(DATE) SET search_path = %I, pg_temp', place);
    EXECUTE format('ALTER FUNCTION drop_month(DATE, BIGINT) SET search_path = %I, pg_temp', place);
    SELECT to_timestamp(min(created_us) / 1000000.0) AT TIME ZONE 'UTC' INTO oldest FROM transactions_before
    WHERE created_us > extract(epoch FROM now() - interval '10 years') * 1000000;
    PERFORM add_month(each::date) FROM generate_series(
        date_trunc('month', least(oldest, now() AT TIME ZONE 'UTC')),
        (now() AT TIME ZONE 'UTC') + interval '3 months',
        interval '1 month'
    ) AS each;
END
$$;

INSERT INTO transaction_ids (transaction_id, created_us)
SELECT transaction_id, created_us FROM transactions_before ORDER BY created_us;

INSERT INTO transactions (
    transaction_id, operation, provider, state, created_us, updated_us, due_us, driver, version, fence, document,
    tenant, asked_id, hash_key
)
SELECT transaction_id, operation, provider, state, created_us, updated_us, due_us, driver, version, fence, document,
    tenant, asked_id, hash_key
FROM transactions_before ORDER BY created_us;

INSERT INTO handles (handle, created_us, transaction_id)
SELECT handle, created_us, transaction_id FROM handles_before;

INSERT INTO changes (number, transaction_id, created_us, state, at_us, tenant)
SELECT row_number() OVER (ORDER BY written_in, number), transaction_id, created_us, state, at_us, tenant
FROM changes_before;

DROP TABLE transactions_before, handles_before, changes_before;

ALTER TABLE events DROP CONSTRAINT events_pkey;
ALTER TABLE events DROP CONSTRAINT events_once;
ALTER TABLE events RENAME COLUMN number TO arrived;
ALTER TABLE events ADD COLUMN number BIGINT;
UPDATE events SET number = placed.number FROM (
    SELECT provider, event_id, row_number() OVER (ORDER BY written_in, arrived) AS number FROM events
) AS placed
WHERE events.provider = placed.provider AND events.event_id = placed.event_id;
DROP INDEX events_unapplied, events_of_provider, events_of_tenant, events_of_tenant_and_provider;
ALTER TABLE events DROP COLUMN written_in;
ALTER TABLE events ADD PRIMARY KEY (provider, event_id);

COMMENT ON COLUMN events.arrived IS 'tells in which order events came';
COMMENT ON COLUMN events.number IS 'its place in the feed of events; null until it gets one';

CREATE UNIQUE INDEX events_by_number ON events (number);

COMMENT ON INDEX events_by_number IS 'serves pages of all events';

CREATE INDEX events_unnumbered ON events (arrived) WHERE number IS NULL;

COMMENT ON INDEX events_unnumbered IS 'finds events that have no place yet; others are not in it';

CREATE INDEX events_unapplied ON events (arrived) WHERE NOT applied;

COMMENT ON INDEX events_unapplied IS 'finds events still to be applied, oldest first; applied ones are not in it';

CREATE INDEX events_of_provider ON events (provider, number);

COMMENT ON INDEX events_of_provider IS 'serves pages of one provider''s events';

CREATE INDEX events_of_tenant ON events (tenant, number);

COMMENT ON INDEX events_of_tenant IS 'serves the events of one tenant';

CREATE INDEX events_of_tenant_and_provider ON events (tenant, provider, number);

COMMENT ON INDEX events_of_tenant_and_provider IS 'serves the events of one tenant that came from one provider';

INSERT INTO feed_ends (only_row, last_change, last_event)
SELECT 1, (SELECT coalesce(max(number), 0) FROM changes), (SELECT coalesce(max(number), 0) FROM events);
