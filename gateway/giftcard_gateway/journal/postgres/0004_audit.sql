-- oldest reader: 0001
-- Who did what: rows are added, never changed, never deleted; see docs/security/audit.md.

CREATE TABLE audit (
    chain TEXT NOT NULL,
    number BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    document BYTEA NOT NULL,
    mac BYTEA NOT NULL,
    PRIMARY KEY (chain, number)
);

COMMENT ON TABLE audit IS 'who did what, in hash chains';
COMMENT ON COLUMN audit.chain IS 'one life of one process';
COMMENT ON COLUMN audit.number IS 'the record''s place in its chain, from 1';
COMMENT ON COLUMN audit.at_us IS 'when it happened, in microseconds since 1970';
COMMENT ON COLUMN audit.key_id IS 'which key the hash was made with';
COMMENT ON COLUMN audit.document IS 'JSON: who did what; no card data';
COMMENT ON COLUMN audit.mac IS 'keyed hash over the document and the hash before it';


CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'audit records are never changed or deleted'; END $$;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
