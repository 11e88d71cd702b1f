//! However many workers there are and wherever the file is cut: the rows, the rejects and the counts of an import
//! are those of one worker that reads the file in one batch, in every error mode and every duplicate mode, on both
//! sets of adapters.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use carrack_shared::fault::Reject;
use carrack_shared::format::Format;
use carrack_shared::operation::{Failure, State};
use carrack_shared::schema::{Constraints, DataType, Field, FieldType, Identifier};
use carrack_shared::spec::{Duplicates, ErrorHandling, ExportSpec, ImportSpec, OwnTypes, Source, Spec};
use carrack_shared::tally::Tally;
use carrack_tests::deployment::Deployment;
use futures_util::{StreamExt as _, stream};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Fits into one batch.
const RECORDS: u64 = 600;
/// So that a key has several records.
const KEYS: u64 = 350;
/// Of them, these have a row before.
const BEFORE: u64 = 150;
/// The first of these is that of the sequential run.
const BATCH_SIZES: [u32; 3] = [5_000, 97, 23];
const SEED: u64 = 20;

/// Imports that run beside one another, each into its own table.
const AT_ONCE: usize = 4;

const MODES: [Duplicates; 4] =
    [Duplicates::Reject, Duplicates::Skip, Duplicates::Overwrite, Duplicates::Merge];

/// What is imported, and how.
const CASES: [(&str, ErrorHandling); 4] = [
    ("mixed", ErrorHandling::Lenient),
    ("mixed", ErrorHandling::SkipErrors),
    ("mixed", ErrorHandling::Strict),
    ("good", ErrorHandling::Strict),
];

/// A type of its own for each import: the same database, another table.
fn data_type(name: &str) -> DataType {
    let field = |name: &str, field_type| Field::new(Identifier::new(name).unwrap(), field_type, false);
    let mut fields = vec![
        Field::new(Identifier::new("id").unwrap(), FieldType::String, true),
        field("weight", FieldType::Integer),
        field("born", FieldType::Date),
        field("tags", FieldType::Array),
    ];
    fields[1].constraints = Constraints { maximum: Some("1000".into()), ..Constraints::default() };
    DataType { name: Identifier::new(name).unwrap(), fields, key: 0 }
}

