//! A database of its own for each test, and imports made by hand.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test prepares and breaks its database with statements of its own, and panics where that fails"
)]
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use carrack_adapters::postgres::{PostgresStore, Settings};
use carrack_shared::format::{Format, SourceFacts, csv};
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::batches::{Commit, ImportEffect};
use carrack_shared::port::operations::{Created, NewOperation};
use carrack_shared::port::planning::{Cursor, PlanEnd, PlanStep};
use carrack_shared::port::{Batches, Operations, Planning};
use carrack_shared::record::{Cell, Origin, Position, Rows};
use carrack_shared::schema::{self, DataType};
use carrack_shared::segment::{Batch, Claim, Extent, Facts, Segment};
use carrack_shared::spec::{Duplicates, ImportSpec, OwnTypes, Spec};
use carrack_shared::task::Task;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// Longer than any test.
pub const LEASE: Duration = Duration::from_secs(600);

/// Another database of the private server that `./dev up` starts and writes down.
fn url_of(database: &str) -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/services/env");
    let text = std::fs::read_to_string(file).expect("running services: ./dev up");
    let base = text.lines().find_map(|line| line.strip_prefix("CARRACK_DATABASE_URL=")).expect("its url");
    let mut url = url::Url::parse(base).expect("a url");
    url.set_path(database);
    url.into()
}

/// A plain connection.
pub async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the server of `./dev up`");
    tokio::spawn(connection);
    client
}

/// A database that is dropped by [`Database::close`].
pub struct Database {
    pub name: String,
    pub url: String,
}

impl Database {
    /// A connection to another database of the server.
    pub async fn admin() -> Client {
        client(&url_of("postgres")).await
    }

    pub async fn create() -> Self {
        let name = format!("carrack_test_{}", Uuid::now_v7().simple());
        let admin = Self::admin().await;
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a new database");
        Self { url: url_of(&name), name }
    }

    pub async fn store(&self) -> Arc<PostgresStore> {
        PostgresStore::connect(self.settings()).await.expect("a store")
    }

    pub fn settings(&self) -> Settings {
        Settings { url: self.url.clone(), pool_size: 4 }
    }

    pub async fn client(&self) -> Client {
        client(&self.url).await
    }

    /// The one integer that a query yields.
    pub async fn integer(&self, sql: &str) -> i64 {
        self.client().await.query_one(sql, &[]).await.expect("one row").get(0)
    }

    pub async fn close(self) {
        let admin = Self::admin().await;
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        admin.batch_execute(&drop).await.expect("the database is dropped");
    }
}

/// An import of one source, planned whole.
pub struct Import {
    pub store: Arc<PostgresStore>,
    pub operation: Operation,
    pub batches: Vec<Arc<Rows>>,
}

impl Import {
    /// An import of these batches of rows.
    pub async fn plan(store: &Arc<PostgresStore>, duplicates: Duplicates, batches: Vec<Arc<Rows>>) -> Self {
        let data_type = batches.first().map(|rows| rows.data_type().as_ref());
        let operation = create_of(store, duplicates, data_type).await;
        let claim = store.claim_plan(Uuid::now_v7(), LEASE).await.expect("an answer").expect("a plan");
        let mut step = PlanStep { facts: vec![(0, Facts::File(facts()))], ..PlanStep::default() };
        for (number, rows) in (0_u32..).zip(&batches) {
            let records = u32::try_from(rows.len()).expect("few rows");
            step.batches.push(Batch { number, extent: Extent::Segment(segment(&step.cursor, rows)) });
            step.tasks.push(task(&operation, number));
            step.cursor.records += u64::from(records);
            step.cursor.total_records += u64::from(records);
            step.cursor.byte += rows.source().len() as u64;
            step.cursor.next_batch = number + 1;
        }
        assert!(store.append_plan(&claim, &step).await.expect("an answer"));
        let end = PlanEnd { last: PlanStep { cursor: step.cursor, ..PlanStep::default() }, failure: None };
        assert!(store.end_plan(&claim, &end).await.expect("an answer"));
        Self { store: Arc::clone(store), operation, batches }
    }

    pub async fn claim(&self, batch: u32) -> Claim {
        let task = task(&self.operation, batch);
        let run = self.store.claim(&task, false, Uuid::now_v7(), LEASE).await.expect("an answer");
        run.expect("a free batch").claims.remove(0)
    }

    pub async fn commit(&self, claim: &Claim) -> Commit {
        let rows = &self.batches[claim.batch.number as usize];
        let bytes = rows.source().len() as u64;
        let effect = ImportEffect { rows, rejects: &[], stored_frames: &HashMap::new(), filtered: 0, bytes };
        self.store.commit_import(&self.operation, claim, effect).await.expect("a commit")
    }

    /// Claims and commits a batch.
    pub async fn load(&self, batch: u32) -> Commit {
        let claim = self.claim(batch).await;
        self.commit(&claim).await
    }
}

pub async fn create(store: &Arc<PostgresStore>, duplicates: Duplicates) -> Operation {
    create_of(store, duplicates, None).await
}

/// An import of sessions, or of another type.
async fn create_of(
    store: &Arc<PostgresStore>,
    duplicates: Duplicates,
    data_type: Option<&DataType>,
) -> Operation {
    let name = data_type.map_or("sessions", |data_type| data_type.name.as_str());
    let own = data_type.filter(|_| schema::built_in(name).is_none()).cloned();
    let spec = Spec::import(ImportSpec {
        types: OwnTypes(own.into_iter().collect()),
        batch_size: 1_000,
        duplicates,
        ..ImportSpec::new(name, Format::Csv)
    });
    let id = OperationId::from_uuid(Uuid::now_v7());
    match store.create(&NewOperation { id, owner: "ada".into(), spec, idempotency: None }).await {
        Ok(Created::New(operation)) => operation,
        other => panic!("expected a new operation, found {other:?}"),
    }
}

fn facts() -> SourceFacts {
    SourceFacts::Csv(csv::Facts {
        columns: vec!["id".into(), "title".into()],
        dialect: csv::Dialect::default(),
    })
}

fn task(operation: &Operation, first: u32) -> Task {
    Task { operation: operation.id, generation: operation.generation, first, count: 1, sequence: 1 }
}

fn segment(cursor: &Cursor, rows: &Rows) -> Segment {
    Segment {
        source: 0,
        bytes: cursor.byte..cursor.byte + rows.source().len() as u64,
        first_record: cursor.records + 1,
        first_line: cursor.records + 1,
        records: u32::try_from(rows.len()).expect("few rows"),
        hash: None,
        fault: None,
        packing: None,
    }
}

/// Sessions from `id=title` words, the first at record `first`.
pub fn sessions(first: u64, words: &str) -> Arc<Rows> {
    let data_type = schema::built_in("sessions").expect("a built-in type");
    let mut rows = Rows::new(data_type, Bytes::copy_from_slice(words.as_bytes()), 0, 1);
    let mut at = 0_u32;
    for (record, word) in (first..).zip(words.split(' ')) {
        let (id, title) = word.split_once('=').expect("id=title");
        let end = at + u32::try_from(word.len()).expect("a short word");
        let cut = at + u32::try_from(id.len()).expect("a short id");
        let mut cells = vec![Cell::Missing; rows.width()];
        cells[0] = Cell::Text(Rows::span_of_source(at..cut));
        cells[1] = Cell::Text(Rows::span_of_source(cut + 1..end));
        assert_eq!(usize::try_from(end - cut - 1), Ok(title.len()));
        rows.push(Origin { position: Position::new(0, record), frame: at..end }, &cells);
        at = end + 1;
    }
    Arc::new(rows)
}
