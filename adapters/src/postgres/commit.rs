//! The commit of a batch: its whole effect in one transaction, once.
//!
//! 1. The shared side of the operation's barrier. A cancel takes the exclusive side, so it waits for this
//!    transaction, and whoever comes after it sees the operation stopped.
//! 2. The operation still runs, and the batch is ours and not done. The batch's row is locked from here on,
//!    so that two commits of one batch follow each other, and so that a commit whose answer was lost can be
//!    waited for.
//! 3. The rows, rejects, the ledger row and the batch's state.
//!
//! Lost races are tried again here. When the answer to a commit is lost, the next try finds in step 2 what
//! happened: a batch that is done under our own lease was done by us.

use std::time::Duration;

use carrack_shared::backoff::Backoff;
use carrack_shared::duplicates::merge::Merging;
use carrack_shared::duplicates::{Books, Contests, Verdict};
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::fault::Reject;
use carrack_shared::operation::{Operation, OperationId, State};
use carrack_shared::port::batches::{Commit, ExportEffect, ImportEffect};
use carrack_shared::port::templates::{Added, TemplateEffect};
use carrack_shared::port::verifying::VerifyEffect;
use carrack_shared::record::Rows;
use carrack_shared::schema::DataType;
use carrack_shared::segment::{Claim, KeyRange};
use carrack_shared::spec::{Duplicates, ImportSpec, UndoSpec};
use carrack_shared::tally::{Counted, Tally};
use deadpool_postgres::Transaction;
use futures_util::future::{try_join, try_join4};
use tokio_postgres::Row;

use super::error::{failed, internal};
use super::load::Target;
use super::sql::{self, execute, fixed, get, query_opt, signed};
use super::tables::Table;
use super::takeover::Memory;
use super::undo::Undoing;
use super::{PostgresStore, copy, load, operation_row, rejects, templates, verifying};

/// How often a commit is tried that loses races or connections.
const TRIES: u32 = 8;
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(20), most: Duration::from_secs(2) };

/// Settings of a commit.
///
/// Bounds: for a lock (then the race counts as lost), for a statement, and for a worker that falls silent
/// in mid-transaction while a cancel waits for it.
///
/// A deferred constraint would fail the whole batch at its end, where the row cannot be told any more.
///
/// Every statement here goes by key. A connection keeps its plans, and one that was made while a table was
/// empty would read the whole table for each batch as it grows: 72 s were measured instead of 3 s.
pub(super) const SETTINGS: &str = "SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '60s'; \
     SET LOCAL idle_in_transaction_session_timeout = '15s'; SET CONSTRAINTS ALL IMMEDIATE; \
     SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

/// The shared side of the barrier, for `$1`. It is a statement of its own: what is read behind it must have
/// a snapshot taken behind it.
const BARRIER: &str = "SELECT pg_advisory_xact_lock_shared(lock_key) FROM carrack.operations WHERE id = $1";

