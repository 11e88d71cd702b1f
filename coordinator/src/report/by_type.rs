//! What became of the records of each type, where an operation has several.

use carrack_shared::operation::Operation;
use carrack_shared::port::workers::SourceShare;
use carrack_shared::spec::Work;
use carrack_shared::tally::Tally;
use serde::{Deserialize, Serialize};

/// The counts of one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeTally {
    /// Its name.
    pub data_type: String,
    /// Its counts.
    #[serde(flatten)]
    pub tally: Tally,
}

/// The counts of each type of an operation that has ended, in the order in which they first stand in it. They
/// add up to those of the operation; none where they do not, for its books did not balance then.
pub fn by_type(operation: &Operation, shares: &[SourceShare]) -> Vec<TypeTally> {
    let names: Vec<&str> = match operation.spec.work() {
        Work::Export(export) => export.names(),
        Work::Undo(_) => return Vec::new(),
        Work::Import(import) => {
            let own = import.sources.iter().map(|source| source.data_type.as_deref());
            own.map(|own| own.unwrap_or(&import.data_type)).collect()
        }
    };
    let duplicates = operation.spec.as_import().map(|import| import.duplicates);
    let mut types: Vec<TypeTally> = Vec::new();
    for name in &names {
        if !types.iter().any(|known| known.data_type == *name) {
            types.push(TypeTally { data_type: (*name).to_owned(), tally: Tally::default() });
        }
    }
    for share in shares {
        let name = names.get(share.source as usize).copied().unwrap_or_default();
        let mine = types.iter_mut().find(|known| known.data_type == name);
        let tally = match operation.spec.is_staged() {
            // What was staged counts as it was decided.
            true => Ok(Tally { created: 0, read: share.ledger.read - share.ledger.created, ..share.ledger }),
            false => share.displaced.correct(share.ledger, duplicates),
        };
        if let (Some(mine), Ok(tally)) = (mine, tally) {
            mine.tally += tally;
        }
    }
    for decided in operation.decision.iter().flat_map(|decision| &decision.types) {
        if let Some(mine) = types.iter_mut().find(|known| known.data_type == decided.data_type) {
            mine.tally += decided.tally;
        }
    }
    let sum = types.iter().fold(Tally::default(), |sum, one| sum + one.tally);
    if operation.tally == Some(sum) { types } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use carrack_shared::operation::State;
    use carrack_shared::reconcile::Displacements;
    use carrack_shared::spec::Spec;

    use super::super::fixture::operation;
    use super::*;

    #[test]
    fn types_add_up_to_the_operation() {
        let mut done = operation(State::SucceededWithRejects, Some(9));
        let Spec::V1(Work::Import(import)) = &mut done.spec else { unreachable!() };
        let source = import.sources.remove(0);
        let typed =
            |name: &str| carrack_shared::spec::Source { data_type: Some(name.into()), ..source.clone() };
        import.sources = ["sessions", "contexts", "sessions", "pets"].map(typed).into();
        let ledger =
            |created, rejected| Tally { read: created + rejected, created, rejected, ..Tally::default() };
        let displaced = |created| Displacements { created, ..Displacements::default() };
        let share = |source, ledger, displaced| SourceShare { source, ledger, displaced };
        let shares = [
            share(0, ledger(3, 0), displaced(1)),
            share(1, ledger(2, 1), displaced(0)),
            share(2, ledger(3, 0), displaced(0)),
        ];
        let told = |name: &str, tally| TypeTally { data_type: name.into(), tally };
        let expected =
            [told("sessions", ledger(5, 1)), told("contexts", ledger(2, 1)), told("pets", Tally::default())];
        for (tally, expected) in [(ledger(7, 2), &expected[..]), (ledger(8, 1), &[])] {
            done.tally = Some(tally);
            assert_eq!(by_type(&done, &shares), expected);
        }
        let text = serde_json::to_string(&expected[0]).unwrap();
        let golden = concat!(
            r#"{"dataType":"sessions","read":6,"created":5,"updated":0,"unchanged":0,"skipped":0,"#,
            r#""rejected":1}"#
        );
        assert_eq!(text, golden);
        assert_eq!(serde_json::from_str::<TypeTally>(golden).unwrap(), expected[0]);
    }
}
