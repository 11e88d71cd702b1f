//! Snapshots while the writer goes on, and streams that share one.
#![allow(clippy::unwrap_used, reason = "everything here is a test: a broken expectation is a panic")]

mod support;

use std::sync::Arc;

use carrack_adapters::sqlite::SqliteStore;
use carrack_shared::port::Records;
use carrack_shared::record::{Rows, Value};
use carrack_shared::segment::KeyRange;
use carrack_shared::spec::Duplicates;
use futures_util::{StreamExt, TryStreamExt};
use support::{Import, contexts};

fn all() -> KeyRange {
    KeyRange { table: 0, from: String::new(), to: "\u{10ffff}".into(), first: 1, rows: 0 }
}

fn titles(pieces: &[Rows]) -> Vec<String> {
    let title = |rows: &Rows, row| match rows.value(row, 1) {
        Value::Text(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("expected a text, found {other:?}"),
    };
    pieces.iter().flat_map(|rows| (0..rows.len()).map(move |row| title(rows, row))).collect()
}

async fn open() -> (tempfile::TempDir, Arc<SqliteStore>) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("carrack.db")).unwrap();
    (folder, store)
}

/// Keys `k0000`… with this title.
async fn load(import: &Import, batch: u32, count: usize, title: &str) {
    let keys: Vec<String> = (0..count).map(|number| format!("k{number:04}")).collect();
    let records: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), title)).collect();
    import.load(batch, &records).await;
}

#[tokio::test]
async fn a_stream_sees_its_snapshot_while_the_writer_commits() {
    let (_folder, store) = open().await;
    load(&Import::plan(&store, Duplicates::Skip, 1).await, 0, 3_000, "old").await;
    let snapshot = store.snapshot().await.unwrap();
    let mut stream = store.scan(&contexts(), &all(), &[], snapshot.id()).await.unwrap();
    let mut pieces = vec![stream.try_next().await.unwrap().unwrap()];
    let overwriting = Import::plan(&store, Duplicates::Overwrite, 1).await;
    load(&overwriting, 0, 3_000, "new").await;
    while let Some(piece) = stream.try_next().await.unwrap() {
        pieces.push(piece);
    }
    assert!(pieces.len() >= 3);
    assert_eq!(titles(&pieces), vec!["old"; 3_000]);

    let later = store.snapshot().await.unwrap();
    let stream = store.scan(&contexts(), &all(), &[], later.id()).await.unwrap();
    let pieces: Vec<Rows> = stream.try_collect().await.unwrap();
    assert_eq!(titles(&pieces), vec!["new"; 3_000]);
}

#[tokio::test]
async fn streams_of_one_snapshot_take_turns() {
    let (_folder, store) = open().await;
    load(&Import::plan(&store, Duplicates::Skip, 1).await, 0, 2_500, "same").await;
    let mut snapshot = store.snapshot().await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(store.scan(&contexts(), &all(), &[], snapshot.id()).await.unwrap());
    }
    // Every stream stands still while the others go on; nobody waits for one that is not read.
    let mut counts = [0; 3];
    for _ in 0..4 {
        for (stream, count) in streams.iter_mut().zip(&mut counts) {
            *count += stream.next().await.map_or(0, |piece| piece.unwrap().len());
            snapshot.alive().await.unwrap();
        }
    }
    assert_eq!(counts, [2_500; 3]);
}

#[tokio::test]
async fn long_rows_come_in_pieces_of_bounded_size() {
    let (_folder, store) = open().await;
    let long = "x".repeat(300 * 1024);
    load(&Import::plan(&store, Duplicates::Skip, 1).await, 0, 20, &long).await;
    let snapshot = store.snapshot().await.unwrap();
    let stream = store.scan(&contexts(), &all(), &[], snapshot.id()).await.unwrap();
    let pieces: Vec<Rows> = stream.try_collect().await.unwrap();
    assert_eq!(pieces.iter().map(Rows::len).sum::<usize>(), 20);
    assert!(pieces.iter().all(|rows| rows.len() <= 2), "each row is 600 KiB, a piece ends behind 1 MiB");
}
