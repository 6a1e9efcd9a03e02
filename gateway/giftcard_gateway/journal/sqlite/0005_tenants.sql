-- oldest reader: 0005
-- Each transaction belongs to a tenant; all from before belong to `default`.
-- Gateways from before would show every tenant's transactions to whoever asks.
--
-- `transaction_id` is the id that provider and gateway use: the caller's for `default`, else derived from both.

ALTER TABLE transactions ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';  -- whose it is
ALTER TABLE transactions ADD COLUMN asked_id TEXT NOT NULL DEFAULT '';  -- its caller's id, where transaction_id is another
ALTER TABLE changes ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';  -- its transaction's

-- Serves every list, which is a merge of runs of this index, newest first. It also counts the backlog and
-- finds what may be purged. It is the only index that a change of state has to move.
CREATE INDEX transactions_of_tenant
    ON transactions (tenant, state, provider, operation, created_us, transaction_id);

DROP INDEX transactions_listed;

-- Serves the feed of one tenant.
CREATE INDEX changes_of_tenant ON changes (tenant, number);
