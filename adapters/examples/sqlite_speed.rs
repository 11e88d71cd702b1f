//! How fast batches load into SQLite, with everything on: sorting, hashing, fences, duplicates, ledger, fsync.
//!
//! `cargo run --release -p carrack-adapters --example sqlite_speed -- [ROWS] [FOLDER]`
//!
//! Rows are contexts of about 430 bytes, as `carrack` gets them from a file, in batches of 5,000. Making them
//! is not timed; two batches are in flight, as with two workers. Figures: `docs/decisions/0002-loading-into-sqlite.md`.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use carrack_adapters::sqlite::SqliteStore;
use carrack_shared::format::Format;
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::batches::{Commit, ImportEffect};
use carrack_shared::port::operations::{Created, NewOperation};
use carrack_shared::port::planning::{Cursor, PlanStep};
use carrack_shared::port::{Batches, Operations, Planning, Records};
use carrack_shared::record::{Cell, Origin, Position, Rows};
use carrack_shared::schema;
use carrack_shared::segment::{Batch, Claim, Extent, KeyRange, Segment};
use carrack_shared::spec::{Duplicates, ImportSpec, Spec};
use carrack_shared::task::Task;
use futures_util::TryStreamExt;
use tokio::task::JoinSet;
use uuid::Uuid;

const BATCH_ROWS: u32 = 5_000;
const IN_FLIGHT: usize = 2;
const LEASE: Duration = Duration::from_secs(600);

