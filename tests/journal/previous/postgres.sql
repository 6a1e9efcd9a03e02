CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE TABLE transactions (
    transaction_id TEXT COLLATE "C" NOT NULL,
    operation TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    updated_us BIGINT NOT NULL,
    due_us BIGINT,
    driver TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    document BYTEA NOT NULL,
    PRIMARY KEY (transaction_id)
);

COMMENT ON COLUMN transactions.transaction_id IS 'the id its caller made (rule 1)';

COMMENT ON COLUMN transactions.operation IS 'what was asked, such as redeem';

COMMENT ON COLUMN transactions.provider IS 'the provider''s id; empty for a tombstone';

COMMENT ON COLUMN transactions.state IS 'one of the nine states';

COMMENT ON COLUMN transactions.created_us IS 'when the intent was written';

COMMENT ON COLUMN transactions.updated_us IS 'when it was last written';

COMMENT ON COLUMN transactions.due_us IS 'when others may take it; null when nothing is owed';

COMMENT ON COLUMN transactions.driver IS 'the process that drives it now; empty when none';

COMMENT ON COLUMN transactions.version IS 'counts writes: every write compares it';

COMMENT ON COLUMN transactions.fence IS 'counts the hands that drove it (rule 14)';

COMMENT ON COLUMN transactions.document IS 'the sealed entry';

CREATE INDEX transactions_due ON transactions (due_us) WHERE due_us IS NOT NULL;

CREATE INDEX transactions_listed ON transactions (state, provider, operation, created_us, transaction_id);

CREATE TABLE handles (
    handle BYTEA NOT NULL,
    created_us BIGINT NOT NULL,
    transaction_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (handle, created_us, transaction_id)
);

COMMENT ON COLUMN handles.handle IS 'keyed hash of a card or a reference';

COMMENT ON COLUMN handles.created_us IS 'its transaction''s, so that a page has order';

COMMENT ON COLUMN handles.transaction_id IS 'the transaction it finds';

CREATE INDEX handles_by_transaction ON handles (created_us, transaction_id);

CREATE TABLE changes (
    written_in xid8 DEFAULT pg_current_xact_id() NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    transaction_id TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL,
    PRIMARY KEY (written_in, number)
);

COMMENT ON COLUMN changes.written_in IS 'the database transaction that wrote it';

COMMENT ON COLUMN changes.number IS 'the order within written_in';

COMMENT ON COLUMN changes.transaction_id IS 'the transaction that changed';

COMMENT ON COLUMN changes.created_us IS 'its transaction''s, so that purging finds it';

COMMENT ON COLUMN changes.state IS 'the state it came to';

COMMENT ON COLUMN changes.at_us IS 'when';

CREATE INDEX changes_by_transaction ON changes (created_us, transaction_id);

CREATE TABLE events (
    written_in xid8 DEFAULT pg_current_xact_id() NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    provider TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    received_us BIGINT NOT NULL,
    document BYTEA NOT NULL,
    applied BOOLEAN NOT NULL,
    PRIMARY KEY (written_in, number),
    CONSTRAINT events_once UNIQUE (provider, event_id)
);

COMMENT ON COLUMN events.written_in IS 'the database transaction that wrote it';

COMMENT ON COLUMN events.number IS 'the order within written_in';

COMMENT ON COLUMN events.provider IS 'the provider''s id';

COMMENT ON COLUMN events.event_id IS 'the provider''s id of the event';

COMMENT ON COLUMN events.name IS 'the provider''s name for what happened';

COMMENT ON COLUMN events.received_us IS 'when it came in';

COMMENT ON COLUMN events.document IS 'the sealed event';

COMMENT ON COLUMN events.applied IS 'whether its transaction knows what it proves';

CREATE INDEX events_unapplied ON events (written_in, number) WHERE NOT applied;

CREATE INDEX events_of_provider ON events (provider, written_in, number);

ALTER TABLE transactions ALTER COLUMN document SET STORAGE EXTERNAL;

ALTER TABLE events ALTER COLUMN document SET STORAGE EXTERNAL;

ALTER TABLE transactions SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_scale_factor = 0.02);

INSERT INTO alembic_version (version_num) VALUES ('0001') RETURNING alembic_version.version_num;
