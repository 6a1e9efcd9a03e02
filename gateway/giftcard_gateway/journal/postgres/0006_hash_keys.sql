-- oldest reader: 0006
-- The hash key rotates: each transaction says which one it is found by. All from before have the first.
-- And keys in use are noted, so that a start finds at once which of them it does not know.
--
-- Noting those from before reads all transactions and events, and holds nothing back meanwhile; adding the column
-- takes no time. Gateways of the release before that are running go on writing, under the first hash key; replace
-- them before another one becomes active. None of them may start anew: under another hash key it finds no card and
-- no reference, and mixes the indexes of what it writes.

CREATE TABLE keys_in_use (
    kind TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (kind, key_id)
);

COMMENT ON TABLE keys_in_use IS 'keys that rows may be under: noted before they are used';
COMMENT ON COLUMN keys_in_use.kind IS 'seal: documents may be sealed with it; hash: transactions may be found by it';
COMMENT ON COLUMN keys_in_use.key_id IS 'its id in the configuration';
COMMENT ON COLUMN keys_in_use.fingerprint IS
    'tells it from another key under the same id; empty where nobody noted it';

-- A document's second byte says how long the key's id is that follows.
INSERT INTO keys_in_use (kind, key_id)
SELECT DISTINCT 'seal', encode(substring(document FROM 3 FOR CASE WHEN length(document) > 2 THEN
    get_byte(document, 1) ELSE 0 END), 'escape')
FROM (SELECT document FROM transactions UNION ALL SELECT document FROM events) AS kept
WHERE substring(document FROM 1 FOR 1) IN ('\x01', '\x02') AND length(document) > 2;

INSERT INTO keys_in_use (kind, key_id) SELECT 'hash', 'first' WHERE EXISTS (SELECT 1 FROM transactions);

ALTER TABLE transactions ADD COLUMN hash_key TEXT COLLATE "C" NOT NULL DEFAULT 'first';

COMMENT ON COLUMN transactions.hash_key IS
    'id of the key that all its handles are made with; empty when they are under several';
