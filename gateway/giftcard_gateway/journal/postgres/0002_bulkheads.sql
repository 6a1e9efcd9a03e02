-- oldest reader: 0001
-- Claims go provider by provider, so that what one is owed keeps nobody else waiting; and a heartbeat.
--
-- Making the index reads the whole table and holds writes back meanwhile. With a long history make it
-- beforehand by CREATE INDEX CONCURRENTLY under the same name; then this step takes no time.
-- The index transactions_due stays: gateways of the release before this one go by it during an upgrade.

CREATE INDEX IF NOT EXISTS transactions_due_at_provider ON transactions (provider, state, due_us)
    WHERE due_us IS NOT NULL;

COMMENT ON INDEX transactions_due_at_provider IS
    'finds what is due at one provider in one state, oldest first; finished rows are not in it';

CREATE TABLE heartbeat (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    beat_us BIGINT NOT NULL,
    outage_from_us BIGINT,
    outage_until_us BIGINT,
    lost_us BIGINT NOT NULL DEFAULT 0
);

COMMENT ON TABLE heartbeat IS 'one row: when a gateway last could write, and the last time none could';
COMMENT ON COLUMN heartbeat.only_row IS 'always 1';
COMMENT ON COLUMN heartbeat.beat_us IS 'when a gateway last wrote here';
COMMENT ON COLUMN heartbeat.outage_from_us IS 'the last write before no gateway could; null when that never was';
COMMENT ON COLUMN heartbeat.outage_until_us IS 'the first write after it';
COMMENT ON COLUMN heartbeat.lost_us IS 'how long all such times were';

-- The time in which this step is made counts like any other in which no gateway could write.
INSERT INTO heartbeat (only_row, beat_us)
    SELECT 1, at_us FROM changes ORDER BY written_in DESC, number DESC LIMIT 1;
