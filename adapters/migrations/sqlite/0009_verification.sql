-- What a verification has found so far. Both go when it ends, which adds them up.

-- Of each batch what is certain, and the keys of the rows that were written from its records: a JSON array.
CREATE TABLE carrack_compared_batches (
    operation TEXT NOT NULL,
    batch     INTEGER NOT NULL,
    data_type TEXT NOT NULL,
    settled   TEXT NOT NULL,
    keys      TEXT NOT NULL,
    PRIMARY KEY (operation, batch)
) STRICT;

-- Records of which only the winner of their key is told.
CREATE TABLE carrack_compared_records (
    operation TEXT NOT NULL,
    position  INTEGER NOT NULL,
    data_type TEXT NOT NULL,
    key       TEXT NOT NULL,
    counted   TEXT NOT NULL,
    source    BLOB NOT NULL,
    target    BLOB,
    own       INTEGER NOT NULL,
    later     INTEGER NOT NULL,
    finding   TEXT,
    PRIMARY KEY (operation, position)
) STRICT;
