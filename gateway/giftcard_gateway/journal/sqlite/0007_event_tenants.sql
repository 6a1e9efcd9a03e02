-- Each event is of a tenant, so that streams read their own; of those from before nobody noted whose they are.

ALTER TABLE events ADD COLUMN tenant TEXT NOT NULL DEFAULT '';  -- whose it is; empty where that is not known

-- Serves the events of one tenant.
CREATE INDEX events_of_tenant ON events (tenant, number);

-- Serves the events of one tenant that came from one provider.
CREATE INDEX events_of_tenant_and_provider ON events (tenant, provider, number);