/// In which order the keys come.
#[derive(Debug, Clone, Copy)]
enum Keys {
    /// Each behind the last.
    Rising,
    /// As hashes or random UUIDs come.
    Random,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let rows: u32 = arguments.next().map_or(Ok(1_000_000), |text| text.parse()).context("ROWS")?;
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("sqlite_speed-{}", std::process::id()));
    let batches = rows.div_ceil(BATCH_ROWS);
    println!("{} rows in {batches} batches, {IN_FLIGHT} in flight\n", batches * BATCH_ROWS);
    println!("| keys | what | rows/s |\n|---|---|---|");
    for keys in [Keys::Rising, Keys::Random] {
        std::fs::create_dir_all(&folder)?;
        measure(keys, batches, &folder.join("speed.db")).await?;
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

async fn measure(keys: Keys, batches: u32, path: &Path) -> Result<()> {
    let store = SqliteStore::open(path)?;
    let runs = [
        ("new rows", Duplicates::Skip, 0),
        ("the same again, skipped", Duplicates::Skip, 0),
        ("the same again, unchanged", Duplicates::Overwrite, 0),
        ("other values, overwritten", Duplicates::Overwrite, 1),
    ];
    let total = f64::from(batches * BATCH_ROWS);
    for (what, mode, revision) in runs {
        let (operation, claims) = plan(&store, mode, batches).await?;
        let seconds = import(&store, &operation, claims, keys, revision).await?.as_secs_f64();
        println!("| {keys:?} | {what} | {:.0} |", total / seconds);
    }
    let started = Instant::now();
    let mut snapshot = store.snapshot().await?;
    let contexts = schema::built_in("contexts").context("a built-in type")?;
    let (mut ranges, mut behind) = (0, None::<KeyRange>);
    while let Some(range) = snapshot.next_range(&contexts, behind.as_ref(), 10_000).await? {
        (ranges, behind) = (ranges + 1, Some(range));
    }
    println!("| {keys:?} | cut for an export | {:.0} |", total / started.elapsed().as_secs_f64());
    let started = Instant::now();
    let all = KeyRange { table: 0, from: String::new(), to: "z".into(), first: 1, rows: 0 };
    let pieces: u64 = store
        .scan(&contexts, &all, &[], snapshot.id())
        .await?
        .try_fold(0, |sum, rows| async move { Ok(sum + rows.len() as u64) })
        .await?;
    println!("| {keys:?} | scanned, {ranges} ranges | {:.0} |", total / started.elapsed().as_secs_f64());
    if pieces != u64::from(batches * BATCH_ROWS) {
        bail!("found {pieces} rows, expected {total}");
    }
    Ok(())
}

/// Creates an import and claims all its batches.
async fn plan(store: &Arc<SqliteStore>, mode: Duplicates, batches: u32) -> Result<(Operation, Vec<Claim>)> {
    let spec =
        ImportSpec { batch_size: BATCH_ROWS, duplicates: mode, ..ImportSpec::new("contexts", Format::Json) };
    let id = OperationId::from_uuid(Uuid::now_v7());
    let new = NewOperation { id, owner: "speed".into(), spec: Spec::import(spec), idempotency: None };
    let Created::New(operation) = store.create(&new).await? else { bail!("the operation is there already") };
    let planner = store.claim_plan(Uuid::now_v7(), LEASE).await?.context("nothing to plan")?;
    let task = Task { operation: id, generation: 1, first: 0, count: batches, sequence: 1 };
    let step = PlanStep {
        batches: (0..batches).map(batch).collect(),
        tasks: vec![task.clone()],
        cursor: Cursor { next_batch: batches, ..Cursor::default() },
        ..PlanStep::default()
    };
    store.append_plan(&planner, &step).await?;
    // Ended at once: the next run's planner must not find this one.
    let end = carrack_shared::port::planning::PlanEnd {
        last: PlanStep { cursor: step.cursor, ..PlanStep::default() },
        failure: None,
    };
    store.end_plan(&planner, &end).await?;
    let run = store.claim(&task, false, Uuid::now_v7(), LEASE).await?.context("nothing to claim")?;
    Ok((operation, run.claims))
}

fn batch(number: u32) -> Batch {
    let first = u64::from(number) * u64::from(BATCH_ROWS);
    let segment = Segment {
        source: 0,
        bytes: first..first + 1,
        first_record: first + 1,
        first_line: first + 1,
        records: BATCH_ROWS,
        hash: None,
        fault: None,
        packing: None,
    };
    Batch { number, extent: Extent::Segment(segment) }
}

/// Commits every batch; the time that this took, without the time in which rows were made.
async fn import(
    store: &Arc<SqliteStore>,
    operation: &Operation,
    claims: Vec<Claim>,
    keys: Keys,
    revision: u32,
) -> Result<Duration> {
    let mut waited = Duration::ZERO;
    for claims in claims.chunks(20) {
        let rows: Vec<_> =
            claims.iter().map(|claim| Arc::new(make(keys, claim.batch.number, revision))).collect();
        let mut running = JoinSet::new();
        let started = Instant::now();
        for (claim, rows) in claims.iter().cloned().zip(rows) {
            if running.len() == IN_FLIGHT {
                running.join_next().await.context("a commit")???;
            }
            let (store, operation) = (Arc::clone(store), operation.clone());
            running.spawn(async move {
                let none = HashMap::new();
                let effect =
                    ImportEffect { rows: &rows, rejects: &[], stored_frames: &none, filtered: 0, bytes: 1 };
                match store.commit_import(&operation, &claim, effect).await? {
                    Commit::Done(_) => Ok(()),
                    other => bail!("expected a commit, found {other:?}"),
                }
            });
        }
        while let Some(done) = running.join_next().await {
            done??;
        }
        waited += started.elapsed();
    }
    Ok(waited)
}

/// The rows of a batch: values cut out of the segment's bytes, as CSV and JSON decoding leave them.
fn make(keys: Keys, batch: u32, revision: u32) -> Rows {
    let content = "the quick brown fox jumps over the lazy dog and comes back ".repeat(4);
    let mut rows = Rows::new(schema::built_ins()[0].clone(), Bytes::new(), 0, 1);
    rows.reserve(BATCH_ROWS as usize);
    for record in 1..=BATCH_ROWS {
        let number = u64::from(batch) * u64::from(BATCH_ROWS) + u64::from(record);
        let key = match keys {
            Keys::Rising => number,
            // Odd, so that no two numbers meet: the golden ratio of 2^64.
            Keys::Random => number.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        };
        let mut text = |value: &str| rows.span_of_copy(value.as_bytes());
        let cells = [
            Cell::Text(text(&format!("context-{key:020}"))),
            Cell::Text(text("Five Words Make One Title")),
            Cell::Text(text(&format!("{content}{revision}"))),
            Cell::Text(text("research")),
            Cell::Json(text(r#"["alpha","beta","gamma"]"#)),
            Cell::Text(text(&format!("session-{}", number % 5_000))),
            Cell::Instant(1_704_067_200_000_000 + i64::from(record)),
            Cell::Missing,
            Cell::Json(text(r#"{"score":0.4711,"source":"api","importance":"high"}"#)),
            Cell::Missing,
        ];
        let position = Position::new(0, number);
        rows.push(Origin { position, frame: 0..0 }, &cells);
    }
    rows
}
