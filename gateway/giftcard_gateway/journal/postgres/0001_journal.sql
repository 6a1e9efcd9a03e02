-- oldest reader: 0001
-- The journal's tables, for PostgreSQL 15 or newer. The same tables for SQLite are in ../sqlite/0001_journal.sql.
--
-- All times (`..._us`) are microseconds since 1970 in UTC.
-- Text is ordered bytewise (COLLATE "C"), so that pages are in the same order whatever the database's locale.
-- An index on random keys is costly, because every write touches another page of it. So besides the
-- primary keys every index begins with something that grows with time or has few values.

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

COMMENT ON TABLE transactions IS 'one row for each transaction: columns to find work by, and a sealed document';
COMMENT ON COLUMN transactions.transaction_id IS 'the id its caller made';
COMMENT ON COLUMN transactions.operation IS 'what was asked, such as redeem';
COMMENT ON COLUMN transactions.provider IS 'the provider''s id; empty for a tombstone';
COMMENT ON COLUMN transactions.state IS 'one of the nine states';
COMMENT ON COLUMN transactions.created_us IS 'when the intent was written';
COMMENT ON COLUMN transactions.updated_us IS 'when it was last written';
COMMENT ON COLUMN transactions.due_us IS 'when another process may take it; null when nothing is owed';
COMMENT ON COLUMN transactions.driver IS 'the process that works on it now; empty when none does';
COMMENT ON COLUMN transactions.version IS 'counts writes; a write replaces only the version it read';
COMMENT ON COLUMN transactions.fence IS 'counts how often it was taken by a process';
COMMENT ON COLUMN transactions.document IS 'the whole transaction, encrypted';

CREATE INDEX transactions_due ON transactions (due_us) WHERE due_us IS NOT NULL;

COMMENT ON INDEX transactions_due IS 'finds what is due, oldest first; finished rows are not in it';

CREATE INDEX transactions_listed ON transactions (state, provider, operation, created_us, transaction_id);

COMMENT ON INDEX transactions_listed IS
    'serves every list (a merge of its runs, newest first), the count of the backlog, and purging';

CREATE TABLE handles (
    handle BYTEA NOT NULL,
    created_us BIGINT NOT NULL,
    transaction_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (handle, created_us, transaction_id)
);

COMMENT ON TABLE handles IS
    'blind indexes: keyed hashes that transactions are found by without storing what was hashed';
COMMENT ON COLUMN handles.handle IS 'keyed hash of a card, a reference, a label, a merchant or a terminal';
COMMENT ON COLUMN handles.created_us IS 'its transaction''s, so that pages are in order';
COMMENT ON COLUMN handles.transaction_id IS 'the transaction it finds';

CREATE INDEX handles_by_transaction ON handles (created_us, transaction_id);

COMMENT ON INDEX handles_by_transaction IS 'finds the hashes of a transaction that is purged';

-- Numbers are drawn before rows are committed, so a number alone could appear behind a reader of the feed.
-- A reader stops before the oldest database transaction still running, and goes by its number first.
CREATE TABLE changes (
    written_in xid8 DEFAULT pg_current_xact_id() NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    transaction_id TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL,
    PRIMARY KEY (written_in, number)
);

COMMENT ON TABLE changes IS 'the feed: one row for each change of state';
COMMENT ON COLUMN changes.written_in IS 'the database transaction that wrote it';
COMMENT ON COLUMN changes.number IS 'the order within written_in';
COMMENT ON COLUMN changes.transaction_id IS 'the transaction that changed';
COMMENT ON COLUMN changes.created_us IS 'its transaction''s, so that purging finds it';
COMMENT ON COLUMN changes.state IS 'the state it came to';
COMMENT ON COLUMN changes.at_us IS 'when';

CREATE INDEX changes_by_transaction ON changes (created_us, transaction_id);

COMMENT ON INDEX changes_by_transaction IS 'finds the changes of a transaction that is purged';

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

COMMENT ON TABLE events IS 'one row for each event that a provider''s webhook brought';
COMMENT ON COLUMN events.written_in IS 'the database transaction that wrote it';
COMMENT ON COLUMN events.number IS 'the order within written_in';
COMMENT ON COLUMN events.provider IS 'the provider''s id';
COMMENT ON COLUMN events.event_id IS 'the provider''s id of the event';
COMMENT ON COLUMN events.name IS 'the provider''s name for what happened';
COMMENT ON COLUMN events.received_us IS 'when it came in';
COMMENT ON COLUMN events.document IS 'the event, encrypted';
COMMENT ON COLUMN events.applied IS 'whether its transaction knows what the event proves';

CREATE INDEX events_unapplied ON events (written_in, number) WHERE NOT applied;

COMMENT ON INDEX events_unapplied IS 'finds events still to be applied, oldest first; applied ones are not in it';

CREATE INDEX events_of_provider ON events (provider, written_in, number);

COMMENT ON INDEX events_of_provider IS 'serves pages of one provider''s events';

-- Encrypted bytes do not compress; trying costs more than the whole statement.
ALTER TABLE transactions ALTER COLUMN document SET STORAGE EXTERNAL;
ALTER TABLE events ALTER COLUMN document SET STORAGE EXTERNAL;

-- Rows are written two to five times in their first minutes: without frequent cleaning the index of what is
-- due fills with dead entries.
ALTER TABLE transactions SET (
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_analyze_scale_factor = 0.02
);
