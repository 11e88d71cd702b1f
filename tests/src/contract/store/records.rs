//! Reading: a snapshot that many read under, ranges that cover a table, streams that can be dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use carrack_shared::error::{ErrorKind, PortError};
use carrack_shared::port::Store;
use carrack_shared::segment::KeyRange;
use carrack_shared::spec::Duplicates;
use futures_util::StreamExt;

use super::Fresh;
use super::fixture::{Given, Record, contexts, cut, json, many, records, values};
use super::import::{LEASE, Planned, create, done, import_spec};
use super::loading::{ranges, scan, table};

/// From the smallest key to one behind all others.
fn everything() -> KeyRange {
    KeyRange { table: 0, from: String::new(), to: "\u{10ffff}".repeat(8), first: 1, rows: 0 }
}

async fn load(store: &Arc<dyn Store>, mode: Duplicates, records: &[Record]) {
    Planned::import(store, mode, cut(records, &[])).await.load_all().await;
}

/// The `id=title` of a range.
async fn read(store: &Arc<dyn Store>, range: &KeyRange, snapshot: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rows in scan(store, range, snapshot).await {
        for row in 0..rows.len() {
            let values = values(&rows, row);
            let [Given::Text(id), Given::Text(title), ..] = &values[..] else { panic!("found {values:?}") };
            found.push(format!("{id}={title}"));
        }
    }
    found
}

pub(super) async fn ranges_cover_every_key_once_in_byte_order(fresh: Fresh) {
    let store = fresh.store();
    let mut keys: Vec<String> = [
        "a", "A", "B", "b", "Z", "_", " ", "  ", "a b", "a-b", "ab", "10", "9", "~", "é", "e\u{301}", "ß",
        "ä", "Ä",
    ]
    .into_iter()
    .chain(["ａ", "日本", "😀", "\u{ffff}", "\u{10000}", "\u{10ffff}", "'", "\"", "%", "\\", "\t", "a\tb"])
    .map(str::to_owned)
    .chain([format!("{}x", "k".repeat(1_022)), "k".repeat(1_023), "k".repeat(1_024)])
    .collect();
    let records: Vec<Record> = keys.iter().map(|key| Record::new(key, "x")).collect();
    load(&store, Duplicates::Reject, &records).await;
    keys.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
    let mut snapshot = store.snapshot().await.unwrap();
    for size in [1, 2, 7, 33, 34, 35] {
        let ranges = ranges(&mut *snapshot, size).await;
        let mut found = Vec::new();
        for range in &ranges {
            let rows: Vec<String> = read(&store, range, snapshot.id()).await;
            let rows: Vec<String> =
                rows.iter().filter_map(|row| Some(row.strip_suffix("=x")?.to_owned())).collect();
            assert_eq!(rows.len(), range.rows as usize, "ranges of {size}: {range:?}");
            assert!(range.rows >= 1 && range.rows <= size, "ranges of {size}: {range:?}");
            assert_eq!(range.first, 1 + found.len() as u64, "ranges of {size}: {range:?}");
            assert_eq!((rows.first(), rows.last()), (Some(&range.from), Some(&range.to)));
            found.extend(rows);
        }
        assert_eq!(found, keys, "ranges of {size}");
        assert_eq!(ranges.len(), keys.len().div_ceil(size as usize), "ranges of {size}");
    }
    let between = KeyRange { table: 0, from: "B ".into(), to: "a c".into(), first: 1, rows: 0 };
    let found = read(&store, &between, snapshot.id()).await;
    assert_eq!(found, ["Z=x", "\\=x", "_=x", "a=x", "a\tb=x", "a b=x"], "ends that are no keys");
}

pub(super) async fn a_table_that_does_not_exist_has_no_ranges(fresh: Fresh) {
    let store = fresh.store();
    store.ready().await.unwrap();
    for exists in [false, true] {
        if exists {
            create(&store, import_spec(Duplicates::Skip)).await;
        }
        let mut snapshot = store.snapshot().await.unwrap();
        assert_eq!(snapshot.next_range(&contexts(), None, 10).await.unwrap(), None);
        assert!(!snapshot.has_extra(&contexts()).await.unwrap());
        snapshot.alive().await.unwrap();
    }
}

