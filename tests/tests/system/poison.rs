//! Records that end every worker which reads them: each is found, rejected and told, and nothing else is lost,
//! neither of its batch nor of a neighbour that was worked on at the same time.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use carrack_adapters::local::{LocalObjects, MemoryProgress, MemoryQueue};
use carrack_adapters::{ConnectSettings, connect_store};
use carrack_coordinator::options::Options;
use carrack_coordinator::start::{self, Input};
use carrack_shared::config;
use carrack_shared::fault::{Frame, Reject};
use carrack_shared::limits::{BATCH_DEATHS, DEAD_ENDS, POISON_DEATHS};
use carrack_shared::operation::{Operation, OperationId, State};
use carrack_shared::port::Ports;
use carrack_shared::record::Position;
use carrack_shared::schema;
use carrack_shared::tally::Tally;
use carrack_tests::deadly::{Deadly, Poison, Seen};
use carrack_tests::services::fresh_database;
use carrack_tests::wait::until;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const ENDS_WITHIN: Duration = Duration::from_secs(120);
const BATCH: u32 = 100;

/// A coordinator that lives, and workers that follow each other whenever one dies.
struct Sandbox {
    database: String,
    ports: Ports,
    poison: Arc<Poison>,
    stop: CancellationToken,
    running: Vec<JoinHandle<()>>,
}

impl Sandbox {
    async fn new(database: &str, folder: &Path, poison: Poison) -> Self {
        let ports = Ports {
            store: connect_store(database, &settings()).await.unwrap(),
            objects: Arc::new(LocalObjects::open(folder, true).unwrap()),
            queue: Arc::new(MemoryQueue::new()),
            progress: Arc::new(MemoryProgress::new()),
        };
        let stop = CancellationToken::new();
        let coordinator = config::Coordinator {
            poll_milliseconds: 20,
            window_tasks: 8,
            lost_after_seconds: 2,
            lease_seconds: 5,
        };
        let run = carrack_coordinator::run(coordinator, ports.clone(), watch::channel(None).0, stop.clone());
        let running = vec![tokio::spawn(run)];
        Self { database: database.to_owned(), ports, poison: Arc::new(poison), stop, running }
    }

    /// Starts an import and waits until all its batches are known.
    async fn plan(&self, file: &Path) -> OperationId {
        let name = file.to_str().unwrap();
        let input = Input { name: name.to_owned(), key: format!("file:{name}") };
        let options = Options { batch_size: BATCH, ..Options::default() };
        let spec = start::import_spec(&self.ports, &[input], Some("contexts"), &options).await.unwrap();
        let id = start::create(&self.ports, "ada", spec, None).await.unwrap().operation.id;
        self.reached(id, |operation| operation.planned_at.is_some()).await;
        id
    }

    /// Begins to work: another worker, with a connection of its own, for every one that dies.
    fn work(&mut self) {
        let (database, ports, poison) = (self.database.clone(), self.ports.clone(), self.poison.clone());
        let stop = self.stop.clone();
        self.running.push(tokio::task::spawn_blocking(move || {
            while !stop.is_cancelled() {
                live_and_die(&database, &ports, &poison, &stop);
            }
        }));
    }

    async fn reached(&self, id: OperationId, is_there: impl Fn(&Operation) -> bool) -> Operation {
        let deadline = Instant::now() + ENDS_WITHIN;
        let what = || format!("operation {id}, seen so far: {:?}", self.poison.seen.lock().unwrap());
        until(deadline, what, async || {
            let operation = self.ports.store.get(id).await?.expect("the operation");
            Ok(Some(operation).filter(|operation| is_there(operation)))
        })
        .await
        .unwrap()
    }

    async fn ended(&self, id: OperationId) -> Operation {
        self.reached(id, |operation| operation.state.is_terminal()).await
    }

    async fn rejects(&self, id: OperationId) -> Vec<Reject> {
        self.ports.store.rejects(id, None, 1_000).await.unwrap()
    }

    /// The keys in the table, in their order.
    async fn keys(&self) -> Vec<String> {
        let contexts = schema::built_in("contexts").unwrap();
        let mut snapshot = self.ports.store.snapshot().await.unwrap();
        let mut keys = Vec::new();
        for range in snapshot.plan(&contexts, 10_000).await.unwrap().ranges {
            let mut rows = self.ports.store.scan(&contexts, &range, snapshot.id()).await.unwrap();
            while let Some(rows) = rows.next().await.transpose().unwrap() {
                let key = |row| String::from_utf8(rows.key(row).to_vec()).unwrap();
                keys.extend((0..rows.len()).map(key));
            }
        }
        keys
    }

    async fn close(self) -> Vec<Seen> {
        self.stop.cancel();
        for running in self.running {
            running.await.unwrap();
        }
        std::mem::take(&mut *self.poison.seen.lock().unwrap())
    }
}

/// The life of one worker. All of it is gone when it dies: nothing is given back, nothing is answered.
fn live_and_die(database: &str, ports: &Ports, poison: &Arc<Poison>, stop: &CancellationToken) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let settings_of_worker = config::Worker { concurrency: 2, lease_seconds: 2, drain_seconds: 1 };
    runtime.block_on(async {
        let death = CancellationToken::new();
        let store = connect_store(database, &settings()).await.unwrap();
        let store = Arc::new(Deadly::new(store, Arc::clone(poison), death.clone()));
        let ports = Ports { store, ..ports.clone() };
        let work = carrack_worker::run(settings_of_worker, ports, watch::channel(None).0, stop.clone());
        tokio::select! {
            () = work => {}
            () = death.cancelled() => {}
        }
    });
    runtime.shutdown_timeout(ENDS_WITHIN);
}

