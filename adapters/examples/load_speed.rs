//! How fast batches load into PostgreSQL, through everything that a commit does.
//!
//! ```text
//! cargo run --release -p carrack-adapters --example load_speed -- postgres://user:password@host/database
//! ```
//!
//! Loads generated contexts of about 430 bytes, in batches of 5,000, on one and on two connections, with
//! keys in the order of the input and with random ones; once with COPY, once the general way (a duplicate
//! in each batch forces it), once skipping and once overwriting rows that are there already. For
//! comparison the same rows go, as CSV text, into a table of the same definition: by one COPY as `psql
//! \copy` does it, by one COPY and commit per batch, and by a COPY to a temporary table and a merge from
//! there per batch. The database is best a new one: the table `contexts` is emptied before each line.

#![allow(clippy::disallowed_methods, reason = "it measures statements made from the names of built-in types")]
#![allow(clippy::print_stdout, reason = "it prints its table")]

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use carrack_adapters::postgres::{PostgresStore, Settings};
use carrack_shared::format::Format;
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::batches::{Commit, ImportEffect};
use carrack_shared::port::operations::{Created, NewOperation};
use carrack_shared::port::planning::{PlanEnd, PlanStep};
use carrack_shared::port::{Batches, Operations, Planning};
use carrack_shared::record::{Cell, Origin, Position, Rows};
use carrack_shared::schema;
use carrack_shared::segment::{Batch, Extent, Segment};
use carrack_shared::spec::{Duplicates, ImportSpec, Spec};
use carrack_shared::task::Task;
use futures_util::{SinkExt, TryStreamExt};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

const ROWS: u64 = 300_000;
const BATCH_ROWS: u64 = 5_000;
const LEASE: Duration = Duration::from_secs(3_600);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How the keys of the rows follow each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    Ascending,
    Random,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let url = std::env::args().nth(1).ok_or("expected the url of a database")?;
    let store = PostgresStore::connect(Settings { url: url.clone(), pool_size: 6 }).await?;
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    println!("{ROWS} rows, batches of {BATCH_ROWS}");
    for keys in [Keys::Ascending, Keys::Random] {
        let name = if keys == Keys::Ascending { "ascending keys" } else { "random keys" };
        let single = batches(keys, false)?;
        let doubled = batches(keys, true)?;
        for connections in [1, 2] {
            for (way, rows) in [("copy", &single), ("general", &doubled)] {
                empty(&client).await?;
                let took = load(&store, Duplicates::Skip, rows, connections).await?;
                report(&format!("{way}, {name}, {connections} connections"), took);
            }
        }
        for (way, mode) in
            [("skip all", Duplicates::Skip), ("overwrite all, unchanged", Duplicates::Overwrite)]
        {
            let took = load(&store, mode, &single, 1).await?;
            report(&format!("{way}, {name}, 1 connections"), took);
        }
        let text = dump(&client).await?;
        for (way, statements) in PLAIN {
            let took = plain(&client, &text, statements).await?;
            report(&format!("{way}, {name}, 1 connections"), took);
        }
    }
    Ok(())
}

fn report(what: &str, took: Duration) {
    let rate = ROWS as f64 / took.as_secs_f64();
    println!("{what:50} {:6.2} s {rate:9.0} rows/s", took.as_secs_f64());
}

