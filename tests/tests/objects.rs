//! What S3, the way to it, and a disk can do to objects: answers cut short, stalls, replaced versions, many
//! pages, files of the user that change or are none.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

use std::sync::Arc;
use std::time::Duration;

use carrack_adapters::local::LocalObjects;
use carrack_shared::error::{ErrorKind, PortResult};
use carrack_shared::port::Objects;
use carrack_shared::port::objects::ByteStream;
use carrack_tests::contract::objects::{body, content};
use carrack_tests::proxy::{Mode, Proxy};
use carrack_tests::services::{address, fresh_prefix, services};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::timeout;
use url::Url;

/// Any single step, on a busy machine.
const STEP: Duration = Duration::from_secs(60);

/// The store behind a proxy, and the proxy.
async fn behind_a_proxy() -> (Arc<dyn Objects>, Proxy) {
    let mut url = Url::parse(&services().urls().objects).unwrap();
    let parameters: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let endpoint = parameters.iter().find(|(name, _)| name == "endpoint").map(|(_, value)| value).unwrap();
    let proxy = Proxy::start(&address(endpoint)).await;
    let proxied = format!("http://{}", proxy.address());
    let changed =
        parameters.iter().map(|(name, value)| (name, if name == "endpoint" { &proxied } else { value }));
    url.query_pairs_mut().clear().extend_pairs(changed);
    let objects = carrack_adapters::connect_objects(url.as_str(), &services().settings()).await.unwrap();
    (objects, proxy)
}

