-- Images of rows in the order in which they are kept: the claim of a key names its image, so that no second index is
-- written for it.
--
-- The images of an operation have the ids from `number << 36` on, so that they are found without an index when they
-- are forgotten. The form of an image is told in the code; one of an earlier release is a JSON document.
ALTER TABLE carrack_images RENAME TO carrack_images_before;
CREATE TABLE carrack_images (
    id    INTEGER PRIMARY KEY,
    image BLOB NOT NULL
) STRICT;
ALTER TABLE carrack_claims ADD COLUMN image INTEGER;

CREATE TABLE carrack_images_numbered AS
    SELECT (o.number << 36) + row_number() OVER (PARTITION BY i.operation ORDER BY i.rowid) AS id,
           i.rowid AS row, i.operation, i.data_type, i.key
    FROM carrack_images_before AS i JOIN carrack_operations AS o ON o.id = i.operation;
INSERT INTO carrack_images (id, image)
    SELECT n.id, i.image FROM carrack_images_numbered AS n JOIN carrack_images_before AS i ON i.rowid = n.row ORDER BY n.id;
UPDATE carrack_claims AS c SET image = n.id FROM carrack_images_numbered AS n
    WHERE n.operation = c.operation AND n.data_type = c.data_type AND n.key = c.key;
DROP TABLE carrack_images_numbered;
DROP TABLE carrack_images_before;

-- `from_…` is the first record of another operation that a claim has met, by which the keys of an operation are found
-- that others have overwritten; this the last one, by which an undo sees what was written in between.
ALTER TABLE carrack_claims ADD COLUMN over_operation TEXT;
ALTER TABLE carrack_claims ADD COLUMN over_position INTEGER;
UPDATE carrack_claims SET over_operation = from_operation, over_position = from_position;
