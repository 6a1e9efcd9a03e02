-- oldest reader: 0006
-- Each event is of a tenant, so that streams read their own; of those from before nobody noted whose they are.
-- The audit's beginning may be purged, and nothing else of it.
--
-- Adding the column takes no time. Making the indexes reads the table and holds writes back meanwhile. With many
-- events add the column and make the indexes beforehand, by CREATE INDEX CONCURRENTLY under the same names.
-- Gateways of the release before go on writing: their events have no tenant, and are found as those from before.

ALTER TABLE events ADD COLUMN IF NOT EXISTS tenant TEXT COLLATE "C" NOT NULL DEFAULT '';

COMMENT ON COLUMN events.tenant IS 'whose it is; empty where that is not known';

CREATE INDEX IF NOT EXISTS events_of_tenant ON events (tenant, written_in, number);

COMMENT ON INDEX events_of_tenant IS 'serves the events of one tenant';

CREATE INDEX IF NOT EXISTS events_of_tenant_and_provider ON events (tenant, provider, written_in, number);

COMMENT ON INDEX events_of_tenant_and_provider IS 'serves the events of one tenant that came from one provider';

CREATE TABLE audit_purging (
    chain TEXT NOT NULL PRIMARY KEY,
    until_number BIGINT NOT NULL
);

COMMENT ON TABLE audit_purging IS 'what a purge of the audit is deleting at this moment; empty at all other times';
COMMENT ON COLUMN audit_purging.chain IS 'the chain whose beginning goes';
COMMENT ON COLUMN audit_purging.until_number IS 'the last record that may be deleted';

DROP TRIGGER audit_is_append_only ON audit;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

CREATE FUNCTION audit_is_purged_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM audit_purging AS p WHERE p.chain = OLD.chain AND OLD.number <= p.until_number
    ) THEN
        RAISE EXCEPTION 'audit records are never deleted, but by audit purge';
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER audit_is_purged_only BEFORE DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_is_purged_only();
