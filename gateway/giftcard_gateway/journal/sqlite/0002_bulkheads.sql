-- oldest reader: 0001
-- Claims go provider by provider, so that what one is owed keeps nobody else waiting; and a heartbeat.

-- Finds what is due at one provider in one state, oldest first. Finished rows are not in it.
CREATE INDEX transactions_due_at_provider ON transactions (provider, state, due_us) WHERE due_us IS NOT NULL;

DROP INDEX transactions_due;

-- One row: when a gateway last could write, and the last time none could.
CREATE TABLE heartbeat (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    beat_us INTEGER NOT NULL,        -- when a gateway last wrote here
    outage_from_us INTEGER,          -- the last write before no gateway could write; null when that never was
    outage_until_us INTEGER,         -- the first write after it
    lost_us INTEGER NOT NULL DEFAULT 0  -- how long all such times were
);

-- The time in which this step is made counts like any other in which no gateway could write.
INSERT INTO heartbeat (only_row, beat_us) SELECT 1, at_us FROM changes ORDER BY number DESC LIMIT 1;
