//! Kill -9 at random moments: nothing lost, nothing doubled, nothing miscounted. `./dev chaos N` runs more
//! and larger rounds of the same.

use std::io::BufWriter;

use carrack_tests::chaos::{self, Load};
use carrack_tests::generate::{Generator, Layout};

fn load(folder: &std::path::Path, records: u64, batch_size: u32) -> Load {
    let file = folder.join("contexts.json");
    let mut output = BufWriter::new(std::fs::File::create(&file).unwrap());
    let expected = Generator::new(11, records).with_bad_percent(2.0).write(Layout::JsonArray, &mut output).unwrap();
    Load { file, good: expected.good, bad: expected.bad, batch_size }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_survives_kills_of_workers_coordinator_and_broker() {
    let folder = tempfile::tempdir().unwrap();
    let load = load(folder.path(), 30_000, 250);
    for seed in [1, 2] {
        let round = chaos::round(&load, seed).await.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert!(round.kills_inside >= 3, "seed {seed}: {:?}", round.faults);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_import_survives_kills() {
    let folder = tempfile::tempdir().unwrap();
    let load = load(folder.path(), 20_000, 250);
    for seed in [1, 2, 3] {
        let round = chaos::embedded::round(&load, seed).await;
        let round = round.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert!(!round.kills.is_empty());
    }
}