/// What a batch does.
pub(super) enum Effect<'effect> {
    Import(ImportEffect<'effect>),
    Export(&'effect ExportEffect),
    /// Of a range of keys of a type.
    Undo(&'effect UndoSpec, &'effect KeyRange, &'effect DataType),
    Verify(VerifyEffect<'effect>),
    Template(TemplateEffect<'effect>),
}

/// What came of one try.
enum Try {
    Settled(Commit),
    /// The COPY met a conflict.
    CopyRefused,
}

/// What is counted and stored of a batch, beside its rows.
pub(super) struct Outcome {
    pub(super) tally: Tally,
    pub(super) bytes: u64,
    pub(super) part: Option<ExportEffect>,
    pub(super) late_rejects: Vec<Reject>,
}

impl PostgresStore {
    pub(super) async fn commit(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: &Effect<'_>,
    ) -> PortResult<Commit> {
        let mut in_doubt = false;
        let mut may_copy = self.pace.may_copy(operation.id);
        let mut lost = 0;
        loop {
            let error = match self.try_commit(operation, claim, effect, may_copy, &mut in_doubt).await {
                Ok(Try::Settled(commit)) => return Ok(commit),
                Ok(Try::CopyRefused) => {
                    self.pace.met_conflict(operation.id);
                    may_copy = false;
                    continue;
                }
                Err(error) => error,
            };
            lost += 1;
            let again = error.kind == ErrorKind::Contended || in_doubt && error.try_again();
            if lost == TRIES || !again {
                return Err(if in_doubt { unknown(error) } else { error });
            }
            tracing::debug!(operation = %operation.id, batch = claim.batch.number, error = %error.chain(),
                "a commit is tried again");
            tokio::time::sleep(BACKOFF.wait(lost - 1, rand::random())).await;
        }
    }

    async fn try_commit(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: &Effect<'_>,
        may_copy: bool,
        in_doubt: &mut bool,
    ) -> PortResult<Try> {
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed("begin a commit"))?;
        if let Some(refused) = admit(&tx, operation, claim, *in_doubt).await? {
            return Ok(Try::Settled(refused));
        }
        let (outcome, early_rejects, data_type) = match effect {
            Effect::Export(export) => (exported(export), &[][..], ""),
            Effect::Undo(spec, keys, data_type) => {
                let undoing = Undoing { tx: &tx, spec, data_type, keys };
                (undoing.run().await?, &[][..], data_type.name.as_str())
            }
            Effect::Verify(verify) => {
                let data_type = verify.data_type.name.as_str();
                verifying::store(&tx, operation.id, claim, data_type, verify.compared).await?;
                let (tally, bytes) = (verify.tally(), verify.bytes);
                (Outcome { tally, bytes, part: None, late_rejects: Vec::new() }, verify.rejects, data_type)
            }
            Effect::Template(effect) => match add_template(&tx, effect).await? {
                Ok(outcome) => (outcome, &[][..], ""),
                Err(answer) => return Ok(Try::Settled(Commit::NotAdded(Box::new(answer)))),
            },
            Effect::Import(import) => match load_rows(&tx, operation, import, may_copy).await? {
                Loaded::Done(outcome) => (outcome, import.rejects, import.rows.data_type().name.as_str()),
                Loaded::CopyRefused => return Ok(Try::CopyRefused),
                Loaded::StoreFrames(rows) => return Ok(Try::Settled(Commit::StoreFrames(rows))),
            },
        };
        let all_rejects = early_rejects.iter().chain(&outcome.late_rejects);
        try_join(
            rejects::insert(&tx, operation.id, data_type, all_rejects),
            close_batch(&tx, operation, claim, &outcome),
        )
        .await?;
        if let Err(error) = tx.commit().await {
            let error = failed("commit a batch")(error);
            *in_doubt |= error.kind == ErrorKind::Unavailable;
            return Err(error);
        }
        Ok(Try::Settled(Commit::Done(outcome.tally)))
    }
}

fn unknown(error: PortError) -> PortError {
    PortError { kind: ErrorKind::Unknown, ..error }
}

/// Takes the shared side of an operation's barrier.
pub(super) async fn pass_barrier(tx: &Transaction<'_>, id: OperationId) -> PortResult<()> {
    query_opt(tx, "pass the barrier", BARRIER, &[&id.as_uuid()]).await?;
    Ok(())
}

/// Steps 1 and 2, in one round trip. None if the batch may be committed.
async fn admit(
    tx: &Transaction<'_>,
    operation: &Operation,
    claim: &Claim,
    in_doubt: bool,
) -> PortResult<Option<Commit>> {
    const OPERATION: &str = "SELECT state, generation FROM carrack.operations WHERE id = $1";
    const BATCH: &str = "SELECT state, lease_epoch, lease_owner IS NOT NULL AS held FROM carrack.batches
         WHERE operation = $1 AND generation = $2 AND number = $3 FOR UPDATE";
    let what = "enter a commit";
    let (id, generation) = (operation.id.as_uuid(), i64::from(operation.generation));
    let number = i64::from(claim.batch.number);
    // Prepared first: statements are sent in the order in which they are first polled below, as long as
    // none of them has to be prepared on the way.
    let barrier = tx.prepare_cached(BARRIER).await.map_err(failed(what))?;
    let state = tx.prepare_cached(OPERATION).await.map_err(failed(what))?;
    let batch = tx.prepare_cached(BATCH).await.map_err(failed(what))?;
    let (id_param, batch_params): (&sql::Params<'_>, &sql::Params<'_>) =
        (&[&id], &[&id, &generation, &number]);
    let (_, _, state, batch) = try_join4(
        fixed(tx, SETTINGS),
        tx.query_opt(&barrier, id_param),
        tx.query_opt(&state, id_param),
        tx.query_opt(&batch, batch_params),
    )
    .await
    .map_err(failed(what))?;
    let (Some(state), Some(batch)) = (state, batch) else {
        return Err(internal(format!("batch {number} of operation {id} is not stored")));
    };
    let ours = get::<i64>(&batch, "lease_epoch")? == claim.lease_epoch;
    if get::<String>(&batch, "state")? == "done" {
        let answer = if ours && in_doubt {
            Commit::Done(ledger_tally(tx, operation, claim).await?)
        } else {
            Commit::Before
        };
        return Ok(Some(answer));
    }
    Ok(judge(operation_row::read_state(&state)?, ours && current(&state, &batch, generation)?))
}

/// Whether the batch has a holder, in the generation of its operation.
fn current(operation: &Row, batch: &Row, generation: i64) -> PortResult<bool> {
    Ok(get::<bool>(batch, "held")? && get::<i64>(operation, "generation")? == generation)
}

fn judge(state: State, ours: bool) -> Option<Commit> {
    match (state, ours) {
        (State::Running, true) => None,
        (State::Running, false) => Some(Commit::LeaseLost),
        (stopped, _) => Some(Commit::Stopped(stopped)),
    }
}

async fn ledger_tally(tx: &Transaction<'_>, operation: &Operation, claim: &Claim) -> PortResult<Tally> {
    const SQL: &str =
        "SELECT read, created, updated, unchanged, skipped, rejected, filtered FROM carrack.ledger
         WHERE operation = $1 AND generation = $2 AND batch = $3";
    let (id, generation) = (operation.id.as_uuid(), i64::from(operation.generation));
    let row =
        query_opt(tx, "read a ledger row", SQL, &[&id, &generation, &i64::from(claim.batch.number)]).await?;
    operation_row::read_tally(&row.ok_or_else(|| internal("a batch that is done without a ledger row"))?)
}

enum Loaded {
    Done(Outcome),
    CopyRefused,
    StoreFrames(Vec<usize>),
}

async fn load_rows(
    tx: &Transaction<'_>,
    operation: &Operation,
    effect: &ImportEffect<'_>,
    may_copy: bool,
) -> PortResult<Loaded> {
    let rows = effect.rows;
    let import = operation.spec.as_import().ok_or_else(|| internal("rows of what is no import"))?;
    let mode = import.duplicates;
    let images = operation.spec.keeps_images();
    let (data_type, spec) = (rows.data_type(), &operation.spec);
    let table = match spec.is_staged() {
        true => Table::stage(data_type, spec, operation.id),
        false => Table::new(data_type),
    };
    let contests = Contests::new(rows, mode);
    let mut books = Books::new(rows, mode, effect.stored_frames);
    let mut target = Target { tx, table: &table, operation: operation.id, mode, images, rows, hashes: &[] };
    if spec.is_staged() {
        stage_rows(&target, &contests, &mut books).await?;
    } else if contests.are_single() && may_copy && !rows.is_empty() && may_be_as_they_are(import, rows) {
        if !copy::load(&target, &contests).await? {
            return Ok(Loaded::CopyRefused);
        }
        for row in contests.rows() {
            books.settle(row, &Verdict::Insert, std::iter::empty());
        }
    } else if !rows.is_empty() {
        let hashes: Vec<_> = (0..rows.len()).map(|row| rows.hash(row)).collect();
        target.hashes = &hashes;
        load::load_as(&target, import, &contests, &mut books).await?;
    }
    if !books.missing_frames.is_empty() {
        return Ok(Loaded::StoreFrames(books.missing_frames));
    }
    let mut memory = Memory::default();
    for (row, displaced, winner) in &books.displaced {
        memory.note(load::key_of(rows, *row)?, *winner, Some(*displaced), None, None);
    }
    memory.store(tx, operation.id, data_type.name.as_str()).await?;
    let mut tally = books.tally;
    effect.rejects.iter().for_each(|_| tally.count(Counted::Rejected));
    tally.leave_out(effect.filtered);
    Ok(Loaded::Done(Outcome { tally, bytes: effect.bytes, part: None, late_rejects: books.rejects }))
}

/// Whether rows whose keys are free become what they are: a patch is none, and a schema may fill in defaults.
fn may_be_as_they_are(import: &ImportSpec, rows: &Rows) -> bool {
    if import.duplicates != Duplicates::Merge {
        return true;
    }
    let merging = Merging::new(rows.data_type(), import.validate_schema);
    merging.is_plain() && (0..rows.len()).all(|row| !merging.is_patch(rows, row))
}

/// Puts all rows aside; nothing there can refuse one.
async fn stage_rows(target: &Target<'_>, contests: &Contests, books: &mut Books<'_>) -> PortResult<()> {
    if !target.rows.is_empty() && !copy::load(target, contests).await? {
        return Err(internal("the stage refused a row, expected it to take all"));
    }
    books.tally.add(Counted::Created, target.rows.len() as u64);
    Ok(())
}

/// Stores the template of a batch, if it is one to be stored; otherwise says why it is not.
async fn add_template(
    tx: &Transaction<'_>,
    effect: &TemplateEffect<'_>,
) -> PortResult<Result<Outcome, Added>> {
    let counted = match effect.new {
        None => Counted::Skipped,
        Some(new) => match templates::add_in_batch(tx, new).await? {
            Added::New(..) => Counted::Created,
            other => return Ok(Err(other)),
        },
    };
    let mut tally = Tally::default();
    tally.count(counted);
    Ok(Ok(Outcome { tally, bytes: effect.bytes, part: None, late_rejects: Vec::new() }))
}

/// An exported row was read and left as it is.
fn exported(effect: &ExportEffect) -> Outcome {
    let tally = Tally { read: effect.rows, unchanged: effect.rows, ..Tally::default() };
    let part = Some(effect.clone());
    Outcome { tally, bytes: effect.bytes, part, late_rejects: Vec::new() }
}

/// Writes the ledger row, with the holder of the lease, and ends the lease: both see the batch as it was.
async fn close_batch(
    tx: &Transaction<'_>,
    operation: &Operation,
    claim: &Claim,
    outcome: &Outcome,
) -> PortResult<()> {
    const SQL: &str = "WITH closed AS (
             UPDATE carrack.batches SET state = 'done', lease_owner = NULL, lease_until = NULL, queued = false
             WHERE operation = $1 AND generation = $2 AND number = $3
         )
         INSERT INTO carrack.ledger (operation, generation, batch, lease_epoch, read, created, updated,
                unchanged, skipped, rejected, bytes, part_key, part_etag, part_frames, filtered, worker)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
                (SELECT lease_owner FROM carrack.batches
                 WHERE operation = $1 AND generation = $2 AND number = $3))";
    let (id, generation) = (operation.id.as_uuid(), i64::from(operation.generation));
    let Tally { read, created, updated, unchanged, skipped, rejected, filtered } = outcome.tally;
    let counts = [read, created, updated, unchanged, skipped, rejected, outcome.bytes].map(signed);
    let part = outcome.part.as_ref();
    let params: &sql::Params<'_> = &[
        &id,
        &generation,
        &i64::from(claim.batch.number),
        &claim.lease_epoch,
        &counts[0],
        &counts[1],
        &counts[2],
        &counts[3],
        &counts[4],
        &counts[5],
        &counts[6],
        &part.map(|part| part.key.as_str()),
        &part.map(|part| part.etag.as_str()),
        &part.map(|part| part.frames.as_slice()),
        &signed(filtered),
    ];
    execute(tx, "write a ledger row", SQL, params).await?;
    Ok(())
}