fn settings() -> ConnectSettings {
    ConnectSettings { pool_size: 4, s3_credentials: None, read_in_place: false }
}

fn key(prefix: &str, record: u64) -> String {
    format!("{prefix}{record:05}")
}

/// A file of good records, but for one that is ragged.
fn write(file: &Path, prefix: &str, records: u64, ragged: u64) {
    let mut text = String::from("id,title,content\n");
    for record in 1..=records {
        let rest = if record == ragged { "" } else { ",\"some\ncontent\"" };
        writeln!(text, "{},one of many{rest}", key(prefix, record)).unwrap();
    }
    std::fs::write(file, text).unwrap();
}

fn positions(records: &[u64]) -> BTreeSet<Position> {
    records.iter().map(|&record| Position::new(0, record)).collect()
}

/// Two in one batch, and the very last.
const POISON: [u64; 3] = [257, 299, 700];
const RECORDS: u64 = 700;
const RAGGED: u64 = 258;
const NEIGHBOURS: u64 = 3_000;

async fn every_poison_is_found(database: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (bad, good) = (folder.path().join("bad.csv"), folder.path().join("good.csv"));
    write(&bad, "b", RECORDS, RAGGED);
    write(&good, "g", NEIGHBOURS, 0);
    let poison = Poison { read: positions(&POISON), ..Poison::default() };
    let mut sandbox = Sandbox::new(database, folder.path(), poison).await;
    let (bad, good) = (sandbox.plan(&bad).await, sandbox.plan(&good).await);
    *sandbox.poison.operation.lock().unwrap() = Some(bad);
    sandbox.work();

    let ended = sandbox.ended(bad).await;
    let rejected = POISON.len() as u64 + 1;
    let tally = Tally { read: RECORDS, created: RECORDS - rejected, rejected, ..Tally::default() };
    assert_eq!((ended.state, ended.tally), (State::SucceededWithRejects, Some(tally)), "{:?}", ended.failure);
    let rejects = sandbox.rejects(bad).await;
    let found: Vec<_> = rejects.iter().map(|it| (it.position.record(), it.faults[0].code.as_ref())).collect();
    let code = "record.poison";
    assert_eq!(found, [(257, code), (RAGGED, "csv.ragged"), (299, code), (700, code)]);
    let raw = format!("{},one of many,\"some\ncontent\"", key("b", 257));
    assert_eq!(rejects[0].frame, Frame::Inline(raw.into()));

    let ended = sandbox.ended(good).await;
    let tally = Tally { read: NEIGHBOURS, created: NEIGHBOURS, ..Tally::default() };
    assert_eq!((ended.state, ended.tally), (State::Succeeded, Some(tally)), "{:?}", ended.failure);

    let out: BTreeSet<u64> = POISON.into_iter().chain([RAGGED]).collect();
    let mut expected: Vec<_> = (1..=RECORDS).filter(|it| !out.contains(it)).map(|it| key("b", it)).collect();
    expected.extend((1..=NEIGHBOURS).map(|record| key("g", record)));
    assert!(sandbox.keys().await == expected, "every other record, once");

    let seen = sandbox.close().await;
    let (working, reading): (Vec<_>, Vec<_>) =
        seen.iter().cloned().partition(|seen| matches!(seen, Seen::DiedWorking(_)));
    assert_eq!(working.len(), BATCH_DEATHS as usize, "{seen:?}");
    let batches_of_bad = usize::try_from(RECORDS / u64::from(BATCH)).unwrap();
    let in_company = |seen: &Seen| matches!(seen, Seen::DiedWorking(held) if *held > batches_of_bad);
    assert!(working.iter().any(in_company), "no neighbour was there: {seen:?}");
    let of_one = [BATCH, 2].into_iter().chain([1; POISON_DEATHS as usize]).map(Seen::DiedReading);
    let of_all: Vec<_> = POISON.iter().flat_map(|_| of_one.clone()).collect();
    assert_eq!(reading, of_all);
}

async fn what_is_not_found_stops_the_operation(database: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.csv");
    write(&file, "b", RECORDS, 0);
    let poison = Poison { loaded: positions(&[257]), ..Poison::default() };
    let mut sandbox = Sandbox::new(database, folder.path(), poison).await;
    let bad = sandbox.plan(&file).await;
    *sandbox.poison.operation.lock().unwrap() = Some(bad);
    sandbox.work();

    let ended = sandbox.ended(bad).await;
    let deaths = BATCH_DEATHS * (DEAD_ENDS + 1);
    let failure = ended.failure.unwrap();
    assert_eq!((ended.state, failure.code.as_str()), (State::Failed, "batch.deadly"));
    assert!(failure.message.starts_with(&format!("batch 2 ended {deaths} workers")), "{}", failure.message);
    let tally = Tally { read: 200, created: 200, ..Tally::default() };
    assert_eq!(ended.tally, Some(tally), "what came before it stays");
    let seen = sandbox.close().await;
    assert_eq!(seen.len(), deaths as usize, "{seen:?}");
}

fn sqlite(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("carrack.sqlite").display())
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_found_and_rejected_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    every_poison_is_found(&sqlite(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_found_and_rejected_on_postgresql() {
    every_poison_is_found(&fresh_database().await.url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_dies_of_no_record_stops_the_operation_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    what_is_not_found_stops_the_operation(&sqlite(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_dies_of_no_record_stops_the_operation_on_postgresql() {
    what_is_not_found_stops_the_operation(&fresh_database().await.url).await;
}
