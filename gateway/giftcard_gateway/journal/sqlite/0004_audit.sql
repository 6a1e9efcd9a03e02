-- oldest reader: 0001
-- Who did what: rows are added, never changed, never deleted; see docs/security/audit.md.

CREATE TABLE audit (
    chain TEXT NOT NULL,             -- one life of one process
    number INTEGER NOT NULL,         -- the record's place in its chain, from 1
    at_us INTEGER NOT NULL,          -- when it happened
    key_id TEXT NOT NULL,            -- which key the hash was made with
    document BLOB NOT NULL,          -- JSON: who did what; no card data
    mac BLOB NOT NULL,               -- keyed hash over the document and the hash before it
    PRIMARY KEY (chain, number)
) WITHOUT ROWID;


CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit records are never deleted'); END;
