-- Which steps this journal has had, one row each. The highest number is the journal's schema.
CREATE TABLE IF NOT EXISTS schema_version (
    version TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    oldest_reader TEXT COLLATE "C"
);

COMMENT ON TABLE schema_version IS 'the steps this journal has had; the highest is its schema';
COMMENT ON COLUMN schema_version.version IS 'the number of a step, such as 0001';
COMMENT ON COLUMN schema_version.applied_at IS 'when it was applied';
COMMENT ON COLUMN schema_version.oldest_reader IS
    'gateways that know this step or a later one work with it; null: only those that know the row''s own';
