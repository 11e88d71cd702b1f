-- An operation may have several data types, and a key is one of its type: the same key in another one is
-- another row. Operations of earlier releases have one type, the one that their document names.

-- The type of the key; null where there is none.
ALTER TABLE carrack.rejects ADD COLUMN data_type text COLLATE "C";
UPDATE carrack.rejects r SET data_type = o.spec ->> 'data_type'
FROM carrack.operations o WHERE o.id = r.operation AND r.key IS NOT NULL;
DROP INDEX carrack.rejects_key;
CREATE INDEX rejects_key ON carrack.rejects (operation, data_type, key) WHERE key IS NOT NULL;

ALTER TABLE carrack.displaced ADD COLUMN data_type text COLLATE "C";
UPDATE carrack.displaced d SET data_type = o.spec ->> 'data_type'
FROM carrack.operations o WHERE o.id = d.operation;
ALTER TABLE carrack.displaced ALTER COLUMN data_type SET NOT NULL;
DROP INDEX carrack.displaced_key;
CREATE INDEX displaced_key ON carrack.displaced (operation, data_type, key);

ALTER TABLE carrack.claims ADD COLUMN data_type text COLLATE "C";
UPDATE carrack.claims c SET data_type = o.spec ->> 'data_type'
FROM carrack.operations o WHERE o.id = c.operation;
ALTER TABLE carrack.claims DROP CONSTRAINT claims_pkey;
ALTER TABLE carrack.claims ADD PRIMARY KEY (operation, data_type, key);

-- Which table a range of keys is of: its number in the export; null where an earlier release planned it,
-- whose exports have one.
ALTER TABLE carrack.batches ADD COLUMN table_number bigint;
