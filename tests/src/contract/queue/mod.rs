//! The contract of the queue port.
//!
//! What arrives is compared with what was published up to a last task that marks the end, so that a lost,
//! doubled or reordered task is told apart from a slow one without waiting for nothing to happen.

pub mod defects;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use carrack_shared::operation::OperationId;
use carrack_shared::port::Queue;
use carrack_shared::port::queue::{Deliveries, Delivery};
use carrack_shared::task::{Lane, Task};
use tokio::time::Instant;

use crate::wait;

/// How long a delivery that must not come is waited for.
const QUIET: Duration = Duration::from_millis(300);

/// More tasks than any check publishes.
const MOST: usize = 2_000;

/// How long statistics may lag.
const STATISTICS: Duration = Duration::from_secs(10);

crate::checks! { Arc<dyn Queue>:
    a_broker_that_answers_is_ready
    tasks_arrive_once_and_in_order
    tasks_published_before_anybody_consumes_wait
    publishing_nothing_is_not_an_error
    lanes_are_apart
    no_more_than_the_prefetch_is_out
    depth_counts_what_waits_and_not_what_is_out
    what_is_unanswered_goes_back_when_the_consumer_ends
    what_was_acknowledged_stays_away
    what_was_released_comes_again
    what_was_dropped_unanswered_comes_again
    an_answer_after_the_end_of_the_consumer_is_an_error
    dropping_a_wait_loses_nothing
    consumers_share_and_get_each_task_once
}

fn task(number: u32) -> Task {
    Task { operation: OperationId::from_u128(7), generation: 1, first: number, count: 1, sequence: 1 }
}

fn tasks(numbers: std::ops::Range<u32>) -> Vec<Task> {
    numbers.map(task).collect()
}

async fn consumer(queue: &Arc<dyn Queue>, prefetch: u16) -> Box<dyn Deliveries> {
    queue.consume(Lane::Import, prefetch).await.expect("a consumer")
}

async fn next(deliveries: &mut Box<dyn Deliveries>) -> Delivery {
    deliveries.next().await.expect("a delivery")
}

/// Takes and acknowledges tasks up to `last`, which is part of the answer.
async fn drain(queue: &Arc<dyn Queue>, lane: Lane, last: &Task) -> Vec<Task> {
    let mut deliveries = queue.consume(lane, 3).await.expect("a consumer");
    let mut found = Vec::new();
    while found.last() != Some(last) {
        // A queue that hands the same task out for ever would otherwise fill the memory.
        assert!(found.len() < MOST, "a task was doubled without end: {:?}", found.last());
        let delivery = next(&mut deliveries).await;
        found.push(delivery.task.clone());
        delivery.ack().await.expect("an acknowledgement");
    }
    found
}

/// Panics with the first difference, by its kind.
fn assert_same(expected: &[Task], found: &[Task]) {
    let count = |tasks: &[Task]| {
        tasks.iter().fold(HashMap::new(), |mut counts, task| {
            *counts.entry(task.first).or_insert(0) += 1;
            counts
        })
    };
    let (expected_counts, found_counts): (HashMap<u32, u32>, HashMap<u32, u32>) =
        (count(expected), count(found));
    for task in expected {
        assert!(found_counts.contains_key(&task.first), "task {} was lost", task.first);
    }
    for (number, times) in &found_counts {
        let published = expected_counts.get(number).copied().unwrap_or(0);
        assert!(
            *times <= published,
            "task {number} was doubled: published {published} times, came {times} times"
        );
    }
    assert_eq!(expected, found, "tasks came out of order, or altered");
}

async fn a_broker_that_answers_is_ready(queue: Arc<dyn Queue>) {
    queue.ready().await.expect("readiness");
}

async fn tasks_arrive_once_and_in_order(queue: Arc<dyn Queue>) {
    // More than an adapter may have out unconfirmed, in one call and in small ones.
    let all = tasks(0..700);
    queue.publish(Lane::Import, &all[..600]).await.expect("publishing");
    for few in all[600..].chunks(10) {
        queue.publish(Lane::Import, few).await.expect("publishing");
    }
    assert_same(&all, &drain(&queue, Lane::Import, &task(699)).await);
}

async fn tasks_published_before_anybody_consumes_wait(queue: Arc<dyn Queue>) {
    queue.publish(Lane::Export, &tasks(0..20)).await.expect("publishing");
    assert_same(&tasks(0..20), &drain(&queue, Lane::Export, &task(19)).await);
}

async fn publishing_nothing_is_not_an_error(queue: Arc<dyn Queue>) {
    queue.publish(Lane::Import, &[]).await.expect("publishing nothing");
}

async fn lanes_are_apart(queue: Arc<dyn Queue>) {
    queue.publish(Lane::Export, &tasks(0..5)).await.expect("publishing");
    queue.publish(Lane::Import, &tasks(5..10)).await.expect("publishing");
    assert_same(&tasks(5..10), &drain(&queue, Lane::Import, &task(9)).await);
    assert_same(&tasks(0..5), &drain(&queue, Lane::Export, &task(4)).await);
}

async fn no_more_than_the_prefetch_is_out(queue: Arc<dyn Queue>) {
    queue.publish(Lane::Import, &tasks(0..3)).await.expect("publishing");
    let mut deliveries = consumer(&queue, 2).await;
    let first = next(&mut deliveries).await;
    let second = next(&mut deliveries).await;
    let third = tokio::time::timeout(QUIET, deliveries.next()).await;
    assert!(third.is_err(), "a third delivery came although two are out");
    first.ack().await.expect("an acknowledgement");
    let third = next(&mut deliveries).await;
    assert_same(&tasks(1..3), &[second.task.clone(), third.task.clone()]);
}

