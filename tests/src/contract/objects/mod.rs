//! The contract of the objects port. Every check works under a prefix of its own.

mod bodies;
pub mod defects;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::port::Objects;
use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt, stream};

pub use self::bodies::{body, content, hex};
use crate::services::fresh_prefix;

/// A body of several of the parts in which a store may upload it.
const SEVERAL_PARTS: usize = 20 * 1024 * 1024;

crate::checks! { Arc<dyn Objects>:
    a_store_that_answers_is_ready
    what_is_put_comes_back
    any_range_comes_back
    a_stream_starts_anywhere
    a_replaced_object_has_changed
    a_missing_object_is_told_so
    a_range_behind_the_end_is_refused
    a_body_that_fails_leaves_nothing
    a_body_that_fails_leaves_the_old_object
    a_put_that_is_given_up_leaves_nothing
    puts_at_once_leave_one_of_them_whole
    keys_are_listed_by_prefix_and_sorted
    what_is_deleted_is_gone
    keys_outside_the_grammar_are_refused
}

async fn put(objects: &Arc<dyn Objects>, key: &str, bytes: &Bytes) -> String {
    let meta = objects.put(key, body(bytes, 100_000)).await.expect("a put");
    assert_eq!(meta.length, bytes.len() as u64, "{key}: the length that the put answers");
    meta.etag
}

/// All that a stream yields.
async fn streamed(objects: &Arc<dyn Objects>, key: &str, from: u64, etag: &str) -> PortResult<Bytes> {
    let pieces: Vec<Bytes> = objects.stream(key, from, etag).await?.try_collect().await?;
    assert!(pieces.iter().all(|piece| piece.len() <= 8 << 20), "{key}: a piece of more than a few MiB");
    Ok(pieces.concat().into())
}

/// Panics with the kind of the difference.
fn assert_same(what: &str, expected: &Bytes, found: &Bytes) {
    if expected == found {
        return;
    }
    let (wanted, came) = (expected.len(), found.len());
    assert!(came >= wanted, "{what}: bytes were lost: expected {wanted}, found {came}");
    assert!(came <= wanted, "{what}: bytes were doubled: expected {wanted}, found {came}");
    panic!("{what}: bytes came out of order, or altered: expected {}, found {}", hex(expected), hex(found));
}

fn assert_kind<T>(what: &str, answer: PortResult<T>, expected: ErrorKind) {
    match answer {
        Ok(_) => panic!("{what}: expected {expected:?}, found an answer"),
        Err(error) => assert_eq!(error.kind, expected, "{what}: {}", error.chain()),
    }
}

async fn a_store_that_answers_is_ready(objects: Arc<dyn Objects>) {
    objects.ready().await.expect("readiness");
}

async fn what_is_put_comes_back(objects: Arc<dyn Objects>) {
    let prefix = fresh_prefix();
    let part = 8 << 20;
    for (number, length) in
        [0, 1, 1_000, part - 1, part, part + 1, 2 * part, SEVERAL_PARTS].into_iter().enumerate()
    {
        let (key, bytes) = (format!("{prefix}/{number}.json"), content(length as u64, length));
        for piece in [65_536, 3 << 20, 9 << 20] {
            let meta = objects.put(&key, body(&bytes, piece)).await.expect("a put");
            assert_eq!(objects.head(&key).await.expect("a head"), Some(meta.clone()), "{key}");
            let found = streamed(&objects, &key, 0, &meta.etag).await.expect("a stream");
            assert_same(&format!("{length} bytes in pieces of {piece}"), &bytes, &found);
        }
    }
}

async fn any_range_comes_back(objects: Arc<dyn Objects>) {
    let (key, bytes) = (format!("{}/a", fresh_prefix()), content(1, SEVERAL_PARTS));
    let etag = put(&objects, &key, &bytes).await;
    let end = bytes.len();
    for range in [0..1, 0..end, 1..2, 5_000_000..13_000_000, end - 1..end, 0..0, 7..7, end..end] {
        let (from, to) = (range.start as u64, range.end as u64);
        let found = objects.get(&key, from..to, &etag).await.expect("a range");
        assert_same(&format!("{range:?}"), &bytes.slice(range), &found);
    }
}

