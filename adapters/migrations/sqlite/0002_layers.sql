-- Where the text of a batch lies whose source is compressed or in another encoding.
ALTER TABLE carrack_batches ADD COLUMN packing TEXT;
-- The frames of which an export's part is made.
ALTER TABLE carrack_ledger ADD COLUMN part_frames BLOB;