fn good(random: &mut StdRng) -> String {
    let key = random.random_range(0..KEYS);
    let weight = random.random_range(0..3);
    match random.random_range(0..4) {
        0 => format!(r#"{{"id":"key {key:03}","weight":{weight}}}"#),
        1 => format!(r#"{{"id":"key {key:03}","weight":{weight},"born":null,"more":{{"a":[{weight}]}}}}"#),
        2 => format!(r#"{{"id":"key {key:03}","born":"2024-05-0{}","tags":["a","{weight}"]}}"#, weight + 1),
        _ => format!(r#"{{"id":"key {key:03}"}}"#),
    }
}

/// One of every kind of fault, some with a key that others have.
fn bad(random: &mut StdRng) -> String {
    let key = random.random_range(0..KEYS);
    match random.random_range(0..8) {
        0 => format!(r#"{{"id":"key {key:03}","weight":"heavy"}}"#),
        1 => format!(r#"{{"id":"key {key:03}","weight":1001,"born":"never"}}"#),
        2 => r#"{"weight":1}"#.into(),
        3 => r#"{"id":""}"#.into(),
        4 => format!(r#"{{"id":"key {key:03}","id":"again"}}"#),
        5 => format!(r#"{{"id":"key {key:03}","tags":[1,}}"#),
        6 => "no object".into(),
        _ => format!(r#"{{"id":"{}"}}"#, "k".repeat(2_000)),
    }
}

fn file(name: &str) -> String {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut lines = String::new();
    for _ in 0..RECORDS {
        let is_bad = name == "mixed" && random.random_range(0..10) == 0;
        let line = if is_bad { bad(&mut random) } else { good(&mut random) };
        let _ = writeln!(lines, "{line}");
    }
    lines
}

/// Every other row as the import may bring it, too.
fn before() -> String {
    (0..BEFORE).map(|key| format!("{{\"id\":\"key {key:03}\",\"weight\":{}}}\n", key % 2 * 50)).collect()
}

fn import(name: &str, source: &Source, how: (ErrorHandling, Duplicates, u32)) -> Spec {
    let (error_handling, duplicates, batch_size) = how;
    Spec::import(ImportSpec {
        types: OwnTypes(vec![data_type(name)]),
        batch_size,
        error_handling,
        duplicates,
        sources: vec![source.clone()],
        ..ImportSpec::new(name, Format::Ndjson)
    })
}

fn export(name: &str) -> Spec {
    Spec::export(ExportSpec {
        types: OwnTypes(vec![data_type(name)]),
        ..ExportSpec::new(name, Format::Ndjson)
    })
}

/// All that an import leaves behind.
#[derive(Debug, Clone, PartialEq)]
struct Left {
    state: State,
    failure: Option<Failure>,
    tally: Option<Tally>,
    rejects: Vec<Reject>,
    rows: String,
}

/// What a case is called, and the size of its batches.
type Case = (String, u32);

/// What each case leaves behind with so many workers.
async fn left(here: Deployment, sizes: &[u32]) -> BTreeMap<Case, Left> {
    let before = here.upload("before.ndjson", before()).await.unwrap();
    let mixed = here.upload("mixed.ndjson", file("mixed")).await.unwrap();
    let good = here.upload("good.ndjson", file("good")).await.unwrap();
    let mut imports = Vec::new();
    for (input, handling) in CASES {
        let source = if input == "mixed" { &mixed } else { &good };
        for mode in MODES {
            let case = format!("{input}_{handling:?}_{}", mode.as_str()).to_lowercase();
            imports.extend(sizes.iter().map(|size| (case.clone(), source.clone(), (handling, mode, *size))));
        }
    }
    let ends = stream::iter(imports).map(async |(case, source, how)| {
        let name = format!("{case}_{}", how.2);
        let first = (ErrorHandling::Strict, Duplicates::Reject, BATCH_SIZES[0]);
        let seeded = here.end(import(&name, &before, first)).await.unwrap();
        assert_eq!(seeded.state, State::Succeeded, "{:?}", seeded.failure);
        let ended = here.end(import(&name, &source, how)).await.unwrap();
        let rejects = here.rejects(&ended).await.unwrap();
        let export = here.end(export(&name)).await.unwrap();
        let rows = String::from_utf8(here.file(&export).await.unwrap()).unwrap();
        let (state, failure, tally) = (ended.state, ended.failure, ended.tally);
        ((case, how.2), Left { state, failure, tally, rejects, rows })
    });
    let all = ends.buffer_unordered(AT_ONCE).collect().await;
    here.stop().await;
    all
}

/// The sequential run is what the cases are meant to be.
fn is_telling(sequential: &BTreeMap<Case, Left>) {
    let of = |case: &str| &sequential[&(case.to_owned(), BATCH_SIZES[0])];
    for mode in MODES {
        let lenient = of(&format!("mixed_lenient_{}", mode.as_str()));
        let tally = lenient.tally.unwrap();
        assert!(lenient.state == State::SucceededWithRejects && tally.created > 100, "{tally:?}");
        let codes: std::collections::BTreeSet<_> =
            lenient.rejects.iter().flat_map(|reject| &reject.faults).map(|fault| &fault.code).collect();
        assert!(codes.len() >= 7, "{codes:?}");
        let strict = of(&format!("mixed_strict_{}", mode.as_str()));
        assert!(strict.state == State::Failed && strict.rows.lines().count() as u64 == BEFORE);
        let (first, failure) = (&strict.rejects[0], strict.failure.as_ref().unwrap());
        assert!(failure.message.contains(&format!("record {} ", first.position.record())), "{failure:?}");
    }
    let told = |case: &str| {
        let Tally { created, updated, unchanged, skipped, rejected, .. } = of(case).tally.unwrap();
        [created, updated, unchanged, skipped, rejected].map(|count| count > 0)
    };
    assert_eq!(told("mixed_lenient_reject"), [true, false, false, false, true]);
    assert_eq!(told("mixed_lenient_skip"), [true, false, false, true, true]);
    assert_eq!(told("mixed_lenient_overwrite"), [true, true, true, true, true]);
    assert_eq!(told("mixed_lenient_merge"), [true, true, true, true, true]);
    assert_eq!(told("good_strict_overwrite"), [true, true, true, true, false]);
    assert_eq!(of("good_strict_reject").state, State::Failed);
}

/// As the first, with more workers.
fn are_equal(sequential: &BTreeMap<Case, Left>, found: &BTreeMap<Case, Left>, what: &str) {
    for ((case, size), left) in found {
        let expected = &sequential[&(case.clone(), BATCH_SIZES[0])];
        let shown = |left: &Left| format!("{:?} {:?} {:?}", left.state, left.failure, left.tally);
        assert_eq!(shown(left), shown(expected), "{case}, batches of {size}, {what}");
        assert_eq!(left.rejects, expected.rejects, "{case}, batches of {size}, {what}");
        assert_eq!(left.rows, expected.rows, "{case}, batches of {size}, {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_a_sequential_run_whatever_its_workers_and_batches() {
    let sequential = left(Deployment::embedded_with(None, 1).await.unwrap(), &BATCH_SIZES).await;
    is_telling(&sequential);
    are_equal(&sequential, &sequential, "one worker");
    for workers in [2, 8] {
        let here = Deployment::embedded_with(None, workers).await.unwrap();
        are_equal(&sequential, &left(here, &BATCH_SIZES[1..]).await, &format!("embedded, {workers} workers"));
    }
    for workers in [1, 2, 8] {
        let here = Deployment::fleet_with(workers).await.unwrap();
        are_equal(&sequential, &left(here, &BATCH_SIZES[1..]).await, &format!("fleet, {workers} workers"));
    }
}
