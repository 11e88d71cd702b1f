//! A dry run says beforehand what an import then does: for a table that already holds 30 % of the records, a tenth
//! of them with other values, keys that stand twice, and bad records, however many workers there are and wherever
//! the file is cut.

use carrack_shared::format::Format;
use carrack_shared::operation::{Operation, State};
use carrack_shared::schema::{DataType, Field, FieldType, Identifier};
use carrack_shared::spec::{Duplicates, ImportSpec, OwnTypes, Source, Spec};
use carrack_shared::tally::Tally;
use carrack_tests::deployment::Deployment;

const RECORDS: usize = 2_000;
/// Half of the keys of the last records stand before, too.
const AGAIN: usize = 100;

/// A type of its own for each case: the same database, another table.
fn data_type(name: &str) -> DataType {
    let field = |name, field_type, required| Field::new(Identifier::new(name).unwrap(), field_type, required);
    let fields = vec![field("id", FieldType::String, true), field("weight", FieldType::Integer, false)];
    DataType { name: Identifier::new(name).unwrap(), fields, key: 0 }
}

fn line(key: usize, weight: &str) -> String {
    format!("{{\"id\":\"key {key:05}\",\"weight\":{weight}}}\n")
}

/// The first 30 %, of which a tenth will be changed.
fn before() -> String {
    (0..RECORDS * 3 / 10).map(|key| line(key, if key % 10 == 0 { "-1" } else { "7" })).collect()
}

fn input() -> String {
    let fresh = (0..RECORDS - AGAIN).map(|key| line(key, if key % 50 == 49 { "\"heavy\"" } else { "7" }));
    let again = (0..AGAIN).map(|number| line(number * 29, "8"));
    fresh.chain(again).collect()
}

fn spec(name: &str, source: Source, duplicates: Duplicates, batch_size: u32, dry_run: bool) -> Spec {
    Spec::import(ImportSpec {
        types: OwnTypes(vec![data_type(name)]),
        batch_size,
        duplicates,
        dry_run,
        sources: vec![source],
        ..ImportSpec::new(name, Format::Ndjson)
    })
}

async fn told(here: &Deployment, ended: &Operation) -> (State, Tally, Vec<(u64, String)>) {
    assert_eq!(ended.failure, None);
    let rejects = here.rejects(ended).await.unwrap();
    let rejects = rejects.iter().map(|one| (one.position.record(), one.faults[0].code.to_string())).collect();
    (ended.state, ended.tally.unwrap(), rejects)
}

async fn every_case_comes_true(here: Deployment, workers: usize) {
    let before = here.upload("before.ndjson", before()).await.unwrap();
    let input = here.upload("input.ndjson", input()).await.unwrap();
    for mode in [Duplicates::Reject, Duplicates::Skip, Duplicates::Overwrite, Duplicates::Merge] {
        let mut first = None;
        for batch_size in [5_000, 333, 50] {
            let name = format!("things_{workers}_{}_{batch_size}", mode.as_str());
            here.end(spec(&name, before.clone(), Duplicates::Reject, 5_000, false)).await.unwrap();
            let dry = here.end(spec(&name, input.clone(), mode, batch_size, true)).await.unwrap();
            let real = here.end(spec(&name, input.clone(), mode, batch_size, false)).await.unwrap();
            let (dry, real) = (told(&here, &dry).await, told(&here, &real).await);
            assert_eq!(dry, real, "{name}");
            assert_eq!(first.get_or_insert(real.clone()), &real, "{name}: other batches");
        }
        let (_, tally, _) = first.unwrap();
        let Tally { read, created, updated, unchanged, skipped, rejected, .. } = tally;
        let bad = (RECORDS - AGAIN) as u64 / 50;
        assert!(read == RECORDS as u64 && created > 1_000 && rejected >= bad, "{mode:?}: {tally:?}");
        match mode {
            Duplicates::Reject => assert!(rejected > 600 && skipped == 0, "{tally:?}"),
            Duplicates::Skip => assert!(skipped > 600 && rejected == bad, "{tally:?}"),
            Duplicates::Overwrite | Duplicates::Merge => {
                assert!(updated >= 60 && unchanged > 400 && skipped > 50 && rejected == bad, "{tally:?}");
            }
        }
    }
    here.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_dry_runs_come_true() {
    for workers in [1, 2, 8] {
        every_case_comes_true(Deployment::embedded_with(None, workers).await.unwrap(), workers).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_runs_of_a_fleet_come_true() {
    for workers in [1, 2, 8] {
        every_case_comes_true(Deployment::fleet_with(workers).await.unwrap(), workers).await;
    }
}