/// Waits until the broker's statistics, which no event announces, say so.
async fn depth_becomes(queue: &Arc<dyn Queue>, expected: u64) {
    let deadline = Instant::now() + STATISTICS;
    loop {
        let found = queue.depth(Lane::Import).await.expect("a depth");
        if found == expected {
            return;
        }
        assert!(Instant::now() < deadline, "expected {expected} waiting tasks, found {found}");
        wait::before_the_next_look().await;
    }
}

async fn depth_counts_what_waits_and_not_what_is_out(queue: Arc<dyn Queue>) {
    depth_becomes(&queue, 0).await;
    queue.publish(Lane::Import, &tasks(0..5)).await.expect("publishing");
    depth_becomes(&queue, 5).await;
    let mut deliveries = consumer(&queue, 2).await;
    let held = [next(&mut deliveries).await, next(&mut deliveries).await];
    depth_becomes(&queue, 3).await;
    drop(held);
    drop(deliveries);
    depth_becomes(&queue, 5).await;
}

async fn what_is_unanswered_goes_back_when_the_consumer_ends(queue: Arc<dyn Queue>) {
    queue.publish(Lane::Import, &tasks(0..3)).await.expect("publishing");
    let mut deliveries = consumer(&queue, 2).await;
    let held = [next(&mut deliveries).await, next(&mut deliveries).await];
    for delivery in &held {
        assert!(!delivery.redelivered, "task {} is new and called redelivered", delivery.task.first);
    }
    drop(deliveries);
    let mut deliveries = consumer(&queue, 3).await;
    let mut found = Vec::new();
    for _ in 0..3 {
        let delivery = next(&mut deliveries).await;
        let expected = delivery.task.first < 2;
        assert_eq!(delivery.redelivered, expected, "whether task {} is redelivered", delivery.task.first);
        found.push(delivery.task.clone());
        delivery.ack().await.expect("an acknowledgement");
    }
    found.sort_by_key(|task| task.first);
    assert_same(&tasks(0..3), &found);
}

async fn what_was_acknowledged_stays_away(queue: Arc<dyn Queue>) {
    queue.publish(Lane::Import, &tasks(0..2)).await.expect("publishing");
    let mut deliveries = consumer(&queue, 1).await;
    next(&mut deliveries).await.ack().await.expect("an acknowledgement");
    drop(deliveries);
    assert_same(&tasks(1..2), &drain(&queue, Lane::Import, &task(1)).await);
}

async fn what_was_released_comes_again(queue: Arc<dyn Queue>) {
    queue.publish(Lane::Import, &tasks(0..1)).await.expect("publishing");
    let mut deliveries = consumer(&queue, 1).await;
    next(&mut deliveries).await.release().await.expect("a release");
    let again = next(&mut deliveries).await;
    assert_same(&tasks(0..1), std::slice::from_ref(&again.task));
    again.ack().await.expect("an acknowledgement");
}

async fn what_was_dropped_unanswered_comes_again(queue: Arc<dyn Queue>) {
    queue.publish(Lane::Import, &tasks(0..1)).await.expect("publishing");
    let mut deliveries = consumer(&queue, 1).await;
    drop(next(&mut deliveries).await);
    drop(deliveries);
    assert_same(&tasks(0..1), &drain(&queue, Lane::Import, &task(0)).await);
}

async fn an_answer_after_the_end_of_the_consumer_is_an_error(queue: Arc<dyn Queue>) {
    queue.publish(Lane::Import, &tasks(0..2)).await.expect("publishing");
    let mut deliveries = consumer(&queue, 2).await;
    let (first, second) = (next(&mut deliveries).await, next(&mut deliveries).await);
    drop(deliveries);
    assert!(first.ack().await.is_err(), "an acknowledgement of what went back was taken");
    assert!(second.release().await.is_err(), "a release of what went back was taken");
    queue.publish(Lane::Import, &tasks(2..3)).await.expect("publishing");
    let mut found = drain(&queue, Lane::Import, &task(2)).await;
    found.sort_by_key(|task| task.first);
    assert_same(&tasks(0..3), &found);
}

async fn dropping_a_wait_loses_nothing(queue: Arc<dyn Queue>) {
    let mut deliveries = consumer(&queue, 1).await;
    let mut found = Vec::new();
    for number in 0..50 {
        queue.publish(Lane::Import, &[task(number)]).await.expect("publishing");
        // Waits that are dropped at every stage of a delivery's arrival.
        let delivery = loop {
            let wait = Duration::from_micros(u64::from(number) * 40);
            if let Ok(delivery) = tokio::time::timeout(wait, deliveries.next()).await {
                break delivery.expect("a delivery");
            }
        };
        found.push(delivery.task.clone());
        delivery.ack().await.expect("an acknowledgement");
    }
    assert_same(&tasks(0..50), &found);
}

async fn consumers_share_and_get_each_task_once(queue: Arc<dyn Queue>) {
    let (mut one, mut other) = (consumer(&queue, 1).await, consumer(&queue, 1).await);
    queue.publish(Lane::Import, &tasks(0..40)).await.expect("publishing");
    let mut found = Vec::new();
    while found.len() < 40 {
        let delivery = tokio::select! {
            delivery = one.next() => delivery.expect("a delivery"),
            delivery = other.next() => delivery.expect("a delivery"),
        };
        found.push(delivery.task.clone());
        delivery.ack().await.expect("an acknowledgement");
    }
    found.sort_by_key(|task| task.first);
    assert_same(&tasks(0..40), &found);
}
