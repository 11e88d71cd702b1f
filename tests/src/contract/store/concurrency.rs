//! Batches that commit at the same time, with keys in common, end as if one had followed the other.

use std::collections::BTreeMap;

use carrack_shared::spec::Duplicates;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use super::Fresh;
use super::fixture::{Record, cut};
use super::import::{LEASE, Planned, done};
use super::model::{outcome, sequential_by_type};

const ROUNDS: usize = 3;
const WORKERS: u32 = 4;
const BATCHES: u32 = 16;
const BATCH_RECORDS: usize = 40;

/// Half as many keys as records, so that nearly every batch meets every other one.
const KEYS: u32 = 320;

pub(super) async fn skipping_batches_at_once_end_as_one_after_another(fresh: Fresh) {
    race(fresh, Duplicates::Skip).await;
}

pub(super) async fn rejecting_batches_at_once_end_as_one_after_another(fresh: Fresh) {
    race(fresh, Duplicates::Reject).await;
}

pub(super) async fn overwriting_batches_at_once_end_as_one_after_another(fresh: Fresh) {
    race(fresh, Duplicates::Overwrite).await;
}

pub(super) async fn merging_batches_at_once_end_as_one_after_another(fresh: Fresh) {
    race(fresh, Duplicates::Merge).await;
}

async fn race(fresh: Fresh, mode: Duplicates) {
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let handles = [fresh.store(), fresh.reopened().await];
    for round in 0..ROUNDS {
        let prefix = format!("round{round}/");
        let before: Vec<Record> = (0..KEYS / 4).map(|key| generate(&prefix, key, &mut random)).collect();
        Planned::import(&handles[0], Duplicates::Reject, cut(&before, &[])).await.run().await;
        let count = BATCHES as usize * BATCH_RECORDS;
        let key = |random: &mut StdRng| random.random_range(0..KEYS);
        let records: Vec<Record> = (0..count)
            .map(|_| {
                let key = key(&mut random);
                generate(&prefix, key, &mut random)
            })
            .collect();
        let pieces = cut(&records, &[BATCH_RECORDS; BATCHES as usize]);
        let import = Planned::import(&handles[0], mode, pieces).await;
        let mut workers = JoinSet::new();
        for worker in 0..WORKERS {
            let import = import.through(&handles[worker as usize % 2]);
            workers.spawn(async move {
                for batch in (worker..BATCHES).step_by(WORKERS as usize) {
                    let claim = import.claim(batch, LEASE).await;
                    done(import.commit(&claim).await);
                }
            });
        }
        workers.join_all().await;
        let ended = import.close().await;
        let found = outcome(&fresh, &import, &ended, &prefix).await;
        let expected = sequential_by_type(mode, &before, &records);
        let counts = |rows: &[String]| rows.iter().cloned().map(|row| (row, ())).collect::<BTreeMap<_, _>>();
        assert_eq!(counts(&found.rows), counts(&expected.rows), "seed {seed}, round {round}");
        assert_eq!(found.by_type, expected.by_type, "seed {seed}, round {round}");
        assert_eq!(found.tally, expected.tally, "seed {seed}, round {round}");
        assert_eq!(found.rejects, expected.rejects, "seed {seed}, round {round}");
    }
}

fn generate(prefix: &str, key: u32, random: &mut StdRng) -> Record {
    Record::new(&format!("{prefix}{key:04}"), &format!("title {}", random.random_range(0..3)))
}
