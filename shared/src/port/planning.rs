//! The port to plans: batches and the tasks that announce them are stored together with the cursor, so that
//! a plan is made once and a planner that dies is continued, not repeated.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::PortResult;
use crate::operation::{Failure, Operation, OperationId};
use crate::segment::{Batch, Facts, Segment};
use crate::task::Task;

/// The right to plan one operation.
#[derive(Debug, Clone)]
pub struct PlanClaim {
    /// The operation.
    pub operation: Operation,
    /// Fences every write of the planner.
    pub lease_epoch: i64,
    /// Where the last planner stopped.
    pub cursor: Cursor,
}

/// Where planning stands: always between two batches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Number of the source.
    pub source: u32,
    /// The first byte that is not planned yet.
    pub byte: u64,
    /// Records of this source that are planned.
    pub records: u64,
    /// Line on which `byte` stands, from 1; 0 at the very start.
    pub line: u64,
    /// Number of the next batch.
    pub next_batch: u32,
    /// Records of all sources that are planned.
    pub total_records: u64,
    /// The last key that is planned, of an undo; none at the start of a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A piece of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanStep {
    /// What has been learned of sources, each with its number.
    pub facts: Vec<(u32, Facts)>,
    /// The next batches.
    pub batches: Vec<Batch>,
    /// The tasks that announce them.
    pub tasks: Vec<Task>,
    /// Where planning stands after them.
    pub cursor: Cursor,
}

/// How planning ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanEnd {
    /// The last piece. Stored in the transaction that ends the plan: the batches behind a break must not be
    /// there without the break.
    pub last: PlanStep,
    /// Why the rest cannot be planned: what is planned is loaded, then the operation fails.
    pub failure: Option<Failure>,
}

/// Plans.
///
/// Every write answers whether it happened: false means that the lease is lost or the operation no longer
/// runs, which is not an error; the planner then lets go.
#[async_trait]
pub trait Planning: Send + Sync {
    /// Takes the lease of a running operation that is not planned and whose planner is gone; none if there
    /// is none.
    ///
    /// An export whose earlier planner had written a plan starts again: its generation rises by one, and
    /// its cursor and batches begin at 0. Its planner keeps the lease until the operation ends, for it
    /// holds the snapshot; so an export whose plan is complete is also handed out when its planner is gone.
    async fn claim_plan(&self, owner: Uuid, lease: Duration) -> PortResult<Option<PlanClaim>>;

    /// Prolongs the lease. Also false when the operation has ended.
    async fn renew_plan(&self, claim: &PlanClaim, lease: Duration) -> PortResult<bool>;

    /// Stores a piece of the plan, its tasks and the cursor, together.
    async fn append_plan(&self, claim: &PlanClaim, step: &PlanStep) -> PortResult<bool>;

    /// Stores the last piece and says that the plan is whole: sets `planned_at` and the counts.
    async fn end_plan(&self, claim: &PlanClaim, end: &PlanEnd) -> PortResult<bool>;

    /// What was learned of one of the operation's sources, by its number; none if the planner has not come
    /// so far. Not fenced: the facts of a file never change, and those of a table only with the generation.
    async fn facts(&self, operation: OperationId, source: u32) -> PortResult<Option<Facts>>;

    /// The segments that were planned of one of an import's sources, from the one that begins at record `first`
    /// on, in order, at most `limit` of them. Not fenced: a segment never changes.
    async fn segments(
        &self,
        operation: OperationId,
        source: u32,
        first: u64,
        limit: u32,
    ) -> PortResult<Vec<Segment>>;

    /// Lets go of the lease, so that another planner may go on at once.
    async fn release_plan(&self, claim: &PlanClaim) -> PortResult<()>;
}
