-- oldest reader: 0001
-- API keys, so that every process of a gateway knows them, and within a second when one is revoked.

CREATE TABLE api_keys (
    key_id TEXT NOT NULL PRIMARY KEY,
    document BYTEA NOT NULL
);

COMMENT ON TABLE api_keys IS 'the keys that callers sign in with';
COMMENT ON COLUMN api_keys.key_id IS 'what stands in the key after gck_; no secret';
COMMENT ON COLUMN api_keys.document IS
    'JSON: whom it lets in, since when and until when, and a scrypt hash of its secret';
