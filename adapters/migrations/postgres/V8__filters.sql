-- Of the skipped records, those that the filters of an import left out.
ALTER TABLE carrack.ledger ADD COLUMN filtered bigint NOT NULL DEFAULT 0;
ALTER TABLE carrack.ledger ADD CONSTRAINT ledger_filtered CHECK (filtered BETWEEN 0 AND skipped);
ALTER TABLE carrack.operations ADD COLUMN filtered bigint;
