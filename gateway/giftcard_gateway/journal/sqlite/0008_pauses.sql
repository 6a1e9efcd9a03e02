-- oldest reader: 0006
-- Providers that an operator paused, so that every process of a gateway knows within a second.
-- Gateways from before go on, and sell at a paused provider.

CREATE TABLE pauses (
    provider TEXT NOT NULL PRIMARY KEY,  -- the provider's id
    document BLOB NOT NULL               -- JSON: since when, until when, who said so and why
) WITHOUT ROWID;