async fn a_stream_starts_anywhere(objects: Arc<dyn Objects>) {
    let (key, bytes) = (format!("{}/a", fresh_prefix()), content(2, 3_000_000));
    let etag = put(&objects, &key, &bytes).await;
    for from in [0, 1, 1_048_576, 2_999_999, 3_000_000] {
        let found = streamed(&objects, &key, from as u64, &etag).await.expect("a stream");
        assert_same(&format!("from {from}"), &bytes.slice(from..), &found);
    }
}

async fn a_replaced_object_has_changed(objects: Arc<dyn Objects>) {
    let key = format!("{}/a", fresh_prefix());
    let old = put(&objects, &key, &content(1, 1_000)).await;
    let bytes = content(2, 1_000);
    let new = put(&objects, &key, &bytes).await;
    assert_ne!(old, new, "the etag of another content of the same length");
    assert_kind("an old version", objects.get(&key, 0..10, &old).await, ErrorKind::Changed);
    assert_kind("none of an old version", objects.get(&key, 0..0, &old).await, ErrorKind::Changed);
    assert_kind("a stream of an old version", streamed(&objects, &key, 0, &old).await, ErrorKind::Changed);
    let end = streamed(&objects, &key, 1_000, &old).await;
    assert_kind("the end of an old version", end, ErrorKind::Changed);
    assert_same("the new version", &bytes, &objects.get(&key, 0..1_000, &new).await.expect("a range"));
}

async fn a_missing_object_is_told_so(objects: Arc<dyn Objects>) {
    let key = format!("{}/a", fresh_prefix());
    assert_eq!(objects.head(&key).await.expect("a head"), None);
    assert_kind("a range", objects.get(&key, 0..1, "etag").await, ErrorKind::NotFound);
    assert_kind("an empty range", objects.get(&key, 0..0, "etag").await, ErrorKind::NotFound);
    assert_kind("a stream", streamed(&objects, &key, 0, "etag").await, ErrorKind::NotFound);
    objects.delete(&key).await.expect("a delete of nothing");
}

#[allow(clippy::reversed_empty_ranges, reason = "the range that ends before it starts is the point")]
async fn a_range_behind_the_end_is_refused(objects: Arc<dyn Objects>) {
    for length in [0_u64, 10] {
        let key = format!("{}/a", fresh_prefix());
        let etag = put(&objects, &key, &content(1, usize::try_from(length).unwrap())).await;
        let ranges =
            [0..length + 1, length..length + 1, length + 1..length + 1, length + 5..length + 9, 2..1];
        for range in ranges {
            let what = format!("{range:?} of {length} bytes");
            assert_kind(&what, objects.get(&key, range, &etag).await, ErrorKind::Refused);
        }
        let stream = streamed(&objects, &key, length + 1, &etag).await;
        assert_kind(&format!("a stream behind {length} bytes"), stream, ErrorKind::Refused);
    }
}

/// Some bytes, and then an error.
fn failing(bytes: usize) -> carrack_shared::port::objects::ByteStream {
    let error = PortError::new(ErrorKind::SnapshotGone, "test", "the body fails here");
    body(&content(1, bytes), 1 << 20).chain(stream::iter([Err(error)])).boxed()
}

async fn a_body_that_fails_leaves_nothing(objects: Arc<dyn Objects>) {
    for length in [0, 1_000, SEVERAL_PARTS] {
        let key = format!("{}/a", fresh_prefix());
        let error = objects.put(&key, failing(length)).await.expect_err("the body's error");
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::SnapshotGone, "the body fails here"));
        assert_eq!(objects.head(&key).await.expect("a head"), None, "a part of {length} bytes is seen");
        assert_eq!(objects.list(&key).await.expect("a list"), [""; 0], "a part of {length} bytes is listed");
    }
}

