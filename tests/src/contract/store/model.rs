//! What a sequential run would do: the model to which every cut, order and race of batches is compared.

use std::collections::BTreeMap;

use carrack_shared::operation::Operation;
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::record::Position;
use carrack_shared::spec::Duplicates;
use carrack_shared::tally::{Counted, Tally};

use super::Fresh;
use super::fixture::{CONTEXTS, Record, SESSIONS, positions};
use super::import::Planned;

/// In the order of their names.
const TYPES: [&str; 2] = [CONTEXTS, SESSIONS];

/// Rows that stood in the table before, titles by id.
type Table = BTreeMap<String, String>;

/// A reject: its record, the code of its first fault, the record that won its key.
pub(super) type Refusal = (Position, String, Option<Position>);

/// What an import leaves behind.
#[derive(Default, Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// `id=title` in the order of the ids, type by type.
    pub(super) rows: Vec<String>,
    pub(super) tally: Tally,
    /// The tallies of the types that have records in the input.
    pub(super) by_type: Vec<Tally>,
    pub(super) rejects: Vec<Refusal>,
}

/// Record by record, in the order of the input, knowing nothing of batches.
fn sequential(mode: Duplicates, before: &Table, records: &[Record]) -> Outcome {
    let mut accepted: BTreeMap<&str, Vec<(Position, &Record)>> = BTreeMap::new();
    let (mut tally, mut rejects) = (Tally::default(), Vec::new());
    for (position, record) in positions(records).into_iter().zip(records) {
        let fault = record.fault().map(|fault| fault.code.to_string());
        let lacks = record.is_patch() && !before.contains_key(record.id());
        match fault.or_else(|| lacks.then(|| "required.missing".to_owned())) {
            Some(code) => {
                tally.count(Counted::Rejected);
                rejects.push((position, code, None));
            }
            None => accepted.entry(record.id()).or_default().push((position, record)),
        }
    }
    let mut table = before.clone();
    for (id, contenders) in accepted {
        let existing = before.get(id);
        let winner = match mode {
            Duplicates::Overwrite | Duplicates::Merge => contenders.last(),
            Duplicates::Skip | Duplicates::Reject => contenders.first().filter(|_| existing.is_none()),
        };
        if let Some((_, record)) = winner {
            tally.count(match existing {
                None => Counted::Created,
                Some(title) if title == record.title() => Counted::Unchanged,
                Some(_) => Counted::Updated,
            });
            table.insert(id.to_owned(), record.title().to_owned());
        }
        let winner = winner.map(|(position, _)| *position);
        for (position, _) in contenders.iter().filter(|(position, _)| Some(*position) != winner) {
            if mode == Duplicates::Reject {
                let code = if winner.is_some() { "duplicate.in_file" } else { "duplicate.existing" };
                rejects.push((*position, code.to_owned(), winner));
                tally.count(Counted::Rejected);
            } else {
                tally.count(Counted::Skipped);
            }
        }
    }
    rejects.sort();
    let rows = table.into_iter().map(|(id, title)| format!("{id}={title}")).collect();
    Outcome { rows, tally, by_type: vec![tally], rejects }
}

/// The same where records have several types, each with keys of its own.
pub(super) fn sequential_by_type(mode: Duplicates, before: &[Record], records: &[Record]) -> Outcome {
    let mut whole = Outcome::default();
    for data_type in TYPES {
        let of_type = |records: &[Record]| -> Vec<Record> {
            records.iter().filter(|record| record.data_type() == data_type).cloned().collect()
        };
        let before =
            of_type(before).iter().map(|one| (one.id().to_owned(), one.title().to_owned())).collect();
        let Outcome { rows, tally, rejects, .. } = sequential(mode, &before, &of_type(records));
        whole.rows.extend(rows);
        whole.tally += tally;
        whole.by_type.extend((tally.read > 0).then_some(tally));
        whole.rejects.extend(rejects);
    }
    whole.rejects.sort();
    whole
}

/// What an import that has ended left behind, of the rows whose ids begin with `prefix`.
pub(super) async fn outcome(fresh: &Fresh, import: &Planned, ended: &Operation, prefix: &str) -> Outcome {
    let tally = ended.tally.expect("an operation that has ended has a tally");
    let mut rows = Vec::new();
    for data_type in import.operation.spec.tables().unwrap() {
        rows.extend(rows_of_type(fresh, data_type.name.as_str(), prefix).await);
    }
    let by_type = tallies_by_type(import).await;
    Outcome { rows, tally, by_type, rejects: refusals(import).await }
}

/// As the report adds them up.
async fn tallies_by_type(import: &Planned) -> Vec<Tally> {
    let spec = import.operation.spec.as_import().expect("an import");
    let shares = import.store.sources(import.operation.id).await.unwrap();
    let of_type = |data_type: &str| {
        let mine =
            shares.iter().filter(|share| spec.type_of(share.source).unwrap().name.as_str() == data_type);
        let corrected =
            mine.map(|share| share.displaced.correct(share.ledger, Some(spec.duplicates)).unwrap());
        corrected.fold(Tally::default(), |sum, tally| sum + tally)
    };
    TYPES.map(of_type).into_iter().filter(|tally| tally.read > 0).collect()
}

/// `id=title` of the rows whose ids begin with `prefix`, in the order of the ids.
pub(super) async fn rows_of(fresh: &Fresh, prefix: &str) -> Vec<String> {
    rows_of_type(fresh, CONTEXTS, prefix).await
}

async fn rows_of_type(fresh: &Fresh, data_type: &str, prefix: &str) -> Vec<String> {
    let table = fresh.table(data_type);
    let query = format!(
        "SELECT \"id\" || '=' || \"title\" FROM {table} WHERE substr(\"id\", 1, {}) = '{prefix}' ORDER BY \"id\"",
        prefix.len()
    );
    fresh.texts(&query).await
}

/// The rejects of an import in the order of the input.
pub(super) async fn refusals(import: &Planned) -> Vec<Refusal> {
    let rejects = import.store.rejects(import.operation.id, &RejectPage::first(10_000)).await.unwrap();
    let refusal = |reject: &carrack_shared::fault::Reject| {
        (reject.position, reject.faults[0].code.to_string(), reject.winner)
    };
    rejects.iter().map(refusal).collect()
}
