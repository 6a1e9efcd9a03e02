-- oldest reader: 0006
-- Providers that an operator paused, so that every process of a gateway knows within a second.
--
-- Gateways of the release before go on writing, and do not know of pauses: replace them before one is needed.
-- Whoever goes back to them sells at a paused provider again.

CREATE TABLE pauses (
    provider TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    document BYTEA NOT NULL
);

COMMENT ON TABLE pauses IS 'what was last said of each provider that was ever paused';
COMMENT ON COLUMN pauses.provider IS 'the provider''s id';
COMMENT ON COLUMN pauses.document IS 'JSON: since when, until when, who said so and why';
