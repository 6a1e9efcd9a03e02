-- The hash key rotates: each transaction says which one it is found by. All from before have the first.

ALTER TABLE transactions ADD COLUMN hash_key TEXT NOT NULL DEFAULT 'first';  -- id of the key that all its handles are made with; empty when they are under several