pub(super) async fn extra_fields_are_announced(fresh: Fresh) {
    let store = fresh.store();
    load(&store, Duplicates::Skip, &many("k", 100)).await;
    assert!(!store.snapshot().await.unwrap().has_extra(&contexts()).await.unwrap());
    load(&store, Duplicates::Skip, &[Record::new("l", "x").with("extra", json(r#"{"n":1}"#))]).await;
    assert!(store.snapshot().await.unwrap().has_extra(&contexts()).await.unwrap());
}

pub(super) async fn a_snapshot_sees_the_rows_as_of_its_opening(fresh: Fresh) {
    let store = fresh.store();
    load(&store, Duplicates::Skip, &records("a=1 b=1 c=1")).await;
    let mut before = store.snapshot().await.unwrap();
    load(&store, Duplicates::Overwrite, &records("b=2 d=2 0=2")).await;
    let mut after = store.snapshot().await.unwrap();
    assert_ne!(before.id(), after.id());
    load(&store, Duplicates::Overwrite, &records("a=3")).await;
    for _ in 0..2 {
        assert_eq!(read(&store, &everything(), before.id()).await, ["a=1", "b=1", "c=1"]);
        assert_eq!(read(&store, &everything(), after.id()).await, ["0=2", "a=1", "b=2", "c=1", "d=2"]);
    }
    let rows = |ranges: &[KeyRange]| ranges.iter().map(|range| range.rows).collect::<Vec<_>>();
    assert_eq!(rows(&ranges(&mut *before, 2).await), [2, 1]);
    assert_eq!(rows(&ranges(&mut *after, 2).await), [2, 2, 1]);
    before.alive().await.unwrap();
    assert_eq!(table(&store).await["a"][1], super::fixture::text("3"));
}

/// Scans and answers the error, whether it comes at once or with the first piece.
async fn failing_scan(store: &Arc<dyn Store>, snapshot: &str) -> Option<PortError> {
    match store.scan(&contexts(), &everything(), &[], snapshot).await {
        Ok(mut stream) => stream.next().await?.err(),
        Err(error) => Some(error),
    }
}

pub(super) async fn a_snapshot_that_is_gone_is_told_so(fresh: Fresh) {
    let store = fresh.store();
    load(&store, Duplicates::Skip, &records("a=1")).await;
    for unknown in ["00000003-0000001B-1", "'; SELECT 1", "no such snapshot"] {
        let error = failing_scan(&store, unknown).await.expect("an error");
        assert_eq!(error.kind, ErrorKind::SnapshotGone, "{unknown:?}: {error:?}");
    }
    let snapshot = store.snapshot().await.unwrap();
    let id = snapshot.id().to_owned();
    assert_eq!(read(&store, &everything(), &id).await, ["a=1"]);
    drop(snapshot);
    // The database learns a moment later that the holder let go.
    let dropped = Instant::now();
    let error = loop {
        if let Some(error) = failing_scan(&store, &id).await {
            break error;
        }
        assert!(dropped.elapsed() < Duration::from_secs(10), "the snapshot outlives its holder");
    };
    assert_eq!(error.kind, ErrorKind::SnapshotGone, "{error:?}");
    assert_eq!(table(&store).await.len(), 1);
}

pub(super) async fn other_processes_read_in_the_same_snapshot(fresh: Fresh) {
    let (store, other) = (fresh.store(), fresh.reopened().await);
    load(&store, Duplicates::Skip, &records("a=1 b=1")).await;
    let snapshot = store.snapshot().await.unwrap();
    load(&store, Duplicates::Overwrite, &records("a=2 c=2")).await;
    if fresh.shares_snapshots() {
        assert_eq!(read(&other, &everything(), snapshot.id()).await, ["a=1", "b=1"]);
    } else {
        // Where there is one process, another one must not read something else instead.
        let error = failing_scan(&other, snapshot.id()).await.expect("an error");
        assert_eq!(error.kind, ErrorKind::SnapshotGone, "{error:?}");
    }
}

pub(super) async fn rows_come_in_order_and_in_small_pieces(fresh: Fresh) {
    let store = fresh.store();
    let mut records = many("k", 2_500);
    records.reverse();
    load(&store, Duplicates::Skip, &records).await;
    let snapshot = store.snapshot().await.unwrap();
    let pieces = scan(&store, &everything(), snapshot.id()).await;
    assert!(pieces.iter().all(|rows| rows.len() <= 1_000), "a piece of more than a thousand rows");
    let found: Vec<Vec<Given>> =
        pieces.iter().flat_map(|rows| (0..rows.len()).map(|row| values(rows, row))).collect();
    let expected: Vec<_> = records.iter().rev().map(Record::values).collect();
    assert!(found == expected, "{} rows, expected 2,500 in the order of their keys", found.len());
}

pub(super) async fn a_dropped_stream_leaves_the_store_usable(fresh: Fresh) {
    let store = fresh.store();
    load(&store, Duplicates::Skip, &many("k", 5_000)).await;
    let snapshot = store.snapshot().await.unwrap();
    // More often than there are connections.
    for _ in 0..40 {
        let mut stream = store.scan(&contexts(), &everything(), &[], snapshot.id()).await.unwrap();
        let first = stream.next().await.expect("a first piece").unwrap();
        assert!(!first.is_empty());
        drop(stream);
        drop(store.scan(&contexts(), &everything(), &[], snapshot.id()).await.unwrap());
    }
    assert_eq!(read(&store, &everything(), snapshot.id()).await.len(), 5_000);
    let import = Planned::import(&store, Duplicates::Skip, cut(&records("z=1"), &[])).await;
    done(import.commit(&import.claim(0, LEASE).await).await);
}
