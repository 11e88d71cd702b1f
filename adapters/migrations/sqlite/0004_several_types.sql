-- An operation may have several data types, and a key is one of its type: the same key in another one is
-- another row. Operations of earlier releases have one type, the one that their document names.

ALTER TABLE carrack_rejects ADD COLUMN data_type TEXT;   -- of the key; null where there is none
UPDATE carrack_rejects AS r SET data_type =
    (SELECT o.spec ->> '$.data_type' FROM carrack_operations AS o WHERE o.id = r.operation)
WHERE key IS NOT NULL;
DROP INDEX carrack_rejects_by_key;
CREATE INDEX carrack_rejects_by_key ON carrack_rejects (operation, data_type, key) WHERE key IS NOT NULL;

ALTER TABLE carrack_displaced ADD COLUMN data_type TEXT NOT NULL DEFAULT '';
UPDATE carrack_displaced AS d SET data_type =
    (SELECT o.spec ->> '$.data_type' FROM carrack_operations AS o WHERE o.id = d.operation);
DROP INDEX carrack_displaced_by_key;
CREATE INDEX carrack_displaced_by_key ON carrack_displaced (operation, data_type, key, winner);

-- A primary key cannot be changed, only made anew.
ALTER TABLE carrack_claims RENAME TO carrack_claims_before;
CREATE TABLE carrack_claims (
    operation   TEXT NOT NULL REFERENCES carrack_operations (id),
    data_type   TEXT NOT NULL,
    key         TEXT NOT NULL,
    position    INTEGER NOT NULL,
    hash_before BLOB NOT NULL,
    counted     TEXT NOT NULL,
    PRIMARY KEY (operation, data_type, key)
) STRICT, WITHOUT ROWID;
INSERT INTO carrack_claims (operation, data_type, key, position, hash_before, counted)
    SELECT c.operation, o.spec ->> '$.data_type', c.key, c.position, c.hash_before, c.counted
    FROM carrack_claims_before AS c JOIN carrack_operations AS o ON o.id = c.operation;
DROP TABLE carrack_claims_before;

-- Which table a range of keys is of: its number in the export; null where an earlier release planned it,
-- whose exports have one.
ALTER TABLE carrack_batches ADD COLUMN table_number INTEGER;
