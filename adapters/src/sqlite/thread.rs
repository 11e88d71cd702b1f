//! A connection and the thread that owns it. SQLite calls block, and a connection serves one caller at a
//! time; so callers send closures, and wait for the answer without holding a thread of the runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use carrack_shared::error::{ErrorKind, PortError, PortResult};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::error::{SERVICE, SqlResult, located};

/// Closures that wait for a connection; a caller behind them waits to get in. Each may hold a batch in
/// memory, and a cancel waits behind them.
const WAITING_JOBS: usize = 16;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The caller's end of a connection. The thread ends, and closes the connection, when this is dropped and
/// everything sent before has run.
#[derive(Debug)]
pub(super) struct ConnectionThread {
    jobs: mpsc::Sender<Job>,
    path: Arc<Path>,
}

impl ConnectionThread {
    /// Gives `connection` to a thread of its own.
    pub fn start(name: &str, mut connection: Connection, path: Arc<Path>) -> PortResult<Self> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING_JOBS);
        let run = move || {
            while let Some(job) = waiting.blocking_recv() {
                // A panic has dropped, and so undone, its transaction; its caller hears of it by the answer
                // that never comes. The connection is good for the next one.
                let _ = catch_unwind(AssertUnwindSafe(|| job(&mut connection)));
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|error| {
            PortError::new(ErrorKind::Unavailable, SERVICE, "cannot start a thread").because(error)
        })?;
        Ok(Self { jobs, path })
    }

    /// Runs `work` on the connection. Once it has begun it runs to its end, even if the caller goes away.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> SqlResult<T> + Send + 'static,
    ) -> PortResult<T> {
        let (answer, answered) = oneshot::channel();
        let path = Arc::clone(&self.path);
        let job: Job = Box::new(move |connection| {
            // Nobody waits any more: the effect stands all the same.
            let _ = answer.send(work(connection).map_err(|trouble| located(trouble, &path)));
        });
        let ended = || PortError::new(ErrorKind::Internal, SERVICE, "the connection's thread has failed");
        self.jobs.send(job).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    /// Runs `work` in a transaction that is committed when it answers and undone when it fails. The
    /// transaction takes the file's write lock at once, so that it never fails for having read first.
    pub async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> SqlResult<T> + Send + 'static,
    ) -> PortResult<T> {
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = work(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        })
        .await
    }
}
