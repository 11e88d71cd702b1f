//! Progress and announcements in the memory of this process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::{OperationId, State, Totals};
use carrack_shared::port::Progress;
use carrack_shared::port::progress::{Attempt, BatchTotals};
use tokio::sync::Notify;

/// Progress that ends with this process. Holds about 100 bytes per batch until the operation is forgotten.
#[derive(Default)]
pub struct MemoryProgress {
    recorded: Notify,
    operations: Mutex<HashMap<OperationId, Noted>>,
}

#[derive(Default)]
struct Noted {
    /// By generation.
    attempts: HashMap<u32, Counts>,
    announced: Option<(i64, State)>,
}

#[derive(Default)]
struct Counts {
    /// Whether `batches` holds every batch since the last rebuild.
    whole: bool,
    batches: HashMap<u32, Totals>,
}

impl Noted {
    fn attempt(&mut self, attempt: Attempt) -> &mut Counts {
        self.attempts.entry(attempt.generation).or_default()
    }
}

impl MemoryProgress {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OperationId, Noted>> {
        // No holder of this lock can panic between two changes that belong together.
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Progress for MemoryProgress {
    async fn rebuild(&self, attempt: Attempt, batches: &[BatchTotals]) -> PortResult<()> {
        let mut operations = self.lock();
        let counts = operations.entry(attempt.operation).or_default().attempt(attempt);
        counts.batches.extend(batches.iter().map(|batch| (batch.batch, batch.totals)));
        counts.whole = true;
        Ok(())
    }

    async fn record(&self, attempt: Attempt, batch: BatchTotals) -> PortResult<()> {
        let mut operations = self.lock();
        let counts = operations.entry(attempt.operation).or_default().attempt(attempt);
        counts.batches.insert(batch.batch, batch.totals);
        self.recorded.notify_one();
        Ok(())
    }

    async fn recorded(&self) {
        self.recorded.notified().await;
    }

    async fn read(&self, attempt: Attempt) -> PortResult<Option<Totals>> {
        let operations = self.lock();
        let counts =
            operations.get(&attempt.operation).and_then(|noted| noted.attempts.get(&attempt.generation));
        let whole = counts.filter(|counts| counts.whole);
        Ok(whole.map(|counts| crate::progress::sum(counts.batches.values().copied())))
    }

    async fn announce(&self, operation: OperationId, epoch: i64, state: State) -> PortResult<()> {
        let mut operations = self.lock();
        let announced = &mut operations.entry(operation).or_default().announced;
        if announced.is_none_or(|(last, _)| last <= epoch) {
            *announced = Some((epoch, state));
        }
        Ok(())
    }

    async fn announced(&self, operation: OperationId) -> PortResult<Option<State>> {
        Ok(self.lock().get(&operation).and_then(|noted| noted.announced).map(|(_, state)| state))
    }

    async fn forget(&self, operation: OperationId) -> PortResult<()> {
        self.lock().remove(&operation);
        Ok(())
    }

    async fn ready(&self) -> PortResult<()> {
        Ok(())
    }
}
