-- What an import leaves behind so that it can be undone.

-- The rows that it has overwritten, as they were before it.
CREATE TABLE carrack.images (
    operation uuid NOT NULL,
    data_type text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    image     json NOT NULL,
    PRIMARY KEY (operation, data_type, key)
);

-- Whether they are there: 'kept', 'undoing' while an undo needs them, 'forgetting' while they are being removed,
-- 'forgotten'. Null where none were to be kept, and for operations of earlier releases.
ALTER TABLE carrack.operations ADD COLUMN images text
    CHECK (images IN ('kept', 'undoing', 'forgetting', 'forgotten'));

-- The record from which the row was written that an overwriting operation met.
ALTER TABLE carrack.claims ADD COLUMN from_operation uuid, ADD COLUMN from_position bigint;
-- "Which rows of this operation has another one overwritten?"
CREATE INDEX claims_from ON carrack.claims (from_operation, data_type, key) WHERE from_operation IS NOT NULL;
