//! Imports of the same keys at the same time: each counts every key once, every key is created once, and each row is
//! the best record of one of them.

use std::collections::{BTreeMap, BTreeSet};

use carrack_shared::format::Format;
use carrack_shared::spec::{Duplicates, ExportSpec, ImportSpec, Spec};
use carrack_tests::deployment::Deployment;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

const RECORDS: usize = 1_500;
const KEYS: u32 = 150;
const ROUNDS: u32 = 3;
const MODES: [Duplicates; 4] =
    [Duplicates::Overwrite, Duplicates::Merge, Duplicates::Skip, Duplicates::Overwrite];

/// The records of each key in the order of the input, by their titles.
type Titles = BTreeMap<String, Vec<String>>;

/// A title says which import and which record it is of.
fn records(random: &mut StdRng, round: u32, import: usize) -> (String, Titles) {
    let (mut lines, mut titles) = (String::new(), Titles::new());
    for number in 1..=RECORDS {
        let key = format!("round {round} key {:03}", random.random_range(0..KEYS));
        let title = format!("import {import} record {number}");
        lines.push_str(&format!("{}\n", json!({"id": key, "title": title, "content": "some content"})));
        titles.entry(key).or_default().push(title);
    }
    (lines, titles)
}

async fn rows(here: &Deployment) -> BTreeMap<String, String> {
    let ended = here.end(Spec::export(ExportSpec::new("contexts", Format::Ndjson))).await.unwrap();
    let lines = String::from_utf8(here.file(&ended).await.unwrap()).unwrap();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        (row["id"].as_str().unwrap().to_owned(), row["title"].as_str().unwrap().to_owned())
    };
    lines.lines().map(row).collect()
}

async fn each_goes_by_its_own_order(here: Deployment) {
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..ROUNDS {
        let told = format!("seed {seed}, round {round}");
        let (mut imports, mut all) = (Vec::new(), Vec::new());
        for (number, duplicates) in MODES.into_iter().enumerate() {
            let (lines, titles) = records(&mut random, round, number);
            let source = here.upload(&format!("{round}-{number}.ndjson"), lines).await.unwrap();
            let spec = ImportSpec {
                batch_size: 13,
                duplicates,
                sources: vec![source],
                ..ImportSpec::new("contexts", Format::Ndjson)
            };
            imports.push(here.end(Spec::import(spec)));
            all.push(titles);
        }
        let ended = futures_util::future::join_all(imports).await;
        let mut created = 0;
        for ((ended, titles), mode) in ended.into_iter().zip(&all).zip(MODES) {
            let ended = ended.unwrap();
            let tally = ended.tally.unwrap();
            assert_eq!((ended.failure, tally.rejected), (None, 0), "{told}");
            let counted = tally.created + tally.updated + tally.unchanged;
            match mode {
                Duplicates::Skip => assert_eq!(tally.updated + tally.unchanged, 0, "{told}: {tally:?}"),
                _ => assert_eq!(counted, titles.len() as u64, "{told} {mode:?}: {tally:?}"),
            }
            assert_eq!(counted + tally.skipped, RECORDS as u64, "{told} {mode:?}: {tally:?}");
            created += tally.created;
        }
        let keys: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
        assert_eq!(created, keys.len() as u64, "{told}: every key is created once");
        let rows = rows(&here).await;
        for key in keys {
            let best = all.iter().zip(MODES).filter_map(|(titles, mode)| match mode {
                Duplicates::Skip => titles.get(key)?.first(),
                _ => titles.get(key)?.last(),
            });
            let best: Vec<&String> = best.collect();
            assert!(best.contains(&&rows[key]), "{told}: {key} is {}, expected one of {best:?}", rows[key]);
        }
    }
    here.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_of_one_process_each_go_by_their_own_order() {
    each_goes_by_its_own_order(Deployment::embedded_with(None, 8).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_of_a_fleet_each_go_by_their_own_order() {
    each_goes_by_its_own_order(Deployment::fleet_with(8).await.unwrap()).await;
}
