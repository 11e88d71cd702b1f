-- Who has committed a batch; null where an earlier release did not note it.
ALTER TABLE carrack_ledger ADD COLUMN worker TEXT;
