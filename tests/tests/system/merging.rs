//! Imports that merge: whatever batches and workers do, rows, counts and rejects are those of one sequential run, as
//! a dry run foretells them, and an undo takes all of it back.

use carrack_coordinator::start;
use carrack_shared::format::Format;
use carrack_shared::operation::State;
use carrack_shared::spec::{Duplicates, ErrorHandling, ExportSpec, ImportSpec, Source, Spec};
use carrack_shared::tally::Tally;
use carrack_tests::deployment::Deployment;
use carrack_tests::partial::{self, Documents};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;

/// Records of an import; of the first one every key has about five. Each further one has as many new keys.
const RECORDS: usize = 500;
const KEYS: u32 = 100;

fn spec(source: Source, duplicates: Duplicates, batch_size: u32) -> ImportSpec {
    ImportSpec {
        batch_size,
        duplicates,
        sources: vec![source],
        ..ImportSpec::new("contexts", Format::Ndjson)
    }
}

async fn rows(here: &Deployment) -> Documents {
    let export = Spec::export(ExportSpec::new("contexts", Format::Ndjson));
    let ended = here.end(export).await.unwrap();
    let lines = String::from_utf8(here.file(&ended).await.unwrap()).unwrap();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        (row["id"].as_str().unwrap().to_owned(), row)
    };
    lines.lines().map(row).collect()
}

fn lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

async fn every_cut_ends_as_one_run(here: Deployment, workers: usize) {
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let whole = |key: u32| serde_json::json!({"id": format!("key {key:04}"), "title": "0", "content": "some content"});
    let first: Vec<Value> = (0..KEYS / 3).map(|key| whole(key * 3)).collect();
    let first = here.upload("first.ndjson", lines(&first)).await.unwrap();
    here.end(Spec::import(spec(first, Duplicates::Reject, 5_000))).await.unwrap();
    for (batch_size, keys) in [(5_000, KEYS), (97, 2 * KEYS), (13, 3 * KEYS)] {
        let told = format!("seed {seed}: {workers} workers, batches of {batch_size}");
        let before = rows(&here).await;
        let mut records: Vec<Value> = (0..RECORDS).map(|_| partial::record(&mut random, keys)).collect();
        let expected = partial::sequential(&before, &records);
        let [created, updated, unchanged, skipped, rejected] = expected.counts;
        let tally =
            Tally { read: RECORDS as u64, created, updated, unchanged, skipped, rejected, filtered: 0 };
        assert!(created > 20 && updated > 20 && skipped > 20 && rejected > 20, "{told}: {tally:?}");
        let source = here.upload(&format!("{batch_size}.ndjson"), lines(&records)).await.unwrap();
        let import = spec(source, Duplicates::Merge, batch_size);
        let dry = here.end(Spec::import(ImportSpec { dry_run: true, ..import.clone() })).await.unwrap();
        let real = here.end(Spec::import(import.clone())).await.unwrap();
        for ended in [&dry, &real] {
            assert_eq!((ended.failure.clone(), ended.tally), (None, Some(tally)), "{told}");
            let rejects = here.rejects(ended).await.unwrap();
            assert!(
                rejects.iter().all(|one| one.faults[0].code == "required.missing"),
                "{told}: {rejects:?}"
            );
            let lacking: Vec<u64> = rejects.iter().map(|one| one.position.record()).collect();
            assert_eq!(lacking, expected.lacking, "{told}");
        }
        assert_eq!(rows(&here).await, expected.rows, "{told}");
        let undo = here.end(start::undo_spec(&here.ports, real.id, false).await.unwrap()).await.unwrap();
        assert_eq!((undo.state, undo.failure), (State::Succeeded, None), "{told}");
        assert_eq!(rows(&here).await, before, "{told}: undone");
        // All or nothing: nothing, and then without those that are refused, all.
        let strict = |source| ImportSpec {
            error_handling: ErrorHandling::Strict,
            ..spec(source, Duplicates::Merge, batch_size)
        };
        let refused = here.end(Spec::import(strict(import.sources[0].clone()))).await.unwrap();
        assert_eq!(refused.failure.map(|failure| failure.code).as_deref(), Some("strict.rejected"), "{told}");
        assert_eq!(rows(&here).await, before, "{told}: all or nothing");
        let mut number = 0;
        records.retain(|_| {
            number += 1;
            !expected.lacking.contains(&number)
        });
        let source = here.upload(&format!("{batch_size}-good.ndjson"), lines(&records)).await.unwrap();
        let published = here.end(Spec::import(strict(source))).await.unwrap();
        let all = Tally { read: tally.read - rejected, rejected: 0, ..tally };
        assert_eq!((published.failure, published.tally), (None, Some(all)), "{told}");
        assert_eq!(rows(&here).await, expected.rows, "{told}: published");
        // The next ones meet rows that were merged before, or those of before.
        let undone = random.random_bool(0.5).then_some(published.id);
        if let Some(id) = undone {
            here.end(start::undo_spec(&here.ports, id, false).await.unwrap()).await.unwrap();
            assert_eq!(rows(&here).await, before, "{told}: undone again");
        }
    }
    here.stop().await;
}

