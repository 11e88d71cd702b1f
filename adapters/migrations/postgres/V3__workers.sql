-- Who has committed a batch; null where an earlier release did not note it.
ALTER TABLE carrack.ledger ADD COLUMN worker uuid;