async fn a_body_that_fails_leaves_the_old_object(objects: Arc<dyn Objects>) {
    let (key, bytes) = (format!("{}/a", fresh_prefix()), content(3, 5_000));
    let etag = put(&objects, &key, &bytes).await;
    objects.put(&key, failing(SEVERAL_PARTS)).await.expect_err("the body's error");
    assert_same("the old object", &bytes, &objects.get(&key, 0..5_000, &etag).await.expect("a range"));
}

async fn a_put_that_is_given_up_leaves_nothing(objects: Arc<dyn Objects>) {
    let key = format!("{}/a", fresh_prefix());
    let endless = body(&content(1, SEVERAL_PARTS), 1 << 20).chain(stream::pending()).boxed();
    let given_up = tokio::time::timeout(Duration::from_secs(2), objects.put(&key, endless)).await;
    assert!(given_up.is_err(), "a put answered before its body ended");
    assert_eq!(objects.head(&key).await.expect("a head"), None, "a part is seen");
}

async fn puts_at_once_leave_one_of_them_whole(objects: Arc<dyn Objects>) {
    let key = format!("{}/a", fresh_prefix());
    let contents: Vec<Bytes> = (0..6).map(|seed| content(seed, 300_000)).collect();
    join_all(contents.iter().map(|bytes| put(&objects, &key, bytes))).await;
    let etag = objects.head(&key).await.expect("a head").expect("an object").etag;
    let found = streamed(&objects, &key, 0, &etag).await.expect("a stream");
    assert!(contents.contains(&found), "what is left is none of what was put");
}

async fn keys_are_listed_by_prefix_and_sorted(objects: Arc<dyn Objects>) {
    let prefix = fresh_prefix();
    let keys =
        ["a", "a-b/c", "a.b", "b/1", "b/10", "b/2", "b/c/d", "bb"].map(|key| format!("{prefix}/{key}"));
    for key in keys.iter().rev() {
        put(&objects, key, &content(1, 10)).await;
    }
    let table: [(&str, &[usize]); 8] = [
        ("/", &[0, 1, 2, 3, 4, 5, 6, 7]),
        ("/a", &[0, 1, 2]),
        ("/b/", &[3, 4, 5, 6]),
        ("/b", &[3, 4, 5, 6, 7]),
        ("/b/1", &[3, 4]),
        ("/b/c/d", &[6]),
        ("/b/c/d/", &[]),
        ("/c", &[]),
    ];
    for (rest, expected) in table {
        let expected: Vec<&String> = expected.iter().map(|&number| &keys[number]).collect();
        let found = objects.list(&format!("{prefix}{rest}")).await.expect("a list");
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{rest}");
    }
}

async fn what_is_deleted_is_gone(objects: Arc<dyn Objects>) {
    let prefix = fresh_prefix();
    let [gone, kept] = ["gone", "kept"].map(|name| format!("{prefix}/{name}"));
    let etag = put(&objects, &gone, &content(1, 10)).await;
    put(&objects, &kept, &content(1, 10)).await;
    objects.delete(&gone).await.expect("a delete");
    assert_eq!(objects.head(&gone).await.expect("a head"), None);
    assert_kind("a deleted object", objects.get(&gone, 0..1, &etag).await, ErrorKind::NotFound);
    assert_eq!(objects.list(&prefix).await.expect("a list"), [kept]);
}

async fn keys_outside_the_grammar_are_refused(objects: Arc<dyn Objects>) {
    for key in ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a b", "a\0b", "ä", "a\\b", "~incoming/a"] {
        let what = format!("{key:?}");
        assert_kind(&what, objects.put(key, body(&Bytes::new(), 1)).await, ErrorKind::Refused);
        assert_kind(&what, objects.get(key, 0..0, "etag").await, ErrorKind::Refused);
        assert_kind(&what, streamed(&objects, key, 0, "etag").await, ErrorKind::Refused);
        assert_kind(&what, objects.head(key).await, ErrorKind::Refused);
        assert_kind(&what, objects.delete(key).await, ErrorKind::Refused);
    }
    assert_kind("a prefix", objects.list("../").await, ErrorKind::Refused);
}
