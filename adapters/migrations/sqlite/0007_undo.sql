-- What an import leaves behind so that it can be undone.

-- The rows that it has overwritten, as they were before it. The table keeps its rowid, for an image may be
-- large: in the order of the keys, every one would rewrite a page of whole rows.
CREATE TABLE carrack_images (
    operation TEXT NOT NULL,
    data_type TEXT NOT NULL,
    key       TEXT NOT NULL,
    image     BLOB NOT NULL,
    PRIMARY KEY (operation, data_type, key)
) STRICT;

-- Whether they are there: 'kept', 'undoing' while an undo needs them, 'forgetting' while they are being removed,
-- 'forgotten'. Null where none were to be kept, and for operations of earlier releases.
ALTER TABLE carrack_operations ADD COLUMN images TEXT
    CHECK (images IN ('kept', 'undoing', 'forgetting', 'forgotten'));

-- The record from which the row was written that an overwriting operation met.
ALTER TABLE carrack_claims ADD COLUMN from_operation TEXT;
ALTER TABLE carrack_claims ADD COLUMN from_position INTEGER;
-- "Which rows of this operation has another one overwritten?"
CREATE INDEX carrack_claims_from ON carrack_claims (from_operation, data_type, key)
    WHERE from_operation IS NOT NULL;
