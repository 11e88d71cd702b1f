//! Workers that die, in this process: each lives in a runtime of its own that is shut down where a process
//! would be gone, with nothing given back and nothing answered. Then the next one begins.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use carrack_adapters::local::{LocalObjects, MemoryProgress, MemoryQueue};
use carrack_adapters::{ConnectSettings, connect_store};
use carrack_coordinator::options::Options;
use carrack_coordinator::start::{self, Input};
use carrack_shared::config;
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::Ports;
use carrack_tests::deadly::{Deadly, Poison, Seen};
use carrack_tests::wait::until;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// What dies with a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// Nothing else: coordinator and queue stay, and hand its tasks out again.
    Fleet,
    /// Everything but the database: coordinator and queue are in the same process.
    Embedded,
}

/// A database, and what works on it.
pub struct Mortals {
    /// The ports as they are when nobody dies.
    pub ports: Ports,
    /// What they die of.
    pub poison: Arc<Poison>,
    parts: Parts,
    database: String,
    stop: CancellationToken,
    running: Vec<JoinHandle<()>>,
}

impl Mortals {
    /// Nobody works yet.
    pub async fn new(parts: Parts, database: &str, folder: &Path, poison: Poison) -> Self {
        let ports = Ports {
            store: connect_store(database, &settings()).await.unwrap(),
            objects: Arc::new(LocalObjects::open(folder, true).unwrap()),
            queue: Arc::new(MemoryQueue::new()),
            progress: Arc::new(MemoryProgress::new()),
            master_key: None,
        };
        let stop = CancellationToken::new();
        let running = match parts {
            Parts::Fleet => vec![tokio::spawn(coordinator(&ports, &stop))],
            Parts::Embedded => Vec::new(),
        };
        Self { ports, poison: Arc::new(poison), parts, database: database.to_owned(), stop, running }
    }

    /// Asks for an import. In a fleet all its batches are known afterwards.
    pub async fn import(&self, file: &Path, batch_size: u32) -> OperationId {
        let name = file.to_str().unwrap();
        let input = Input { name: name.to_owned(), key: format!("file:{name}") };
        let options = Options { batch_size, ..Options::default() };
        let spec = start::import_spec(&self.ports, &[input], Some("contexts"), &options).await.unwrap();
        let id = start::create(&self.ports, "ada", spec, None).await.unwrap().operation.id;
        if self.parts == Parts::Fleet {
            self.reached(id, |operation| operation.planned_at.is_some()).await;
        }
        id
    }

    /// Begins to work: another worker for every one that dies.
    pub fn work(&mut self) {
        let life = Life {
            parts: self.parts,
            database: self.database.clone(),
            ports: self.ports.clone(),
            poison: Arc::clone(&self.poison),
            stop: self.stop.clone(),
        };
        self.running.push(tokio::task::spawn_blocking(move || {
            while !life.stop.is_cancelled() {
                life.live_and_die();
            }
        }));
    }

    /// The operation when it has ended.
    pub async fn ended(&self, id: OperationId) -> Operation {
        self.reached(id, |operation| operation.state.is_terminal()).await
    }

    async fn reached(&self, id: OperationId, is_there: impl Fn(&Operation) -> bool) -> Operation {
        let deadline = Instant::now() + ENDS_WITHIN;
        let what = || {
            let seen = self.poison.seen.lock().unwrap();
            format!(
                "operation {id}; of {} things seen the first: {:?}",
                seen.len(),
                &seen[..seen.len().min(40)]
            )
        };
        until(deadline, what, async || {
            let operation = self.ports.store.get(id).await?.expect("the operation");
            Ok(Some(operation).filter(|operation| is_there(operation)))
        })
        .await
        .unwrap()
    }

    /// Stops everything; what was seen.
    pub async fn close(mut self) -> Vec<Seen> {
        self.stop.cancel();
        for running in std::mem::take(&mut self.running) {
            running.await.unwrap();
        }
        std::mem::take(&mut *self.poison.seen.lock().unwrap())
    }
}

impl Drop for Mortals {
    /// A test that fails must not wait for workers who wait for nothing.
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What every worker begins with.
struct Life {
    parts: Parts,
    database: String,
    ports: Ports,
    poison: Arc<Poison>,
    stop: CancellationToken,
}

impl Life {
    fn live_and_die(&self) {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let death = CancellationToken::new();
            let mut ports = self.ports.clone();
            // Connections of its own, as another process has.
            ports.store = connect_store(&self.database, &settings()).await.unwrap();
            ports.store = Arc::new(Deadly::new(ports.store, Arc::clone(&self.poison), death.clone()));
            if self.parts == Parts::Embedded {
                ports.queue = Arc::new(MemoryQueue::new());
                ports.progress = Arc::new(MemoryProgress::new());
                ports.store.restart().await.unwrap();
                tokio::spawn(coordinator(&ports, &self.stop));
            }
            let settings = config::Worker { concurrency: 2, lease_seconds: 2, drain_seconds: 1 };
            tokio::select! {
                () = carrack_worker::run(settings, ports, watch::channel(None).0, self.stop.clone()) => {}
                () = death.cancelled() => {}
            }
        });
        runtime.shutdown_timeout(ENDS_WITHIN);
    }
}

fn coordinator(ports: &Ports, stop: &CancellationToken) -> impl Future<Output = ()> + use<> {
    let (poll_milliseconds, window_tasks, lost_after_seconds, lease_seconds) = (20, 8, 2, 5);
    let settings = config::Coordinator { poll_milliseconds, window_tasks, lost_after_seconds, lease_seconds };
    carrack_coordinator::run(
        settings,
        config::Images { keep_days: 7 },
        ports.clone(),
        watch::channel(None).0,
        stop.clone(),
    )
}

fn settings() -> ConnectSettings {
    ConnectSettings { pool_size: 4, s3_credentials: None, read_in_place: false, master_key: None }
}
