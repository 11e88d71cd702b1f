//! Records that end every worker which reads them: each is found, rejected and told, and nothing else is lost,
//! neither of its batch nor of a neighbour that was worked on at the same time.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use carrack_coordinator::options::Options;
use carrack_coordinator::start;
use carrack_shared::fault::Frame;
use carrack_shared::limits::{BATCH_DEATHS, DEAD_ENDS, EXPORT_DEATHS, POISON_DEATHS};
use carrack_shared::operation::State;
use carrack_shared::port::Ports;
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::record::Position;
use carrack_shared::schema;
use carrack_shared::tally::Tally;
use carrack_tests::deadly::{Poison, Seen};
use carrack_tests::services::fresh_database;
use futures_util::StreamExt;

use crate::mortal::{Mortals, Parts};

const BATCH: u32 = 100;
const RECORDS: u64 = 700;
/// Two in one batch, and the very last.
const POISON: [u64; 3] = [257, 299, 700];
/// A bad record as any other, beside a poisonous one.
const RAGGED: u64 = 258;
/// Records of the import that is worked on at the same time.
const NEIGHBOURS: u64 = 3_000;

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

/// The keys in the table, in their order.
async fn keys(ports: &Ports) -> Vec<String> {
    let contexts = schema::built_in("contexts").unwrap();
    let mut snapshot = ports.store.snapshot().await.unwrap();
    let mut keys = Vec::new();
    if let Some(range) = snapshot.next_range(&contexts, None, u32::MAX).await.unwrap() {
        let mut pieces = ports.store.scan(&contexts, &range, &[], snapshot.id()).await.unwrap();
        while let Some(rows) = pieces.next().await.transpose().unwrap() {
            keys.extend((0..rows.len()).map(|row| String::from_utf8(rows.key(row).to_vec()).unwrap()));
        }
    }
    keys
}

async fn every_poison_is_found(parts: Parts, database: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (bad, good) = (folder.path().join("bad.csv"), folder.path().join("good.csv"));
    write(&bad, "b", RECORDS, RAGGED);
    write(&good, "g", NEIGHBOURS, 0);
    let poison = Poison { read: positions(&POISON), ..Poison::default() };
    let mut mortals = Mortals::new(parts, database, folder.path(), poison).await;
    let (bad, good) = (mortals.import(&bad, BATCH).await, mortals.import(&good, BATCH).await);
    *mortals.poison.operation.lock().unwrap() = Some(bad);
    mortals.work();

    let ended = mortals.ended(bad).await;
    let rejected = POISON.len() as u64 + 1;
    let tally = Tally { read: RECORDS, created: RECORDS - rejected, rejected, ..Tally::default() };
    assert_eq!((ended.state, ended.tally), (State::SucceededWithRejects, Some(tally)), "{:?}", ended.failure);
    let rejects = mortals.ports.store.rejects(bad, &RejectPage::first(99)).await.unwrap();
    let found: Vec<_> = rejects.iter().map(|it| (it.position.record(), it.faults[0].code.as_ref())).collect();
    let code = "record.poison";
    assert_eq!(found, [(257, code), (RAGGED, "csv.ragged"), (299, code), (700, code)]);
    let raw = format!("{},one of many,\"some\ncontent\"", key("b", 257));
    assert_eq!(rejects[0].frame, Frame::Inline(raw.into()));

    let ended = mortals.ended(good).await;
    let tally = Tally { read: NEIGHBOURS, created: NEIGHBOURS, ..Tally::default() };
    assert_eq!((ended.state, ended.tally), (State::Succeeded, Some(tally)), "{:?}", ended.failure);

    let out: BTreeSet<u64> = POISON.into_iter().chain([RAGGED]).collect();
    let mut expected: Vec<_> = (1..=RECORDS).filter(|it| !out.contains(it)).map(|it| key("b", it)).collect();
    expected.extend((1..=NEIGHBOURS).map(|record| key("g", record)));
    assert!(keys(&mortals.ports).await == expected, "every other record, once");

    let seen = mortals.close().await;
    let (working, reading): (Vec<_>, Vec<_>) =
        seen.iter().cloned().partition(|seen| matches!(seen, Seen::DiedWorking(_)));
    assert_eq!(working.len(), BATCH_DEATHS as usize, "{parts:?}: {seen:?}");
    let batches_of_bad = usize::try_from(RECORDS / u64::from(BATCH)).unwrap();
    let in_company = |seen: &Seen| matches!(seen, Seen::DiedWorking(held) if *held > batches_of_bad);
    // Embedded, the neighbour may not be announced yet when the process dies.
    let had_company = parts == Parts::Embedded || working.iter().any(in_company);
    assert!(had_company, "no neighbour was there: {seen:?}");
    let of_one = [BATCH, 2].into_iter().chain([1; POISON_DEATHS as usize]).map(Seen::DiedReading);
    let of_all: Vec<_> = POISON.iter().flat_map(|_| of_one.clone()).collect();
    assert_eq!(reading, of_all, "{parts:?}");
}

