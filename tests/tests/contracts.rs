//! Every adapter passes the contract suite of its port, and the suites find what is wrong with bad ones.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use carrack_adapters::local::{LocalObjects, MemoryProgress, MemoryQueue};
use carrack_shared::port::{Objects, Progress, Queue};
use carrack_tests::broker::Broker;
use carrack_tests::contract::check::{Broken, TIME_LIMIT, assert_found, broken};
use carrack_tests::contract::{objects, progress, queue};
use carrack_tests::services::{fresh_prefix, services};

/// Long enough for every check on an adapter that is in memory, or on a disk.
const SHORT: Duration = Duration::from_secs(10);

#[track_caller]
fn assert_none(broken: &[Broken]) {
    assert!(broken.is_empty(), "{broken:#?}");
}

async fn directory(dir: &tempfile::TempDir) -> Arc<dyn Objects> {
    Arc::new(LocalObjects::open(dir.path(), true).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_keeps_the_contract_of_objects() {
    let dir = tempfile::tempdir().unwrap();
    assert_none(&broken(objects::ALL, async || directory(&dir).await, TIME_LIMIT).await);
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
    for (defect, name, reason) in objects::defects::FOUND {
        let fresh = async || {
            Arc::new(objects::defects::Defective::new(directory(&dir).await, defect)) as Arc<dyn Objects>
        };
        assert_found(&format!("{defect:?}"), &broken(objects::ALL, fresh, SHORT).await, name, reason);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_of_queues_finds_every_defect() {
    for (defect, name, reason) in queue::defects::FOUND {
        let good = || Arc::new(MemoryQueue::new());
        let fresh = async || Arc::new(queue::defects::Defective::new(good(), defect)) as Arc<dyn Queue>;
        let limit = Duration::from_secs(2);
        assert_found(&format!("{defect:?}"), &broken(queue::ALL, fresh, limit).await, name, reason);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_of_progress_finds_every_defect() {
    for (defect, name, reason) in progress::defects::FOUND {
        let good = || Arc::new(MemoryProgress::new());
        let fresh = async || Arc::new(progress::defects::Defective::new(good(), defect)) as Arc<dyn Progress>;
        assert_found(&format!("{defect:?}"), &broken(progress::ALL, fresh, SHORT).await, name, reason);
    }
}
