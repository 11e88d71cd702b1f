//! The port of workers: claiming batches and committing their effect, once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::error::PortResult;
use crate::fault::Reject;
use crate::operation::{Failure, Operation, State};
use crate::port::templates::Added;
use crate::record::Rows;
use crate::segment::{Claim, ClaimedRun};
use crate::suspicion::Suspicion;
use crate::tally::Tally;
use crate::task::Task;

/// The effect of an import batch.
#[derive(Debug)]
pub struct ImportEffect<'batch> {
    /// Records to be loaded; shared, for a database's own thread may have to hold them.
    pub rows: &'batch Arc<Rows>,
    /// Records that were refused before loading.
    pub rejects: &'batch [Reject],
    /// Objects that hold the frames of rows that may have to be rejected and are too long for the
    /// database, by row.
    pub stored_frames: &'batch HashMap<usize, String>,
    /// Records that the filters left out.
    pub filtered: u64,
    /// Bytes of the segment.
    pub bytes: u64,
}

/// The effect of an export batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportEffect {
    /// The object that holds the part.
    pub key: String,
    /// Its etag.
    pub etag: String,
    /// Its bytes.
    pub bytes: u64,
    /// Rows in it.
    pub rows: u64,
    /// The frames of which it is made, as [`crate::layer::index::Index`] writes them.
    pub frames: Vec<u8>,
}

/// A part of an export, as committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The batch.
    pub batch: u32,
    /// The table whose rows are in it, by its number in the export.
    pub table: u32,
    /// What it committed.
    pub effect: ExportEffect,
}

/// The answer to a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// The effect is durable, and counted so.
    Done(Tally),
    /// Nothing happened: the batch was done before.
    Before,
    /// Nothing happened: the lease is another worker's.
    LeaseLost,
    /// Nothing happened: the operation is not running.
    Stopped(State),
    /// Nothing happened: these rows have to be rejected and their frames are too long for the database.
    /// Store the frames as objects and commit again.
    StoreFrames(Vec<usize>),
    /// Nothing happened: the template of the batch is not stored, for this reason.
    NotAdded(Box<Added>),
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// The operation's state.
    pub state: State,
    /// How many of the leases are still ours.
    pub held: usize,
}

/// Batches, seen by a worker. Leases run by the database's clock.
#[async_trait]
pub trait Batches: Send + Sync {
    /// Takes the task's batches that are free: pending, leased by somebody whose lease has run out, or, if
    /// the broker redelivered the task, leased by anybody. Each taken lease raises the batch's epoch, and
    /// taking one from a holder who never answered counts as a death of the batch.
    ///
    /// None when there is nothing to do: all done or held, or the operation does not run in this
    /// generation. That is not an error; the task is acknowledged and forgotten.
    async fn claim(
        &self,
        task: &Task,
        redelivered: bool,
        owner: Uuid,
        lease: Duration,
    ) -> PortResult<Option<ClaimedRun>>;

    /// Prolongs the leases that are still ours.
    async fn renew(&self, operation: &Operation, claims: &[Claim], lease: Duration) -> PortResult<Renewal>;

    /// Loads the rows and writes rejects, ledger row and state, all in one transaction, behind the shared
    /// side of the operation's barrier. A row that the table refuses becomes a reject; the others load.
    /// Rows of an operation that stages go to its stage, and are counted as created.
    ///
    /// When the connection breaks during the commit, looks up in the ledger what happened.
    async fn commit_import(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: ImportEffect<'_>,
    ) -> PortResult<Commit>;

    /// Writes the ledger row of a part whose object is stored. As [`Batches::commit_import`].
    async fn commit_export(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: &ExportEffect,
    ) -> PortResult<Commit>;

    /// Notes what a worker has found out, or is about to do, for whoever claims the batch after it. It is
    /// durable when this answers, and stays until it is noted anew.
    ///
    /// False if the batch is done or the lease is another worker's, which is not an error.
    async fn suspect(&self, operation: &Operation, claim: &Claim, suspicion: &Suspicion) -> PortResult<bool>;

    /// Gives unfinished batches back, with the reason, to be executed by anybody at once. Leases that are
    /// not ours any more are left alone.
    async fn release(&self, operation: &Operation, claims: &[Claim], reason: &str) -> PortResult<()>;

    /// Stops the operation, because this batch can never be processed: it will end failed, with the
    /// failure of the lowest batch that said so. Waits for commits under way, as a cancel does.
    ///
    /// False if the batch is done or the lease is another worker's, who then decides what becomes of it.
    async fn fail(&self, operation: &Operation, claim: &Claim, failure: &Failure) -> PortResult<bool>;
}
