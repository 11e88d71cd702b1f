//! Kill -9 at random moments: nothing lost, nothing doubled, nothing miscounted. `./dev chaos N` runs more
//! and larger rounds of the same.

use carrack_tests::chaos::{self, Load};

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_survives_kills_of_workers_coordinator_and_broker() {
    let folder = tempfile::tempdir().unwrap();
    let load = Load::generate(folder.path(), 30_000, 25).unwrap();
    for seed in [1, 2] {
        let round = chaos::round(&load, seed).await.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert!(round.kills_inside >= 3, "seed {seed}: {:?}", round.faults);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_import_survives_kills() {
    let folder = tempfile::tempdir().unwrap();
    let load = Load::generate(folder.path(), 20_000, 250).unwrap();
    for seed in [1, 2, 3] {
        let round = chaos::embedded::round(&load, seed).await;
        let round = round.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert!(!round.kills.is_empty());
    }
}
