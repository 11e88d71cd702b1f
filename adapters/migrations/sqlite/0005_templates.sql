-- Templates, whose versions never change, and the data types that they have made or extended.
CREATE TABLE carrack_templates (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,        -- in the order of creation
    id         TEXT NOT NULL UNIQUE,
    owner      TEXT NOT NULL,
    created_at TEXT NOT NULL,
    name       TEXT NOT NULL,
    version    TEXT NOT NULL,
    data_type  TEXT NOT NULL,
    document   TEXT NOT NULL,
    UNIQUE (name, version)
) STRICT;

CREATE TABLE carrack_types (
    name     TEXT PRIMARY KEY NOT NULL,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;