/// Loads all batches on `connections` connections.
async fn load(
    store: &Arc<PostgresStore>,
    mode: Duplicates,
    batches: &[Arc<Rows>],
    connections: usize,
) -> Outcome<Duration> {
    let operation = plan(store, mode, batches).await?;
    let start = Instant::now();
    let mut workers = JoinSet::new();
    for worker in 0..connections {
        let (store, operation) = (Arc::clone(store), operation.clone());
        let mine: Vec<(u32, Arc<Rows>)> =
            (0..).zip(batches.iter().cloned()).skip(worker).step_by(connections).collect();
        workers.spawn(async move { work(&store, &operation, mine).await });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    let took = start.elapsed();
    store.cancel(operation.id).await?;
    Ok(took)
}

async fn work(store: &PostgresStore, operation: &Operation, batches: Vec<(u32, Arc<Rows>)>) -> Outcome<()> {
    for (number, rows) in batches {
        let task = task(operation, number);
        let run = store.claim(&task, false, Uuid::now_v7(), LEASE).await?.ok_or("the batch is not free")?;
        let bytes = rows.source().len() as u64;
        let effect =
            ImportEffect { rows: &rows, rejects: &[], stored_frames: &HashMap::new(), filtered: 0, bytes };
        match store.commit_import(operation, &run.claims[0], effect).await? {
            Commit::Done(_) => {}
            other => return Err(format!("batch {number}: {other:?}").into()),
        }
    }
    Ok(())
}

async fn plan(store: &PostgresStore, mode: Duplicates, batches: &[Arc<Rows>]) -> Outcome<Operation> {
    let spec = Spec::import(ImportSpec {
        batch_size: u32::try_from(BATCH_ROWS)?,
        duplicates: mode,
        ..ImportSpec::new("contexts", Format::Json)
    });
    let id = OperationId::from_uuid(Uuid::now_v7());
    let new = NewOperation { id, owner: "load_speed".into(), spec, idempotency: None };
    let Created::New(operation) = store.create(&new).await? else { return Err("an id twice".into()) };
    let claim = store.claim_plan(Uuid::now_v7(), LEASE).await?.ok_or("nothing to plan")?;
    let mut step = PlanStep::default();
    for (number, rows) in (0_u32..).zip(batches) {
        let records = u32::try_from(rows.len())?;
        let segment = Segment {
            source: 0,
            bytes: step.cursor.byte..step.cursor.byte + rows.source().len() as u64,
            first_record: step.cursor.records + 1,
            first_line: 1,
            records,
            hash: None,
            fault: None,
            packing: None,
        };
        step.cursor.byte = segment.bytes.end;
        step.cursor.records += u64::from(records);
        step.batches.push(Batch { number, extent: Extent::Segment(segment) });
        step.tasks.push(task(&operation, number));
    }
    step.cursor.next_batch = u32::try_from(batches.len())?;
    step.cursor.total_records = step.cursor.records;
    let planned = store.append_plan(&claim, &step).await?
        && store
            .end_plan(
                &claim,
                &PlanEnd { last: PlanStep { cursor: step.cursor, ..PlanStep::default() }, failure: None },
            )
            .await?;
    if planned { Ok(operation) } else { Err("the plan was taken away".into()) }
}

fn task(operation: &Operation, first: u32) -> Task {
    Task { operation: operation.id, generation: 1, first, count: 1, sequence: 1 }
}

/// All rows. With `doubled`, the last row of each batch has the key of the one before, which no COPY takes.
fn batches(keys: Keys, doubled: bool) -> Outcome<Vec<Arc<Rows>>> {
    let mut batches = Vec::new();
    for first in (1..=ROWS).step_by(usize::try_from(BATCH_ROWS)?) {
        let data_type = schema::built_in("contexts").ok_or("the type is built in")?;
        let mut rows = Rows::new(data_type, Bytes::new(), 0, 1);
        for record in first..first + BATCH_ROWS {
            let twin = doubled && record == first + BATCH_ROWS - 1;
            push(&mut rows, keys, if twin { record - 1 } else { record }, record);
        }
        batches.push(Arc::new(rows));
    }
    Ok(batches)
}

fn push(rows: &mut Rows, keys: Keys, number: u64, record: u64) {
    let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let id = match keys {
        Keys::Ascending => format!("ctx-{number:012}"),
        Keys::Random => format!("ctx-{scattered:016x}"),
    };
    let mut content = String::new();
    for word in 0..24 {
        let _ = write!(content, "word{:05} ", scattered.rotate_left(word * 7) % 100_000);
    }
    let texts = [id, format!("Context number {number}"), content, "note".to_owned()];
    let mut cells: Vec<Cell> =
        texts.iter().map(|text| Cell::Text(rows.span_of_copy(text.as_bytes()))).collect();
    cells.push(Cell::Json(rows.span_of_copy(br#"["alpha","beta"]"#)));
    cells.push(Cell::Text(rows.span_of_copy(format!("session-{}", number % 1_000).as_bytes())));
    let micros = 1_700_000_000_000_000 + i64::try_from(number).unwrap_or_default() * 1_000_000;
    cells.extend([Cell::Instant(micros), Cell::Instant(micros + 1)]);
    let metadata = format!(r#"{{"source":"generated","importance":{}}}"#, number % 10);
    cells.push(Cell::Json(rows.span_of_copy(metadata.as_bytes())));
    cells.push(Cell::Missing);
    rows.push(Origin { position: Position::new(0, record), frame: 0..0 }, &cells);
}

async fn empty(client: &Client) -> Outcome<()> {
    let there = client.query_one("SELECT to_regclass('carrack_data.contexts') IS NOT NULL", &[]).await?;
    if there.get(0) {
        client.batch_execute("TRUNCATE carrack_data.contexts; CHECKPOINT").await?;
    }
    Ok(())
}

/// What is loaded for comparison: statements before each batch, the COPY, statements behind it; the whole
/// text is one batch where there is nothing behind.
struct Plain {
    before: &'static str,
    copy: &'static str,
    behind: &'static str,
}

const PLAIN: [(&str, Plain); 3] = [
    ("plain copy, one for all", Plain { before: "", copy: "COPY plain FROM STDIN (FORMAT csv)", behind: "" }),
    (
        "plain copy per batch",
        Plain { before: "BEGIN", copy: "COPY plain FROM STDIN (FORMAT csv)", behind: "COMMIT" },
    ),
    (
        "temporary table and merge per batch",
        Plain {
            before: "BEGIN; CREATE TEMPORARY TABLE IF NOT EXISTS stage (LIKE plain) ON COMMIT DELETE ROWS",
            copy: "COPY stage FROM STDIN (FORMAT csv)",
            behind: "INSERT INTO plain SELECT * FROM stage ORDER BY id ON CONFLICT (id) DO NOTHING; COMMIT",
        },
    ),
];

/// The rows of the table as text, a line each.
async fn dump(client: &Client) -> Outcome<Vec<u8>> {
    let out = client
        .copy_out("COPY (SELECT * FROM carrack_data.contexts ORDER BY _position) TO STDOUT (FORMAT csv)");
    let pieces: Vec<Bytes> = out.await?.try_collect().await?;
    Ok(pieces.concat())
}

async fn plain(client: &Client, text: &[u8], way: Plain) -> Outcome<Duration> {
    let make = "DROP TABLE IF EXISTS plain; CREATE TABLE plain (LIKE carrack_data.contexts INCLUDING ALL); CHECKPOINT";
    client.batch_execute(make).await?;
    let start = Instant::now();
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let size = if way.behind.is_empty() { lines.len() } else { usize::try_from(BATCH_ROWS)? };
    for batch in lines.chunks(size) {
        client.batch_execute(way.before).await?;
        let mut sink = std::pin::pin!(client.copy_in::<_, Bytes>(way.copy).await?);
        for piece in batch.chunks(256) {
            sink.feed(Bytes::from(piece.concat())).await?;
        }
        sink.finish().await?;
        client.batch_execute(way.behind).await?;
    }
    let took = start.elapsed();
    client.batch_execute("DROP TABLE plain").await?;
    Ok(took)
}
