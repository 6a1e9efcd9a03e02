-- A journal of before step 0008 does not say yet which gateways work with it.
ALTER TABLE schema_version ADD COLUMN oldest_reader TEXT COLLATE "C";
