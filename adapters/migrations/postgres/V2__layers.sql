-- Where the text of a batch lies whose source is compressed or in another encoding.
ALTER TABLE carrack.batches ADD COLUMN packing json;
-- The frames of which an export's part is made.
ALTER TABLE carrack.ledger ADD COLUMN part_frames bytea;
