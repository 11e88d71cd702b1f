//! Imports for the tests of one database: planned, claimed and committed through the ports.
#![allow(
    clippy::disallowed_methods,
    reason = "a test prepares and breaks its database with statements of its own"
)]
#![allow(clippy::unwrap_used, reason = "everything here is a test: a broken expectation is a panic")]
#![allow(dead_code, reason = "every test file is a crate of its own and uses a part of this one")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use carrack_adapters::sqlite::SqliteStore;
use carrack_shared::error::PortResult;
use carrack_shared::format::Format;
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::batches::{Commit, ImportEffect};
use carrack_shared::port::operations::{Created, NewOperation};
use carrack_shared::port::planning::{Cursor, PlanEnd, PlanStep};
use carrack_shared::port::{Batches, Operations, Planning};
use carrack_shared::record::{Cell, Origin, Position, Rows};
use carrack_shared::schema::{self, DataType};
use carrack_shared::segment::{Batch, Claim, Extent, Segment};
use carrack_shared::spec::{Duplicates, ImportSpec, Spec};
use carrack_shared::tally::Tally;
use carrack_shared::task::Task;
use uuid::Uuid;

/// Longer than any test takes.
pub const LEASE: Duration = Duration::from_secs(600);

/// The type of all records here.
pub fn contexts() -> Arc<DataType> {
    schema::built_in("contexts").unwrap()
}

/// A planned import whose batches are known by their rows alone.
pub struct Import {
    /// Where it is stored.
    pub store: Arc<SqliteStore>,
    /// The operation.
    pub operation: Operation,
}

impl Import {
    /// Creates an import and plans `batches` batches of one task.
    pub async fn plan(store: &Arc<SqliteStore>, mode: Duplicates, batches: u32) -> Self {
        let id = OperationId::from_uuid(Uuid::now_v7());
        let spec = Spec::import(ImportSpec {
            batch_size: 100,
            duplicates: mode,
            ..ImportSpec::new("contexts", Format::Json)
        });
        let new = NewOperation { id, owner: "test".into(), spec, idempotency: None };
        let Created::New(operation) = store.create(&new).await.unwrap() else { panic!("expected a new one") };
        let claim = store.claim_plan(Uuid::now_v7(), LEASE).await.unwrap().unwrap();
        let cursor =
            Cursor { next_batch: batches, total_records: u64::from(batches) * 1_000, ..Cursor::default() };
        let task = Task { operation: id, generation: 1, first: 0, count: batches, sequence: 1 };
        let batches = (0..batches).map(batch).collect();
        let step = PlanStep { facts: Vec::new(), batches, tasks: vec![task], cursor: cursor.clone() };
        assert!(store.append_plan(&claim, &step).await.unwrap());
        assert!(
            store
                .end_plan(
                    &claim,
                    &PlanEnd { last: PlanStep { cursor, ..PlanStep::default() }, failure: None }
                )
                .await
                .unwrap()
        );
        Self { store: Arc::clone(store), operation }
    }

    /// The right to commit a batch.
    pub async fn claim(&self, number: u32) -> Claim {
        let task = Task { operation: self.operation.id, generation: 1, first: number, count: 1, sequence: 1 };
        let run = self.store.claim(&task, false, Uuid::now_v7(), LEASE).await.unwrap();
        run.unwrap().claims.remove(0)
    }

    /// Commits `records` under a claim.
    pub async fn commit(&self, claim: &Claim, records: &[(&str, &str)]) -> PortResult<Commit> {
        let rows = Arc::new(rows(claim.batch.number, records));
        let none = HashMap::new();
        let effect = ImportEffect { rows: &rows, rejects: &[], stored_frames: &none, filtered: 0, bytes: 1 };
        self.store.commit_import(&self.operation, claim, effect).await
    }

    /// Claims a batch and commits `records`.
    pub async fn load(&self, number: u32, records: &[(&str, &str)]) -> Tally {
        match self.commit(&self.claim(number).await, records).await.unwrap() {
            Commit::Done(tally) => tally,
            other => panic!("expected the batch {number} to commit, found {other:?}"),
        }
    }
}

/// Batch `number` stands behind a thousand records for each batch before it.
fn batch(number: u32) -> Batch {
    let start = u64::from(number) * 1_000;
    let segment = Segment {
        source: 0,
        bytes: start..start + 1_000,
        first_record: start + 1,
        first_line: start + 1,
        records: 1_000,
        hash: None,
        fault: None,
        packing: None,
    };
    Batch { number, extent: Extent::Segment(segment) }
}

/// Rows of batch `number` with these ids and titles; the content is the title.
pub fn rows(number: u32, records: &[(&str, &str)]) -> Rows {
    let mut rows = Rows::new(contexts(), Bytes::new(), 0, 1);
    for (record, (id, title)) in (1..).zip(records) {
        let mut cells = vec![Cell::Missing; rows.width()];
        cells[0] = Cell::Text(rows.span_of_copy(id.as_bytes()));
        cells[1] = Cell::Text(rows.span_of_copy(title.as_bytes()));
        cells[2] = cells[1];
        let position = Position::new(0, u64::from(number) * 1_000 + record);
        rows.push(Origin { position, frame: 0..0 }, &cells);
    }
    rows
}
