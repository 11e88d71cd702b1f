//! Caches with a deliberate defect each, to show that the checks of the contract can fail.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::{OperationId, State, Totals};
use carrack_shared::port::Progress;
use carrack_shared::port::progress::{Attempt, BatchTotals};

/// What is wrong with a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Batches whose number divides by three are not noted.
    Drops,
    /// Batches are counted up instead of noted.
    Doubles,
    /// The announcement that came last counts, whatever its epoch.
    Reorders,
    /// Notes never answer.
    Hangs,
    /// A part is taken for the whole.
    Pretends,
    /// Forgetting does nothing.
    Remembers,
    /// All attempts at an operation are one.
    Mixes,
}

/// Which check finds a defect, and what it says.
pub const FOUND: [(Defect, &str, &str); 7] = [
    (Defect::Drops, "recorded_batches_add_up", "too few are lost"),
    (Defect::Doubles, "a_batch_recorded_twice_counts_once", "a batch was doubled"),
    (Defect::Reorders, "an_announcement_of_a_lower_epoch_is_ignored", "out of order"),
    (Defect::Hangs, "recorded_batches_add_up", "no answer within"),
    (Defect::Pretends, "batches_without_a_rebuild_are_not_the_whole", "a part was taken for the whole"),
    (Defect::Remembers, "what_is_forgotten_is_gone", "left == right"),
    (Defect::Mixes, "an_attempt_starts_from_nothing", "of an earlier attempt"),
];

/// A good cache, made bad.
pub struct Defective {
    progress: Arc<dyn Progress>,
    defect: Defect,
    repeats: Mutex<HashMap<OperationId, u32>>,
}

impl Defective {
    /// Puts a defect into a cache.
    pub fn new(progress: Arc<dyn Progress>, defect: Defect) -> Self {
        Self { progress, defect, repeats: Mutex::default() }
    }

    fn seen(&self, attempt: Attempt) -> Attempt {
        if self.defect == Defect::Mixes { Attempt { generation: 1, ..attempt } } else { attempt }
    }
}

#[async_trait]
impl Progress for Defective {
    async fn rebuild(&self, attempt: Attempt, batches: &[BatchTotals]) -> PortResult<()> {
        self.progress.rebuild(self.seen(attempt), batches).await
    }

    async fn record(&self, attempt: Attempt, mut batch: BatchTotals) -> PortResult<()> {
        match self.defect {
            Defect::Drops if batch.batch.is_multiple_of(3) => return Ok(()),
            Defect::Doubles => {
                let mut repeats = self.repeats.lock().unwrap();
                let count = repeats.entry(attempt.operation).or_insert(0);
                *count += 1;
                batch.batch = 1_000_000 + *count;
            }
            Defect::Hangs => std::future::pending().await,
            Defect::Pretends => {
                let noted = self.progress.read(attempt).await?;
                if noted.is_none() {
                    self.progress.rebuild(attempt, &[]).await?;
                }
            }
            _ => {}
        }
        self.progress.record(self.seen(attempt), batch).await
    }

    async fn recorded(&self) {
        self.progress.recorded().await;
    }

    async fn read(&self, attempt: Attempt) -> PortResult<Option<Totals>> {
        self.progress.read(self.seen(attempt)).await
    }

    async fn announce(&self, operation: OperationId, epoch: i64, state: State) -> PortResult<()> {
        let epoch = if self.defect == Defect::Reorders { 1 } else { epoch };
        self.progress.announce(operation, epoch, state).await
    }

    async fn announced(&self, operation: OperationId) -> PortResult<Option<State>> {
        self.progress.announced(operation).await
    }

    async fn forget(&self, operation: OperationId) -> PortResult<()> {
        if self.defect == Defect::Remembers { Ok(()) } else { self.progress.forget(operation).await }
    }

    async fn ready(&self) -> PortResult<()> {
        self.progress.ready().await
    }
}
