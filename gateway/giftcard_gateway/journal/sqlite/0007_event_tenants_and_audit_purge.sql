-- oldest reader: 0006
-- Each event is of a tenant, so that streams read their own; of those from before nobody noted whose they are.
-- The audit's beginning may be purged, and nothing else of it.

ALTER TABLE events ADD COLUMN tenant TEXT NOT NULL DEFAULT '';  -- whose it is; empty where that is not known

-- Serves the events of one tenant.
CREATE INDEX events_of_tenant ON events (tenant, number);

-- Serves the events of one tenant that came from one provider.
CREATE INDEX events_of_tenant_and_provider ON events (tenant, provider, number);

-- What a purge of the audit is deleting at this moment; empty at all other times.
CREATE TABLE audit_purging (
    chain TEXT NOT NULL PRIMARY KEY,
    until_number INTEGER NOT NULL    -- the last record that may be deleted
) WITHOUT ROWID;

DROP TRIGGER audit_is_never_deleted;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
WHEN NOT EXISTS (
    SELECT 1 FROM audit_purging AS p WHERE p.chain = OLD.chain AND OLD.number <= p.until_number
)
BEGIN SELECT RAISE(ABORT, 'audit records are never deleted, but by audit purge'); END;

-- REPLACE takes a row out without asking the trigger for deletions, and puts another in without asking the one
-- for updates. So a place in a chain is taken once.

CREATE TRIGGER audit_is_never_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE chain = NEW.chain AND number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END;
