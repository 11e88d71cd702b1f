-- The control tables. The schema `carrack` is made before the migrations run, for their own history lives
-- in it. Times are the database's clock, numbers of records and bytes are bigint throughout.

CREATE SCHEMA IF NOT EXISTS carrack_data;

-- `lock_key` names the barrier of an operation: every commit holds its shared side, cancel and fail take
-- the exclusive side. Keys start at "CARR" << 32, so that they do not meet the advisory locks of others.
CREATE TABLE carrack.operations (
    id              uuid PRIMARY KEY,
    lock_key        bigint NOT NULL UNIQUE
                    GENERATED ALWAYS AS IDENTITY (START WITH 4846245186168160257),
    state           text NOT NULL DEFAULT 'running',
    epoch           bigint NOT NULL DEFAULT 1,
    owner           text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('import', 'export')),
    spec            jsonb NOT NULL,
    generation      bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    planned_at      timestamptz,
    finished_at     timestamptz,
    planned_records bigint,
    planned_batches bigint,
    -- The final counts, all or none.
    read            bigint,
    created         bigint,
    updated         bigint,
    unchanged       bigint,
    skipped         bigint,
    rejected        bigint,
    -- The failure of the lowest batch that said so; a plan that broke off stands behind its last batch.
    failure_batch   bigint,
    failure_code    text,
    failure_message text,
    -- The finaliser's lease.
    finish_owner    uuid,
    finish_epoch    bigint NOT NULL DEFAULT 0,
    finish_until    timestamptz
);
CREATE INDEX operations_newest ON carrack.operations (created_at DESC, id DESC);
CREATE INDEX operations_active ON carrack.operations (id)
    WHERE state IN ('running', 'finalising', 'cancelling');

CREATE TABLE carrack.idempotency (
    owner      text NOT NULL,
    key        text NOT NULL,
    request    bytea NOT NULL,
    operation  uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner, key)
);

CREATE TABLE carrack.plan_cursor (
    operation   uuid PRIMARY KEY REFERENCES carrack.operations ON DELETE CASCADE,
    cursor      jsonb NOT NULL,
    lease_owner uuid,
    lease_epoch bigint NOT NULL DEFAULT 0,
    lease_until timestamptz
);

-- What a planner learned of each source. `json`, for a column of a CSV header may hold a NUL, which jsonb refuses.
CREATE TABLE carrack.sources (
    operation uuid NOT NULL REFERENCES carrack.operations ON DELETE CASCADE,
    number    bigint NOT NULL,
    facts     json NOT NULL,
    PRIMARY KEY (operation, number)
);

-- A batch is a segment of a source (import) or a range of keys (export).
--
-- A lease is its holder's as long as `lease_epoch` is the holder's and `lease_owner` is there; `lease_until`
-- only says from when on another may take it. `lease_owner` stays when a lease runs out, so that the next
-- claim can tell a death from a batch that was given back. `dead_epoch` is the lease whose end was counted
-- last, so that a holder who answers late takes its death back. `suspicion` is what its holders noted of
-- what ended them.
CREATE TABLE carrack.batches (
    operation    uuid NOT NULL REFERENCES carrack.operations ON DELETE CASCADE,
    generation   bigint NOT NULL,
    number       bigint NOT NULL,
    records      bigint NOT NULL,
    source       bigint,
    byte_start   bigint,
    byte_end     bigint,
    first_record bigint NOT NULL,
    first_line   bigint,
    hash         bytea,
    fault        json,
    key_from     text,
    key_to       text,
    state        text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'leased', 'done')),
    lease_epoch  bigint NOT NULL DEFAULT 0,
    lease_owner  uuid,
    lease_until  timestamptz,
    deaths       bigint NOT NULL DEFAULT 0,
    dead_epoch   bigint,
    suspicion    json,
    last_error   text,
    -- The first batch of the task that announces this one, whether that task waits in the outbox, how often
    -- it was put there, and when it was last sent.
    task         bigint,
    queued       boolean NOT NULL DEFAULT false,
    sequence     bigint NOT NULL DEFAULT 1,
    sent_at      timestamptz,
    PRIMARY KEY (operation, generation, number)
);
CREATE INDEX batches_open ON carrack.batches (operation, generation) WHERE state <> 'done';
CREATE INDEX batches_out ON carrack.batches (operation, generation, task)
    WHERE state <> 'done' AND sent_at IS NOT NULL;
-- Finds the segment of a record.
CREATE INDEX batches_segment ON carrack.batches (operation, source, first_record) WHERE source IS NOT NULL;

-- A row is a task waiting to be sent; it is removed when the broker has it.
CREATE TABLE carrack.outbox (
    id         bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    operation  uuid NOT NULL REFERENCES carrack.operations ON DELETE CASCADE,
    generation bigint NOT NULL,
    lane       text NOT NULL,
    first      bigint NOT NULL,
    count      bigint NOT NULL,
    sequence   bigint NOT NULL,
    held_until timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX outbox_operation ON carrack.outbox (operation, generation, id);

-- What each batch did: written once, in the transaction that did it, never edited.
-- From here on no table refers to `operations`: the check would lock the operation's row in every commit,
-- and workers that lock one row together write a multixact each time.
CREATE TABLE carrack.ledger (
    operation    uuid NOT NULL,
    generation   bigint NOT NULL,
    batch        bigint NOT NULL,
    lease_epoch  bigint NOT NULL,
    read         bigint NOT NULL,
    created      bigint NOT NULL,
    updated      bigint NOT NULL,
    unchanged    bigint NOT NULL,
    skipped      bigint NOT NULL,
    rejected     bigint NOT NULL,
    bytes        bigint NOT NULL,
    part_key     text,
    part_etag    text,
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (operation, generation, batch),
    CONSTRAINT ledger_reconciles
        CHECK (read = created + updated + unchanged + skipped + rejected)
);

-- `faults` is json, not jsonb: a message may quote a NUL, which jsonb refuses.
CREATE TABLE carrack.rejects (
    operation    uuid NOT NULL,
    position     bigint NOT NULL,
    line         bigint NOT NULL,
    byte_start   bigint NOT NULL,
    byte_length  bigint NOT NULL,
    sha256       bytea NOT NULL,
    faults       json NOT NULL,
    key          text COLLATE "C",
    winner       bigint,
    frame        bytea,
    frame_object text,
    PRIMARY KEY (operation, position),
    CONSTRAINT rejects_one_frame CHECK ((frame IS NULL) <> (frame_object IS NULL))
);
CREATE INDEX rejects_key ON carrack.rejects (operation, key) WHERE key IS NOT NULL;

-- Records that won a key and lost it to a later batch of the same operation.
CREATE TABLE carrack.displaced (
    operation uuid NOT NULL,
    position  bigint NOT NULL,
    key       text COLLATE "C" NOT NULL,
    winner    bigint NOT NULL,
    counted   text NOT NULL,
    PRIMARY KEY (operation, position)
);
CREATE INDEX displaced_key ON carrack.displaced (operation, key);

-- Takeovers: who holds each row that an overwriting operation met, and the row's hash before it.
CREATE TABLE carrack.claims (
    operation uuid NOT NULL,
    key       text COLLATE "C" NOT NULL,
    position  bigint NOT NULL,
    before    bytea NOT NULL,
    counted   text NOT NULL,
    PRIMARY KEY (operation, key)
);

CREATE TABLE carrack.tokens (
    sha256     bytea PRIMARY KEY,
    owner      text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
