-- What a verification has found so far. Both go when it ends, which adds them up.

-- Of each batch what is certain, and the keys of the rows that were written from its records.
CREATE TABLE carrack.compared_batches (
    operation uuid NOT NULL,
    batch     bigint NOT NULL,
    data_type text COLLATE "C" NOT NULL,
    settled   json NOT NULL,
    keys      text[] COLLATE "C" NOT NULL,
    PRIMARY KEY (operation, batch)
);
-- A list of keys is written once and hardly ever read.
ALTER TABLE carrack.compared_batches ALTER COLUMN keys SET STORAGE EXTERNAL;

-- Records of which only the winner of their key is told.
CREATE TABLE carrack.compared_records (
    operation uuid NOT NULL,
    position  bigint NOT NULL,
    data_type text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    counted   text NOT NULL,
    source    bytea NOT NULL,
    target    bytea,
    own       boolean NOT NULL,
    later     boolean NOT NULL,
    finding   json,
    PRIMARY KEY (operation, position)
);
