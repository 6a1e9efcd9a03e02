-- oldest reader: 0006
-- An index less for every write: claims have gone by transactions_due_at_provider since step 0002, and this one
-- was kept only for gateways from before that step. Dropping it takes no time.

DROP INDEX IF EXISTS transactions_due;
