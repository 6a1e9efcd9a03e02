-- oldest reader: 0001
-- The journal's tables, for SQLite. The same tables for PostgreSQL are in ../postgres/0001_journal.sql.
--
-- All times (`..._us`) are microseconds since 1970 in UTC.
-- An index on random keys is costly, because every write touches another page of it. So besides the
-- primary keys every index begins with something that grows with time or has few values.

-- One row for each transaction: a few plain columns to find work by, and one sealed document.
CREATE TABLE transactions (
    transaction_id TEXT NOT NULL,    -- the id its caller made
    operation TEXT NOT NULL,         -- what was asked, such as redeem
    provider TEXT NOT NULL,          -- the provider's id; empty for a tombstone
    state TEXT NOT NULL,             -- one of the nine states
    created_us INTEGER NOT NULL,     -- when the intent was written
    updated_us INTEGER NOT NULL,     -- when it was last written
    due_us INTEGER,                  -- when another process may take it; null when nothing is owed
    driver TEXT NOT NULL,            -- the process that works on it now; empty when none does
    version INTEGER NOT NULL,        -- counts writes; a write replaces only the version it read
    fence INTEGER NOT NULL,          -- counts how often it was taken by a process
    document BLOB NOT NULL,          -- the whole transaction, encrypted
    PRIMARY KEY (transaction_id)
);

-- Finds what is due (PENDING, APPROVED, CONFIRMING, REVERSING), oldest first. Finished rows are not in it.
CREATE INDEX transactions_due ON transactions (due_us) WHERE due_us IS NOT NULL;

-- Serves every list, which is a merge of runs of this index, newest first. It also counts the backlog and
-- finds what may be purged. It is the only index that a change of state has to move.
CREATE INDEX transactions_listed ON transactions (state, provider, operation, created_us, transaction_id);

-- Blind indexes: keyed hashes that transactions are found by without storing what was hashed.
CREATE TABLE handles (
    handle BLOB NOT NULL,            -- keyed hash of a card, a reference, a label, a merchant or a terminal
    created_us INTEGER NOT NULL,     -- its transaction's, so that pages are in order
    transaction_id TEXT NOT NULL,    -- the transaction it finds
    PRIMARY KEY (handle, created_us, transaction_id)
) WITHOUT ROWID;

-- Finds the hashes of a transaction that is purged.
CREATE INDEX handles_by_transaction ON handles (created_us, transaction_id);

-- The feed: one row for each change of state. The number is its place in the feed and is never used again.
CREATE TABLE changes (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    transaction_id TEXT NOT NULL,    -- the transaction that changed
    created_us INTEGER NOT NULL,     -- its transaction's, so that purging finds it
    state TEXT NOT NULL,             -- the state it came to
    at_us INTEGER NOT NULL           -- when
);

-- Finds the changes of a transaction that is purged.
CREATE INDEX changes_by_transaction ON changes (created_us, transaction_id);

-- One row for each event that a provider's webhook brought.
CREATE TABLE events (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL,          -- the provider's id
    event_id TEXT NOT NULL,          -- the provider's id of the event
    name TEXT NOT NULL,              -- the provider's name for what happened
    received_us INTEGER NOT NULL,    -- when it came in
    document BLOB NOT NULL,          -- the event, encrypted
    applied BOOLEAN NOT NULL,        -- whether its transaction knows what the event proves
    CONSTRAINT events_once UNIQUE (provider, event_id)
);

-- Finds events still to be applied, oldest first. Applied ones are not in it.
CREATE INDEX events_unapplied ON events (number) WHERE NOT applied;

-- Serves pages of one provider's events.
CREATE INDEX events_of_provider ON events (provider, number);