/// Such a row could be exported, and not imported again.
async fn no_row_grows_larger_than_a_record_may_be(here: Deployment) {
    let (id, large) = ("large", "x".repeat(9 << 20));
    let upload = async |name: &str, records: &[Value]| here.upload(name, lines(records)).await.unwrap();
    let first = serde_json::json!({"id": id, "title": "t", "content": large});
    let first = upload("first.ndjson", &[first]).await;
    here.end(Spec::import(spec(first, Duplicates::Reject, 5_000))).await.unwrap();
    let before = rows(&here).await;
    let source = upload(
        "merged.ndjson",
        &[
            serde_json::json!({"id": id, "title": large}),
            serde_json::json!({"id": id, "tags": ["a"]}),
            serde_json::json!({"id": "other", "title": "t", "content": large}),
        ],
    )
    .await;
    let import = spec(source, Duplicates::Merge, 5_000);
    let dry = here.end(Spec::import(ImportSpec { dry_run: true, ..import.clone() })).await.unwrap();
    let strict = ImportSpec { error_handling: ErrorHandling::Strict, ..import.clone() };
    let strict = here.end(Spec::import(strict)).await.unwrap();
    assert_eq!(strict.failure.clone().unwrap().code, "strict.rejected");
    assert_eq!(rows(&here).await, before);
    let real = here.end(Spec::import(import)).await.unwrap();
    for ended in [&dry, &strict, &real] {
        let rejects = here.rejects(ended).await.unwrap();
        let told: Vec<_> =
            rejects.iter().map(|one| (one.position.record(), one.faults[0].code.as_ref())).collect();
        assert_eq!(told, [(1, "merge.too_large")], "{ended:?}");
    }
    let expected = Tally { read: 3, created: 1, updated: 1, rejected: 1, ..Tally::default() };
    assert_eq!([dry.tally, real.tally], [Some(expected); 2]);
    let after = rows(&here).await;
    assert_eq!((&after[id]["title"], &after[id]["tags"]), (&"t".into(), &serde_json::json!(["a"])));
    here.stop().await;
}

/// More than is held at a time, so that their rows are read in pieces.
async fn large_rows_are_merged_with(here: Deployment) {
    let text = "x".repeat(1 << 20);
    let records = |members: &dyn Fn(usize) -> Value| (0..60).map(members).collect::<Vec<_>>();
    let first =
        records(&|number| serde_json::json!({"id": format!("{number:02}"), "title": "t", "content": text}));
    let first = here.upload("first.ndjson", lines(&first)).await.unwrap();
    here.end(Spec::import(spec(first, Duplicates::Reject, 5_000))).await.unwrap();
    let before = rows(&here).await;
    // Every second row is one that is there.
    let more = records(
        &|number| serde_json::json!({"id": format!("{:02}", 2 * number), "title": number.to_string(), "content": text}),
    );
    let source = here.upload("more.ndjson", lines(&more)).await.unwrap();
    let patches = records(&|number| serde_json::json!({"id": format!("{number:02}"), "tags": [number]}));
    let patches = here.upload("patches.ndjson", lines(&patches)).await.unwrap();
    let import = spec(patches, Duplicates::Merge, 5_000);
    let dry = here.end(Spec::import(ImportSpec { dry_run: true, ..import.clone() })).await.unwrap();
    let real = here.end(Spec::import(import)).await.unwrap();
    let expected = Tally { read: 60, updated: 60, ..Tally::default() };
    assert_eq!([dry.tally, real.tally], [Some(expected); 2], "{:?}", real.failure);
    let after = rows(&here).await;
    for (number, (id, row)) in after.iter().enumerate() {
        assert_eq!((&row["tags"], &row["content"]), (&serde_json::json!([number]), &before[id]["content"]));
    }
    let undo = here.end(start::undo_spec(&here.ports, real.id, false).await.unwrap()).await.unwrap();
    assert_eq!((undo.tally, rows(&here).await == before), (Some(expected), true));
    let merged = here.end(Spec::import(spec(source, Duplicates::Merge, 5_000))).await.unwrap();
    assert_eq!(merged.tally, Some(Tally { read: 60, created: 30, updated: 30, ..Tally::default() }));
    here.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_rows_of_either_store_are_merged_with() {
    for here in [Deployment::embedded(None).await, Deployment::fleet().await] {
        large_rows_are_merged_with(here.unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_of_either_store_grows_larger_than_a_record_may_be() {
    for here in [Deployment::embedded(None).await, Deployment::fleet().await] {
        no_row_grows_larger_than_a_record_may_be(here.unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_merges_end_as_one_run() {
    for workers in [1, 2, 8] {
        every_cut_ends_as_one_run(Deployment::embedded_with(None, workers).await.unwrap(), workers).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_of_a_fleet_end_as_one_run() {
    for workers in [1, 2, 8] {
        every_cut_ends_as_one_run(Deployment::fleet_with(workers).await.unwrap(), workers).await;
    }
}
