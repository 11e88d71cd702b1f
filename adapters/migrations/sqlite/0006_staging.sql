-- What was decided on the staged records of an operation, and what a dry run foretells. The stages themselves
-- (carrack_stage_<operation>_<number>) are made with their operations and dropped with their ends.
ALTER TABLE carrack_operations ADD COLUMN decision TEXT;
-- Of operations that load all or nothing: whether they have. Null of others.
ALTER TABLE carrack_operations ADD COLUMN published INTEGER;
ALTER TABLE carrack_operations ADD COLUMN outcome_sha256 BLOB;
CREATE INDEX carrack_operations_dry_runs ON carrack_operations (outcome_sha256, number)
    WHERE outcome_sha256 IS NOT NULL;

-- A winner of null: the key was in the table before the operation. A constraint cannot be dropped, only left out
-- when a table is made anew.
ALTER TABLE carrack_displaced RENAME TO carrack_displaced_before;
CREATE TABLE carrack_displaced (
    operation TEXT NOT NULL REFERENCES carrack_operations (id),
    position  INTEGER NOT NULL,
    counted   TEXT NOT NULL,
    data_type TEXT NOT NULL,
    key       TEXT NOT NULL,
    winner    INTEGER,                                   -- the record that displaced it
    refused   TEXT,                                      -- what the table said that refused it
    settled   INTEGER NOT NULL DEFAULT 0,                -- 1: it has become a reject
    PRIMARY KEY (operation, position)
) STRICT, WITHOUT ROWID;
INSERT INTO carrack_displaced (operation, position, counted, data_type, key, winner, settled)
    SELECT operation, position, counted, data_type, key, winner, settled FROM carrack_displaced_before;
DROP TABLE carrack_displaced_before;
CREATE INDEX carrack_displaced_open ON carrack_displaced (operation, position) WHERE NOT settled;
CREATE INDEX carrack_displaced_by_key ON carrack_displaced (operation, data_type, key, winner);
