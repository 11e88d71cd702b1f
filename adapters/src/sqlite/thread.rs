//! A connection and the thread that owns it. SQLite calls block, and a connection serves one caller at a
//! time; so callers send closures, and wait for the answer without holding a thread of the runtime.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use carrack_shared::error::{ErrorKind, PortError, PortResult};
use rusqlite::{Connection, InterruptHandle, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::connect::{self, Role};
use super::error::{SERVICE, SqlResult, located};

/// Closures that wait for a connection; a caller behind them waits to get in. Each may hold a batch in
/// memory, and a cancel waits behind them.
const WAITING_JOBS: usize = 16;

/// Connections that read: one for each task that a worker runs at a time, unless it is told otherwise.
const READERS: usize = 2;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The caller's end of a connection. Dropping it waits until everything sent before has run and the
/// connection is closed.
///
/// The wait is short and needed: who closes a file last copies its log into it and removes the log, by
/// name. A process that exits before that leaves the rows of its last batches in a second file, and a file
/// that is made anew under the same name meanwhile would lose its own log.
pub(super) struct ConnectionThread {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    interrupt: Option<InterruptHandle>,
    path: Arc<Path>,
}

impl ConnectionThread {
    /// Gives `connection` to a thread of its own.
    pub fn start(role: Role, mut connection: Connection, path: Arc<Path>) -> PortResult<Self> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING_JOBS);
        // What a reader still does when nobody holds it any more is done for nobody; a commit is not.
        let interrupt = (role == Role::Reader).then(|| connection.get_interrupt_handle());
        let run = move || {
            while let Some(job) = waiting.blocking_recv() {
                // A panic has dropped, and so undone, its transaction; its caller hears of it by the answer
                // that never comes. The connection is good for the next one.
                let _ = catch_unwind(AssertUnwindSafe(|| job(&mut connection)));
            }
        };
        let name = match role {
            Role::Writer => "sqlite-writer",
            Role::Reader => "sqlite-reader",
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|error| {
            PortError::new(ErrorKind::Unavailable, SERVICE, "cannot start a thread").because(error)
        })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), interrupt, path })
    }

    /// Runs `work` on the connection. It is not begun for a caller who has gone away; once it has begun it
    /// runs to its end.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> SqlResult<T> + Send + 'static,
    ) -> PortResult<T> {
        let (answer, answered) = oneshot::channel();
        let path = Arc::clone(&self.path);
        let job: Job = Box::new(move |connection| {
            if answer.is_closed() {
                return;
            }
            // If nobody waits any more now, the effect stands all the same.
            let _ = answer.send(work(connection).map_err(|trouble| located(trouble, &path)));
        });
        let ended = || PortError::new(ErrorKind::Internal, SERVICE, "the connection's thread has failed");
        self.jobs.as_ref().ok_or_else(ended)?.send(job).await.map_err(|_| ended())?;
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

/// Connections that read, so that who looks up many rows keeps nobody waiting, and several who do so use several cores.
#[derive(Debug)]
pub(super) struct Readers([Reader; READERS]);

#[derive(Debug)]
struct Reader {
    thread: ConnectionThread,
    /// Callers who wait for their answer.
    callers: AtomicUsize,
}

/// One of [`Reader::callers`], until it is dropped.
struct Caller<'reader>(&'reader AtomicUsize);

impl Readers {
    /// Opens them.
    pub fn open(path: &Arc<Path>) -> PortResult<Self> {
        let open = || -> PortResult<Reader> {
            let connection = connect::open(path, Role::Reader).map_err(|trouble| located(trouble, path))?;
            let thread = ConnectionThread::start(Role::Reader, connection, Arc::clone(path))?;
            Ok(Reader { thread, callers: AtomicUsize::new(0) })
        };
        Ok(Self([open()?, open()?]))
    }

    /// Runs `work` on the one that has the fewest callers. As [`ConnectionThread::run`].
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> SqlResult<T> + Send + 'static,
    ) -> PortResult<T> {
        let [first, others @ ..] = &self.0;
        let mut chosen = first;
        for other in others {
            if other.callers.load(Ordering::Relaxed) < chosen.callers.load(Ordering::Relaxed) {
                chosen = other;
            }
        }
        let _caller = Caller::of(chosen);
        chosen.thread.run(work).await
    }
}

impl<'reader> Caller<'reader> {
    fn of(reader: &'reader Reader) -> Self {
        reader.callers.fetch_add(1, Ordering::Relaxed);
        Self(&reader.callers)
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for ConnectionThread {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(interrupt) = &self.interrupt {
            interrupt.interrupt();
        }
        if let Some(thread) = self.thread.take() {
            // It never panics: each job's panic is caught.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for ConnectionThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionThread").field("path", &self.path).finish_non_exhaustive()
    }
}
