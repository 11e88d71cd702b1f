//! What goes wrong in a round, and when: by progress, not by time, so that a seed means the same on every
//! machine.

use std::time::Duration;

use anyhow::Context;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::broker::{self, Broker};
use crate::fleet::Fleet;
use crate::services;
use crate::wait::{nothing_for, until};

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL of a worker, which is started again.
    KillWorker(u8),
    /// SIGKILL of the coordinator, which is started again.
    KillCoordinator,
    /// SIGKILL of RabbitMQ, which is started again.
    KillBroker,
    /// All messages that wait in the queues are thrown away.
    PurgeQueues,
    /// Everything that Redis holds is thrown away.
    FlushRedis,
}

impl Fault {
    /// Whether it kills a process.
    pub fn is_kill(self) -> bool {
        matches!(self, Self::KillWorker(_) | Self::KillCoordinator | Self::KillBroker)
    }
}

/// A fault, and the share of the batches after whose commit it strikes.
pub(super) struct Planned {
    fault: Fault,
    after: f64,
}

/// The faults of a round in the order in which they strike: each kind at least once, workers twice. The
/// broker's comes last: it takes seconds to come back, in which the workers go on with what they hold, and a
/// small load would be over before the next one struck.
pub(super) fn plan(rng: &mut StdRng) -> Vec<Planned> {
    let mut faults = vec![
        Fault::KillWorker(rng.random_range(0..3)),
        Fault::KillWorker(rng.random_range(0..3)),
        Fault::KillCoordinator,
        Fault::PurgeQueues,
        Fault::FlushRedis,
    ];
    faults.shuffle(rng);
    faults.push(Fault::KillBroker);
    let mut shares: Vec<f64> = faults.iter().map(|_| rng.random_range(0.02..0.6)).collect();
    shares.sort_by(f64::total_cmp);
    faults.into_iter().zip(shares).map(|(fault, after)| Planned { fault, after }).collect()
}

/// How long the fleet may take to come to the next fault.
const PROGRESS_WITHIN: Duration = Duration::from_secs(120);

/// Lets every fault strike at its time; answers them with the number of committed batches.
pub(super) async fn strike(
    fleet: &mut Fleet,
    plan: &[Planned],
    batches: u64,
    rng: &mut StdRng,
) -> anyhow::Result<Vec<(Fault, i64)>> {
    let mut struck = Vec::new();
    for planned in plan {
        #[expect(clippy::cast_possible_truncation, reason = "a share of a small number")]
        let wanted = ((batches as f64 * planned.after) as i64).max(1);
        let committed = committed_at_least(fleet, wanted).await?;
        let pause = Duration::from_millis(rng.random_range(0..500));
        strike_one(fleet, planned.fault, pause).await.with_context(|| format!("{:?}", planned.fault))?;
        struck.push((planned.fault, committed));
    }
    Ok(struck)
}

async fn committed_at_least(fleet: &Fleet, wanted: i64) -> anyhow::Result<i64> {
    let deadline = Instant::now() + PROGRESS_WITHIN;
    until(
        deadline,
        || format!("{wanted} batches to be committed"),
        async || {
            let committed = fleet.count("SELECT count(*) FROM carrack.ledger").await?;
            Ok((committed >= wanted).then_some(committed))
        },
    )
    .await
}

async fn strike_one(fleet: &mut Fleet, fault: Fault, pause: Duration) -> anyhow::Result<()> {
    match fault {
        Fault::KillWorker(number) => restart(fleet, &format!("worker-{number}"), pause).await,
        Fault::KillCoordinator => restart(fleet, "coordinator", pause).await,
        Fault::KillBroker => broker::kill_and_start(pause).await,
        Fault::PurgeQueues => {
            Broker::connect().await.purge_queue(&format!("{}.v1.import", fleet.prefix)).await;
            Ok(())
        }
        Fault::FlushRedis => flush_redis().await,
    }
}

async fn restart(fleet: &mut Fleet, name: &str, pause: Duration) -> anyhow::Result<()> {
    fleet.kill(name).await?;
    nothing_for(pause).await;
    fleet.start(name).await
}

async fn flush_redis() -> anyhow::Result<()> {
    let url = url::Url::parse(&services::services().urls().progress)?;
    let host = url.host_str().context("a host")?;
    let mut stream = tokio::net::TcpStream::connect((host, url.port().unwrap_or(6379))).await?;
    stream.write_all(b"FLUSHALL\r\n").await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    anyhow::ensure!(&answer == b"+OK\r\n", "FLUSHALL was answered {answer:?}");
    Ok(())
}
