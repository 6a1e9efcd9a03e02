-- oldest reader: 0001
-- API keys, so that every process of a gateway knows them, and within a second when one is revoked.

CREATE TABLE api_keys (
    key_id TEXT NOT NULL PRIMARY KEY,  -- what stands in the key after gck_; no secret
    document BLOB NOT NULL            -- JSON: whom it lets in, since when and until when, and a scrypt hash of its secret
) WITHOUT ROWID;
