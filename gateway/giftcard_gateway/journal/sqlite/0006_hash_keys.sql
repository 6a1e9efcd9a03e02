-- oldest reader: 0006
-- The hash key rotates: each transaction says which one it is found by. All from before have the first.
-- And keys in use are noted, so that a start finds at once which of them it does not know.
-- Gateways from before would find nothing under another hash key, and mix the indexes of what they write.

CREATE TABLE keys_in_use (
    kind TEXT NOT NULL,              -- `seal`: documents may be sealed with it; `hash`: transactions may be found by it
    key_id TEXT NOT NULL,            -- its id in the configuration
    fingerprint TEXT NOT NULL DEFAULT '',  -- tells it from another key under the same id; empty where nobody noted it
    PRIMARY KEY (kind, key_id)
) WITHOUT ROWID;

-- Those of all from before. A document's second byte says how long the key's id is that follows.
INSERT OR IGNORE INTO keys_in_use (kind, key_id)
SELECT DISTINCT 'seal', CAST(substr(document, 3, unicode(CAST(substr(document, 2, 1) AS TEXT))) AS TEXT)
FROM (SELECT document FROM transactions UNION ALL SELECT document FROM events)
WHERE substr(document, 1, 1) IN (x'01', x'02') AND length(document) > 2;

INSERT INTO keys_in_use (kind, key_id) SELECT 'hash', 'first' WHERE EXISTS (SELECT 1 FROM transactions);

ALTER TABLE transactions ADD COLUMN hash_key TEXT NOT NULL DEFAULT 'first';  -- id of the key that all its handles are made with; empty when they are under several