async fn what_is_not_found_stops_the_operation(parts: Parts, database: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.csv");
    write(&file, "b", RECORDS, 0);
    let poison = Poison { loaded: positions(&[257]), ..Poison::default() };
    let mut mortals = Mortals::new(parts, database, folder.path(), poison).await;
    let bad = mortals.import(&file, BATCH).await;
    *mortals.poison.operation.lock().unwrap() = Some(bad);
    mortals.work();

    let ended = mortals.ended(bad).await;
    let deaths = BATCH_DEATHS * (DEAD_ENDS + 1);
    let failure = ended.failure.unwrap();
    assert_eq!((ended.state, failure.code.as_str()), (State::Failed, "batch.deadly"));
    assert!(failure.message.starts_with(&format!("batch 2 ended {deaths} workers")), "{}", failure.message);
    let tally = Tally { read: 200, created: 200, ..Tally::default() };
    assert_eq!(ended.tally, Some(tally), "what came before it stays");
    let seen = mortals.close().await;
    assert_eq!(seen.len(), deaths as usize, "{parts:?}: {seen:?}");
}

/// Its rows were read before, and it has no place for rejects: nobody looks for the one to be blamed.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_ends_workers_is_stopped() {
    let (folder, database) = (tempfile::tempdir().unwrap(), fresh_database().await);
    let file = folder.path().join("good.csv");
    write(&file, "g", RECORDS, 0);
    let poison = Poison { exported: true, ..Poison::default() };
    let mut mortals = Mortals::new(Parts::Fleet, &database.url, folder.path(), poison).await;
    mortals.work();
    let import = mortals.import(&file, BATCH).await;
    assert_eq!(mortals.ended(import).await.state, State::Succeeded);
    let request = start::export_request("contexts", Ok(Options::default())).unwrap();
    let spec = start::export_spec(&mortals.ports, request).await.unwrap();
    let export = start::create(&mortals.ports, "ada", spec, None).await.unwrap().operation.id;

    let ended = mortals.ended(export).await;
    let failure = ended.failure.unwrap();
    assert_eq!((ended.state, failure.code.as_str()), (State::Failed, "batch.deadly"));
    assert!(failure.message.starts_with("batch 0 ended 8 workers"), "{}", failure.message);
    assert_eq!(mortals.close().await, vec![Seen::DiedWorking(1); EXPORT_DEATHS as usize]);
}

fn sqlite(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("carrack.sqlite").display())
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_found_and_rejected_on_sqlite() {
    for parts in [Parts::Fleet, Parts::Embedded] {
        let folder = tempfile::tempdir().unwrap();
        every_poison_is_found(parts, &sqlite(folder.path())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_found_and_rejected_on_postgresql() {
    every_poison_is_found(Parts::Fleet, &fresh_database().await.url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_dies_of_no_record_stops_the_operation_on_sqlite() {
    for parts in [Parts::Fleet, Parts::Embedded] {
        let folder = tempfile::tempdir().unwrap();
        what_is_not_found_stops_the_operation(parts, &sqlite(folder.path())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_dies_of_no_record_stops_the_operation_on_postgresql() {
    what_is_not_found_stops_the_operation(Parts::Fleet, &fresh_database().await.url).await;
}
