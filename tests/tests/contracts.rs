//! Every adapter passes the contract suite of its port, and the suites find what is wrong with bad ones.
#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use carrack_adapters::local::{LocalObjects, MemoryProgress, MemoryQueue};
use carrack_shared::port::{Objects, Progress, Queue};
use carrack_tests::broker::Broker;
use carrack_tests::contract::check::{Broken, TIME_LIMIT, assert_found, broken};
use carrack_tests::contract::{objects, progress, queue};
use carrack_tests::services::{fresh_prefix, services};
use futures_util::future::join_all;

/// Long enough for every check on an adapter that is in memory, or on a disk.
const SHORT: Duration = Duration::from_secs(10);

#[track_caller]
fn assert_none(broken: &[Broken]) {
    assert!(broken.is_empty(), "{broken:#?}");
}

fn directory(dir: &tempfile::TempDir) -> Arc<dyn Objects> {
    Arc::new(LocalObjects::open(dir.path(), true).expect("a directory"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_keeps_the_contract_of_objects() {
    let dir = tempfile::tempdir().unwrap();
    assert_none(&broken(objects::ALL, async || directory(&dir), TIME_LIMIT).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_keeps_the_contract_of_objects() {
    assert_none(&broken(objects::ALL, async || services().objects().await, TIME_LIMIT).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_contract_of_queues() {
    let fresh = async || Arc::new(MemoryQueue::new()) as Arc<dyn Queue>;
    assert_none(&broken(queue::ALL, fresh, SHORT).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_keeps_the_contract_of_queues() {
    let prefixes = Mutex::new(Vec::new());
    let fresh = async || {
        let prefix = fresh_prefix();
        prefixes.lock().unwrap().push(prefix.clone());
        services().queue(&prefix)
    };
    let found = broken(queue::ALL, fresh, TIME_LIMIT).await;
    let broker = Broker::connect().await;
    for prefix in prefixes.into_inner().unwrap() {
        broker.remove(&prefix).await;
    }
    assert_none(&found);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_contract_of_progress() {
    let fresh = async || Arc::new(MemoryProgress::new()) as Arc<dyn Progress>;
    assert_none(&broken(progress::ALL, fresh, SHORT).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_keeps_the_contract_of_progress() {
    assert_none(&broken(progress::ALL, async || services().progress(), SHORT).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_of_objects_finds_every_defect() {
    let dir = tempfile::tempdir().unwrap();
    join_all(objects::defects::FOUND.map(async |(defect, name, reason)| {
        let subject: Arc<dyn Objects> = Arc::new(objects::defects::Defective::new(directory(&dir), defect));
        assert_found(objects::ALL, (&format!("{defect:?}"), name, reason), subject, SHORT).await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_of_queues_finds_every_defect() {
    join_all(queue::defects::FOUND.map(async |(defect, name, reason)| {
        let good = Arc::new(MemoryQueue::new());
        let subject: Arc<dyn Queue> = Arc::new(queue::defects::Defective::new(good, defect));
        assert_found(queue::ALL, (&format!("{defect:?}"), name, reason), subject, SHORT).await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_of_progress_finds_every_defect() {
    join_all(progress::defects::FOUND.map(async |(defect, name, reason)| {
        let good = Arc::new(MemoryProgress::new());
        let subject: Arc<dyn Progress> = Arc::new(progress::defects::Defective::new(good, defect));
        assert_found(progress::ALL, (&format!("{defect:?}"), name, reason), subject, SHORT).await;
    }))
    .await;
}
