-- The control tables: what Carrack knows about operations. The data tables (carrack_data_<type>) are made
-- when an operation first needs them.
--
-- Time is the database's clock. Moments that people read are text (2024-01-01T00:00:00.000000Z), moments
-- that are compared with "now" are milliseconds since 1970. UUIDs are text, so that they can be pasted.

CREATE TABLE carrack_operations (
    number          INTEGER PRIMARY KEY AUTOINCREMENT,   -- in the order of creation
    id              TEXT NOT NULL UNIQUE,
    state           TEXT NOT NULL,
    epoch           INTEGER NOT NULL DEFAULT 1,          -- counts the changes of state
    owner           TEXT NOT NULL,
    lane            TEXT NOT NULL CHECK (lane IN ('import', 'export')),
    spec            TEXT NOT NULL,
    spec_sha256     BLOB NOT NULL,
    generation      INTEGER NOT NULL DEFAULT 1,
    created_at      TEXT NOT NULL,
    planned_at      TEXT,
    finished_at     TEXT,
    planned_records INTEGER,
    planned_batches INTEGER,
    tally           TEXT,
    failure         TEXT,
    failure_batch   INTEGER,                             -- of several failures, the lowest batch's stays
    finish_epoch    INTEGER NOT NULL DEFAULT 0,          -- the finaliser's lease
    finish_owner    TEXT,
    finish_until    INTEGER
) STRICT;

-- The loops ask for running operations several times a second; the ended ones must not slow them down.
CREATE INDEX carrack_operations_by_state ON carrack_operations (state);

CREATE TABLE carrack_idempotency (
    owner      TEXT NOT NULL,
    key        TEXT NOT NULL,
    request    BLOB NOT NULL,
    operation  TEXT NOT NULL REFERENCES carrack_operations (id),
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE carrack_plan_cursor (
    operation   TEXT PRIMARY KEY NOT NULL REFERENCES carrack_operations (id),
    cursor      TEXT NOT NULL,
    lease_epoch INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT,
    lease_until INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE carrack_sources (
    operation TEXT NOT NULL REFERENCES carrack_operations (id),
    number    INTEGER NOT NULL,
    facts     TEXT NOT NULL,
    PRIMARY KEY (operation, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE carrack_batches (
    operation    TEXT NOT NULL REFERENCES carrack_operations (id),
    generation   INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    records      INTEGER NOT NULL,
    first_record INTEGER NOT NULL,                       -- its number in the source, or in the export
    -- an import's segment
    source       INTEGER,
    byte_start   INTEGER,
    byte_end     INTEGER,
    first_line   INTEGER,
    hash         BLOB,
    fault        TEXT,
    -- an export's range of keys
    key_from     TEXT,
    key_to       TEXT,
    -- who works on it: a lease is its holder's while the epoch is the holder's and the owner is there;
    -- its time only says from when on another may take it
    state        TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'leased', 'done')),
    lease_epoch  INTEGER NOT NULL DEFAULT 0,
    lease_owner  TEXT,
    lease_until  INTEGER,
    deaths       INTEGER NOT NULL DEFAULT 0,
    dead_epoch   INTEGER,                                -- the lease whose end was counted last
    suspicion    TEXT,                                   -- what its holders noted of what ended them
    last_error   TEXT,
    -- the task that announced it last
    task         INTEGER,
    sequence     INTEGER NOT NULL DEFAULT 0,
    sent_at      INTEGER,
    PRIMARY KEY (operation, generation, number),
    CHECK ((source IS NULL) <> (key_from IS NULL))
) STRICT, WITHOUT ROWID;

-- SQLite takes an index with a condition only for a query that repeats the condition word by word, and
-- rather takes the primary key even then: such queries say INDEXED BY, and fail if they stop fitting.
-- "Is any batch left?", "is any lease live?"
CREATE INDEX carrack_batches_open ON carrack_batches (operation, generation, state) WHERE state <> 'done';
-- "How many tasks are out?"
CREATE INDEX carrack_batches_out ON carrack_batches (operation, generation, task)
    WHERE sent_at IS NOT NULL AND state <> 'done';
-- "In which segment does this record stand?"
CREATE INDEX carrack_batches_place ON carrack_batches (operation, generation, source, first_record)
    WHERE source IS NOT NULL;

CREATE TABLE carrack_outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,        -- never used twice: batches name their task by it
    operation  TEXT NOT NULL REFERENCES carrack_operations (id),
    generation INTEGER NOT NULL,
    first      INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    sequence   INTEGER NOT NULL,
    held_until INTEGER NOT NULL DEFAULT 0
) STRICT;

-- "Which tasks come next?", "how many are held?"
CREATE INDEX carrack_outbox_of_operation ON carrack_outbox (operation, id);
CREATE INDEX carrack_outbox_held ON carrack_outbox (operation, held_until) WHERE held_until > 0;

CREATE TABLE carrack_ledger (
    operation    TEXT NOT NULL REFERENCES carrack_operations (id),
    generation   INTEGER NOT NULL,
    batch        INTEGER NOT NULL,
    lease_epoch  INTEGER NOT NULL,
    read         INTEGER NOT NULL,
    created      INTEGER NOT NULL,
    updated      INTEGER NOT NULL,
    unchanged    INTEGER NOT NULL,
    skipped      INTEGER NOT NULL,
    rejected     INTEGER NOT NULL,
    bytes        INTEGER NOT NULL,
    part_key     TEXT,                                   -- of an export
    part_etag    TEXT,
    committed_at TEXT NOT NULL,
    PRIMARY KEY (operation, generation, batch),
    CHECK (read = created + updated + unchanged + skipped + rejected)
) STRICT, WITHOUT ROWID;

CREATE TABLE carrack_rejects (
    operation   TEXT NOT NULL REFERENCES carrack_operations (id),
    position    INTEGER NOT NULL,
    line        INTEGER NOT NULL,
    byte_start  INTEGER NOT NULL,
    byte_length INTEGER NOT NULL,
    sha256      BLOB NOT NULL,
    faults      TEXT NOT NULL,
    key         TEXT,
    winner      INTEGER,
    frame       BLOB,
    frame_key   TEXT,                                    -- the object that holds a long frame
    PRIMARY KEY (operation, position),
    CHECK ((frame IS NULL) <> (frame_key IS NULL))
) STRICT;

CREATE INDEX carrack_rejects_by_key ON carrack_rejects (operation, key) WHERE key IS NOT NULL;

CREATE TABLE carrack_displaced (
    operation TEXT NOT NULL REFERENCES carrack_operations (id),
    position  INTEGER NOT NULL,
    counted   TEXT NOT NULL,
    key       TEXT NOT NULL,
    winner    INTEGER NOT NULL,                          -- the record that displaced it
    settled   INTEGER NOT NULL DEFAULT 0,                -- 1: it has become a reject
    PRIMARY KEY (operation, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX carrack_displaced_open ON carrack_displaced (operation, position) WHERE NOT settled;
CREATE INDEX carrack_displaced_by_key ON carrack_displaced (operation, key, winner);

-- What an overwriting operation remembers of each row that existed before it.
CREATE TABLE carrack_claims (
    operation   TEXT NOT NULL REFERENCES carrack_operations (id),
    key         TEXT NOT NULL,
    position    INTEGER NOT NULL,
    hash_before BLOB NOT NULL,
    counted     TEXT NOT NULL,
    PRIMARY KEY (operation, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE carrack_tokens (
    sha256     BLOB PRIMARY KEY NOT NULL,
    owner      TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
