-- Of the skipped records, those that the filters of an import left out.
ALTER TABLE carrack_ledger ADD COLUMN filtered INTEGER NOT NULL DEFAULT 0 CHECK (filtered BETWEEN 0 AND skipped);
