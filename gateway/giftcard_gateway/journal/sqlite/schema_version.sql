-- Which steps this journal has had, one row each. The highest number is the journal's schema.
CREATE TABLE IF NOT EXISTS schema_version (
    version TEXT NOT NULL PRIMARY KEY,                    -- the number of a step, such as 0001
    applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,   -- when it was applied, in UTC
    oldest_reader TEXT                                    -- gateways that know this step or a later one work with it
);
