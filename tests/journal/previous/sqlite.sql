CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE TABLE transactions (
    transaction_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    provider TEXT NOT NULL,
    state TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    due_us INTEGER,
    driver TEXT NOT NULL,
    version INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (transaction_id)
);

CREATE INDEX transactions_due ON transactions (due_us) WHERE due_us IS NOT NULL;

CREATE INDEX transactions_listed ON transactions (state, provider, operation, created_us, transaction_id);

CREATE TABLE handles (
    handle BLOB NOT NULL,
    created_us INTEGER NOT NULL,
    transaction_id TEXT NOT NULL,
    PRIMARY KEY (handle, created_us, transaction_id)
)
 WITHOUT ROWID;

CREATE INDEX handles_by_transaction ON handles (created_us, transaction_id);

CREATE TABLE changes (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    transaction_id TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    state TEXT NOT NULL,
    at_us INTEGER NOT NULL
);

CREATE INDEX changes_by_transaction ON changes (created_us, transaction_id);

CREATE TABLE events (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL,
    event_id TEXT NOT NULL,
    name TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    document BLOB NOT NULL,
    applied BOOLEAN NOT NULL,
    CONSTRAINT events_once UNIQUE (provider, event_id)
);

CREATE INDEX events_unapplied ON events (number) WHERE NOT applied;

CREATE INDEX events_of_provider ON events (provider, number);

INSERT INTO alembic_version (version_num) VALUES ('0001') RETURNING version_num;
