-- Each event is of a tenant, so that streams read their own; of those from before nobody noted whose they are.
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
