-- Operations that put their rows aside until all are known: a table for each type of each of them, made with the
-- operation and dropped with its end.
CREATE SCHEMA carrack_stage;

-- What was decided on the staged records.
ALTER TABLE carrack.operations ADD COLUMN decision jsonb;
-- Of operations that load all or nothing: whether they have. Null of others.
ALTER TABLE carrack.operations ADD COLUMN published boolean;
-- Of dry runs: what they foretell.
ALTER TABLE carrack.operations ADD COLUMN outcome_sha256 bytea;
CREATE INDEX operations_dry_runs ON carrack.operations (outcome_sha256, created_at)
    WHERE outcome_sha256 IS NOT NULL;

-- Null where the key was in the table before the operation.
ALTER TABLE carrack.displaced ALTER COLUMN winner DROP NOT NULL;
-- What the table said that refused the record.
ALTER TABLE carrack.displaced ADD COLUMN refused text;
