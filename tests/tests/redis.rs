//! What Redis and the way to it can do to progress: flushes, freezes, restarts, foreign values.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use carrack_shared::error::ErrorKind;
use carrack_shared::operation::{OperationId, State, Totals};
use carrack_shared::port::Progress;
use carrack_shared::port::progress::{Attempt, BatchTotals};
use carrack_shared::tally::Tally;
use carrack_tests::proxy::{Mode, Proxy};
use carrack_tests::services::{address, services, through};
use carrack_tests::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;
use uuid::Uuid;

/// The port's bound of 250 ms, and what a busy machine adds.
const BOUND: Duration = Duration::from_millis(300);

/// Until the circuit has let somebody through again.
const RECOVERY: Duration = Duration::from_secs(20);

fn attempt() -> Attempt {
    Attempt { operation: OperationId::from_uuid(Uuid::now_v7()), generation: 1 }
}

fn batch(batch: u32) -> BatchTotals {
    let tally = Tally { read: 10, created: 9, rejected: 1, ..Tally::default() };
    BatchTotals { batch, totals: Totals { tally, bytes: 100, batches: 1 } }
}

/// Sends one command past the adapter and waits for its answer.
async fn command(line: &str) -> String {
    let mut stream = TcpStream::connect(address(&services().urls().progress)).await.unwrap();
    let mut answer = vec![0; 1024];
    stream.write_all(b"SELECT 9\r\n").await.unwrap();
    assert_eq!(stream.read(&mut answer).await.unwrap(), 5, "+OK");
    stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    let read = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// The URL of a database that other tests do not use, so that it can be flushed.
fn flushable_url() -> String {
    let mut url = Url::parse(&services().urls().progress).unwrap();
    url.set_path("/9");
    url.into()
}

async fn behind(proxy: &Proxy) -> Arc<dyn Progress> {
    carrack_adapters::connect_progress(&through(&services().urls().progress, &proxy.address())).unwrap()
}

async fn proxy() -> Proxy {
    Proxy::start(&address(&services().urls().progress)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_flush_a_part_is_not_taken_for_the_whole() {
    let progress = carrack_adapters::connect_progress(&flushable_url()).unwrap();
    let attempt = attempt();
    progress.rebuild(attempt, &[batch(0)]).await.unwrap();
    progress.announce(attempt.operation, 3, State::Running).await.unwrap();
    assert_eq!(progress.read(attempt).await.unwrap().map(|totals| totals.batches), Some(1));
    assert!(command("FLUSHDB").await.starts_with("+OK"));
    assert_eq!(progress.read(attempt).await.unwrap(), None, "right after the flush");
    assert_eq!(progress.announced(attempt.operation).await.unwrap(), None);
    progress.record(attempt, batch(1)).await.unwrap();
    assert_eq!(progress.read(attempt).await.unwrap(), None, "a batch noted afterwards is not all");
    progress.rebuild(attempt, &[batch(0), batch(1)]).await.unwrap();
    assert_eq!(progress.read(attempt).await.unwrap().map(|totals| totals.batches), Some(2));
    let key = format!("carrack:v3:{{{}}}:batches", attempt.operation);
    assert!(command(&format!("TTL {key}")).await.starts_with(":3"), "every key has a time to live");
    command(&format!("HSET {key} 1:7 nonsense")).await;
    assert_eq!(progress.read(attempt).await.unwrap(), None, "a foreign value is not counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_costs_at_most_the_bound_and_then_next_to_nothing() {
    let proxy = proxy().await;
    let progress = behind(&proxy).await;
    let attempt = attempt();
    progress.rebuild(attempt, &[]).await.unwrap();
    proxy.set(Mode::Stall);
    let start = Instant::now();
    assert!(progress.record(attempt, batch(0)).await.is_err());
    let first = start.elapsed();
    assert!(first < BOUND, "the first call took {first:?}");
    let start = Instant::now();
    for number in 0..100 {
        assert!(progress.record(attempt, batch(number)).await.is_err_and(|error| error.try_again()));
    }
    // At most one of them tried.
    let hundred = start.elapsed();
    assert!(hundred < 2 * BOUND, "a hundred calls took {hundred:?}");
    proxy.cut();
    proxy.set(Mode::Pass);
    recovers(progress.as_ref()).await;
    assert_eq!(progress.read(attempt).await.unwrap(), Some(Totals::default()));
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_and_refused_connections_are_errors_and_then_over() {
    let proxy = proxy().await;
    let progress = behind(&proxy).await;
    progress.ready().await.unwrap();
    proxy.set(Mode::Drop);
    let start = Instant::now();
    assert!(progress.ready().await.is_err_and(|error| error.kind == ErrorKind::Unavailable));
    assert!(start.elapsed() < BOUND);
    proxy.set(Mode::Pass);
    recovers(progress.as_ref()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_at_the_start_is_no_error_until_it_is_asked() {
    // A port that nobody listens on: it was just given back.
    let closed = proxy().await.address();
    let url = through(&services().urls().progress, &closed);
    let progress = carrack_adapters::connect_progress(&url).unwrap();
    let start = Instant::now();
    let error = progress.ready().await.unwrap_err();
    assert!(error.try_again() && start.elapsed() < BOUND, "{} after {:?}", error.chain(), start.elapsed());
}

/// Waits until the cache answers again.
async fn recovers(progress: &dyn Progress) {
    let what = || "the cache to answer again".to_owned();
    let ready = async || Ok(progress.ready().await.ok());
    wait::until(tokio::time::Instant::now() + RECOVERY, what, ready).await.unwrap();
}