/// Reads to the end; answers lengths, which can be printed where the bytes cannot.
async fn lengths(reading: ByteStream) -> PortResult<Vec<usize>> {
    reading.map_ok(|piece| piece.len()).try_collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_cut_short_is_an_error_that_can_be_tried_again() {
    let (objects, proxy) = behind_a_proxy().await;
    let (key, bytes) = (format!("{}/a", fresh_prefix()), content(1, 2_000_000));
    let etag = objects.put(&key, body(&bytes, 100_000)).await.unwrap().etag;
    proxy.cut();
    // Enough for the head of an answer, and not for its body.
    proxy.set(Mode::CutAnswersAfter(500_000));
    let answer = timeout(STEP, objects.get(&key, 0..2_000_000, &etag)).await.expect("an answer");
    let error = answer.expect_err("a truncated body");
    assert_eq!(error.kind, ErrorKind::Unavailable, "{}", error.chain());
    proxy.set(Mode::Pass);
    assert_eq!(objects.get(&key, 0..2_000_000, &etag).await.unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_where_it_broke_off() {
    let (objects, proxy) = behind_a_proxy().await;
    let (key, bytes) = (format!("{}/a", fresh_prefix()), content(2, 3_000_000));
    let etag = objects.put(&key, body(&bytes, 100_000)).await.unwrap().etag;
    proxy.cut();
    proxy.set(Mode::CutAnswersAfter(700_000));
    let before = proxy.taken();
    let reading = objects.stream(&key, 10, &etag).await.unwrap().try_collect::<Vec<_>>();
    let pieces = timeout(STEP, reading).await.expect("an end").unwrap();
    assert_eq!(pieces.concat(), bytes[10..]);
    assert!(proxy.taken() - before >= 4, "{} connections", proxy.taken() - before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_object_is_replaced_does_not_go_on() {
    let (objects, proxy) = behind_a_proxy().await;
    let key = format!("{}/a", fresh_prefix());
    let etag = objects.put(&key, body(&content(3, 20_000_000), 1 << 20)).await.unwrap().etag;
    let mut reading = objects.stream(&key, 0, &etag).await.unwrap();
    reading.next().await.unwrap().unwrap();
    services().objects().await.put(&key, body(&content(4, 20_000_000), 1 << 20)).await.unwrap();
    proxy.cut();
    let rest = timeout(STEP, lengths(reading)).await.expect("an end");
    assert_eq!(rest.unwrap_err().kind, ErrorKind::Changed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_gets_nothing_ends_with_an_error() {
    let (objects, proxy) = behind_a_proxy().await;
    let key = format!("{}/a", fresh_prefix());
    let etag = objects.put(&key, body(&content(5, 20_000_000), 1 << 20)).await.unwrap().etag;
    let mut reading = objects.stream(&key, 0, &etag).await.unwrap();
    reading.next().await.unwrap().unwrap();
    proxy.set(Mode::Drop);
    let rest = timeout(STEP * 2, lengths(reading)).await.expect("an end");
    let error = rest.expect_err("an error, and not a silent end");
    assert_eq!(error.kind, ErrorKind::Unavailable, "{}", error.chain());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_several_pages_is_whole() {
    let (objects, prefix) = (services().objects().await, fresh_prefix());
    let keys: Vec<String> = (0..1_005).map(|number| format!("{prefix}/{number:04}")).collect();
    let puts = stream::iter(&keys).map(|key| objects.put(key, body(&content(1, 1), 1))).buffered(16);
    puts.try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(objects.list(&prefix).await.unwrap(), keys);
    stream::iter(&keys).map(|key| objects.delete(key)).buffered(16).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(objects.list(&prefix).await.unwrap(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_and_buckets_are_told_apart() {
    let urls = services().urls();
    let mut settings = services().settings();
    let missing = urls.objects.replacen("s3://carrack", "s3://no-such-bucket", 1);
    let objects = carrack_adapters::connect_objects(&missing, &settings).await.unwrap();
    assert!(!objects.ready().await.unwrap_err().try_again());
    settings.s3_credentials.as_mut().unwrap().secret = "sesame".repeat(10);
    let objects = carrack_adapters::connect_objects(&urls.objects, &settings).await.unwrap();
    let error = objects.ready().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied, "{}", error.chain());
    assert!(!format!("{error:?} {settings:?}").contains("sesame"), "{error:?} {settings:?}");
}

#[tokio::test]
async fn files_of_the_user_are_read_in_place_and_never_written() {
    let dir = tempfile::tempdir().unwrap();
    let objects = LocalObjects::open(&dir.path().join("store"), true).unwrap();
    let file = dir.path().join("a file, müßig.csv");
    std::fs::write(&file, "0123456789").unwrap();
    let key = format!("file:{}", file.display());
    let meta = objects.head(&key).await.unwrap().expect("the file");
    assert_eq!(meta.length, 10);
    assert_eq!(objects.get(&key, 3..6, &meta.etag).await.unwrap(), "345");
    assert!(
        objects.put(&key, body(&content(1, 1), 1)).await.is_err_and(|error| error.kind == ErrorKind::Refused)
    );
    assert!(objects.delete(&key).await.is_err_and(|error| error.kind == ErrorKind::Refused));
    assert_eq!(std::fs::read(&file).unwrap(), b"0123456789");
    assert_eq!(objects.list("").await.unwrap(), [""; 0]);

    let reading = objects.stream(&key, 0, &meta.etag).await.unwrap();
    std::fs::write(&file, "abcdefghijk").unwrap();
    let kind = lengths(reading).await.unwrap_err().kind;
    assert_eq!(kind, ErrorKind::Changed, "a file that changes while it is read");
    assert_eq!(objects.get(&key, 0..1, &meta.etag).await.unwrap_err().kind, ErrorKind::Changed);
}

#[tokio::test]
async fn what_is_no_file_of_the_user_is_a_clear_error() {
    let dir = tempfile::tempdir().unwrap();
    let objects = LocalObjects::open(&dir.path().join("store"), true).unwrap();
    let folder = dir.path().display();
    let table = [
        (format!("file:{folder}"), ErrorKind::Refused, "is a directory, expected a regular file"),
        ("file:/dev/null".to_owned(), ErrorKind::Refused, "is a device or pipe"),
        (format!("file:{folder}/missing.csv"), ErrorKind::NotFound, "missing.csv"),
        ("file:relative.csv".to_owned(), ErrorKind::Refused, "expected an absolute path"),
    ];
    for (key, kind, expected) in table {
        let error = objects.get(&key, 0..0, "etag").await.unwrap_err();
        assert_eq!(error.kind, kind, "{key}: {}", error.chain());
        assert!(error.chain().contains(expected), "{key}: {}", error.chain());
    }
    assert_eq!(objects.head(&format!("file:{folder}/missing.csv")).await.unwrap(), None);
    let elsewhere = LocalObjects::open(&dir.path().join("fleet"), false).unwrap();
    let file = dir.path().join("a.csv");
    std::fs::write(&file, "a").unwrap();
    let error = elsewhere.head(&format!("file:{}", file.display())).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{}", error.chain());
}
