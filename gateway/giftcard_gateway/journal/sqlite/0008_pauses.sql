-- Providers that an operator paused, so that every process of a gateway knows within a second.

CREATE TABLE pauses (
    provider TEXT NOT NULL PRIMARY KEY,  -- the provider's id
    document BLOB NOT NULL               -- JSON: since when, until when, who said so and why
) WITHOUT ROWID;
