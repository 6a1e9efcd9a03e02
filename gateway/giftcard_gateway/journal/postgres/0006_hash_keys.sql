-- The hash key rotates: each transaction says which one it is found by. All from before have the first.
--
-- Adding the column takes no time. Gateways of the release before go on writing, under the first key; replace
-- them before another one becomes active.

ALTER TABLE transactions ADD COLUMN IF NOT EXISTS hash_key TEXT COLLATE "C" NOT NULL DEFAULT 'first';

COMMENT ON COLUMN transactions.hash_key IS
    'id of the key that all its handles are made with; empty when they are under several';
