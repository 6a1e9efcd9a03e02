-- oldest reader: 0005
-- Each transaction belongs to a tenant; all from before belong to `default`.
--
-- Adding the columns takes no time. Making the indexes reads both tables and holds writes back meanwhile. With a
-- long history add the columns and make the indexes beforehand, by CREATE INDEX CONCURRENTLY under the same
-- names. Gateways of the release before that are running go on writing, for `default`; until they are replaced their
-- lists and counts are slow, because the index they went by is gone. None of them may start anew: it would show every
-- tenant's transactions to whoever asks.
--
-- `transaction_id` is the id that provider and gateway use: the caller's for `default`, else derived from both.

ALTER TABLE transactions ADD COLUMN IF NOT EXISTS tenant TEXT COLLATE "C" NOT NULL DEFAULT 'default';
ALTER TABLE transactions ADD COLUMN IF NOT EXISTS asked_id TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE changes ADD COLUMN IF NOT EXISTS tenant TEXT COLLATE "C" NOT NULL DEFAULT 'default';

COMMENT ON COLUMN transactions.transaction_id IS 'the id that gateway and provider use';
COMMENT ON COLUMN transactions.tenant IS 'whose it is';
COMMENT ON COLUMN transactions.asked_id IS 'the id its caller made, where transaction_id is another';
COMMENT ON COLUMN changes.tenant IS 'its transaction''s';

CREATE INDEX IF NOT EXISTS transactions_of_tenant
    ON transactions (tenant, state, provider, operation, created_us, transaction_id);

COMMENT ON INDEX transactions_of_tenant IS
    'serves every list (a merge of its runs, newest first), the count of the backlog, and purging';

DROP INDEX IF EXISTS transactions_listed;

CREATE INDEX IF NOT EXISTS changes_of_tenant ON changes (tenant, written_in, number);

COMMENT ON INDEX changes_of_tenant IS 'serves the feed of one tenant';
