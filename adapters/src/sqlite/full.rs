//! A full disk: said as such, with nothing half-done, and gone on from when there is room again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use carrack_shared::error::ErrorKind;
use carrack_shared::format::Format;
use carrack_shared::operation::{OperationId, Totals};
use carrack_shared::port::batches::{Commit, ImportEffect};
use carrack_shared::port::operations::{Created, NewOperation};
use carrack_shared::port::planning::{Cursor, PlanStep};
use carrack_shared::port::{Batches, Operations, Planning};
use carrack_shared::record::{Cell, Origin, Position, Rows};
use carrack_shared::schema;
use carrack_shared::segment::{Batch, Extent, Segment};
use carrack_shared::spec::{Duplicates, ImportSpec, Spec};
use carrack_shared::task::Task;
use uuid::Uuid;

use super::SqliteStore;
use super::stored::scalar;

const LEASE: Duration = Duration::from_secs(600);
const ROWS: u64 = 200;

/// As many pages as the file has now, and `more`.
async fn limit(store: &SqliteStore, more: i64) {
    let set = move |connection: &mut rusqlite::Connection| {
        let pages: i64 = scalar(connection, "PRAGMA page_count", [])?;
        connection.pragma_update_and_check(None, "max_page_count", pages + more, |_| Ok(()))?;
        Ok(())
    };
    store.writer.run(set).await.unwrap();
}

fn rows() -> Arc<Rows> {
    let mut rows = Rows::new(schema::built_in("sessions").unwrap(), Bytes::new(), 0, 1);
    for record in 1..=ROWS {
        let mut cells = vec![Cell::Missing; rows.width()];
        cells[0] = Cell::Text(rows.span_of_copy(format!("key {record}").as_bytes()));
        cells[1] = Cell::Text(rows.span_of_copy("a title ".repeat(100).as_bytes()));
        rows.push(Origin { position: Position::new(0, record), frame: 0..0 }, &cells);
    }
    Arc::new(rows)
}

fn spec() -> Spec {
    Spec::import(ImportSpec {
        batch_size: 100,
        duplicates: Duplicates::Skip,
        ..ImportSpec::new("sessions", Format::Json)
    })
}

fn plan(operation: OperationId) -> PlanStep {
    let segment = Segment {
        source: 0,
        bytes: 0..1,
        first_record: 1,
        first_line: 1,
        records: 200,
        hash: None,
        fault: None,
        packing: None,
    };
    PlanStep {
        batches: vec![Batch { number: 0, extent: Extent::Segment(segment) }],
        tasks: vec![Task { operation, generation: 1, first: 0, count: 1, sequence: 1 }],
        cursor: Cursor { next_batch: 1, ..Cursor::default() },
        ..PlanStep::default()
    }
}

#[tokio::test]
async fn a_full_disk_leaves_nothing_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("carrack.db");
    let store = SqliteStore::open(&path).unwrap();
    let id = OperationId::from_uuid(Uuid::now_v7());
    let new = NewOperation { id, owner: "test".into(), spec: spec(), idempotency: None };
    let Created::New(operation) = store.create(&new).await.unwrap() else { panic!("expected a new one") };
    let planner = store.claim_plan(Uuid::now_v7(), LEASE).await.unwrap().unwrap();
    assert!(store.append_plan(&planner, &plan(id)).await.unwrap());
    let run = store.claim(&plan(id).tasks[0], false, Uuid::now_v7(), LEASE).await.unwrap().unwrap();
    let (rows, none) = (rows(), HashMap::new());
    let commit = async || {
        let effect = ImportEffect { rows: &rows, rejects: &[], stored_frames: &none, filtered: 0, bytes: 1 };
        store.commit_import(&operation, &run.claims[0], effect).await
    };
    // Wherever in the transaction it happens: 200 rows of 800 bytes take more than 10 pages of 16 KiB.
    for more in 0..10 {
        limit(&store, more).await;
        let error = commit().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Full, "{error:?}");
        assert!(!error.try_again());
        assert_eq!(error.chain(), format!("sqlite: {}: database or disk is full (code 13)", path.display()));
        let count = "SELECT count(*) FROM carrack_data_sessions";
        assert_eq!(store.reader.run(move |c| scalar::<i64>(c, count, [])).await.unwrap(), 0);
        assert_eq!(store.totals(id).await.unwrap(), Totals::default());
    }
    limit(&store, 1_000).await;
    let Commit::Done(tally) = commit().await.unwrap() else { panic!("there is room again") };
    assert_eq!(tally.created, ROWS);
}
