-- Images in the order in which they are kept: the claim of a key names its image, so that no index over keys is
-- written for it.
ALTER TABLE carrack.images DROP CONSTRAINT images_pkey;
-- Numbers the images that are there.
ALTER TABLE carrack.images ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY;
ALTER TABLE carrack.claims ADD COLUMN image bigint;
UPDATE carrack.claims AS c SET image = i.id FROM carrack.images AS i
    WHERE i.operation = c.operation AND i.data_type = c.data_type AND i.key = c.key;
ALTER TABLE carrack.images DROP COLUMN data_type;
ALTER TABLE carrack.images ADD PRIMARY KEY (operation, id);

-- `from_…` is the first record of another operation that a claim has met, by which the keys of an operation are found
-- that others have overwritten; this the last one, by which an undo sees what was written in between.
ALTER TABLE carrack.claims ADD COLUMN over_operation uuid;
ALTER TABLE carrack.claims ADD COLUMN over_position bigint;
UPDATE carrack.claims SET over_operation = from_operation, over_position = from_position;
