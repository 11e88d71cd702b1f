//! What a dry run foretells, and whether the real run did what one had foretold.

use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::tally::{Counted, Tally};
use serde::{Deserialize, Serialize};

use super::errors::source_name;

/// A record of a dry run and what would become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExampleShown {
    /// What it would count as.
    pub counted: Counted,
    /// The file.
    pub file: String,
    /// Number of the record in its file, from 1.
    pub record: u64,
    /// Its key.
    pub key: String,
}

/// What an earlier dry run of the same files and options has foretold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prediction {
    /// The dry run.
    pub operation_id: OperationId,
    /// Whether everything came as it said.
    pub came_true: bool,
    /// The counts that it said.
    #[serde(flatten)]
    pub tally: Tally,
}

/// The first records of each count; none before a dry run has ended. What is rejected is told as errors.
pub(super) fn examples(operation: &Operation) -> Vec<ExampleShown> {
    let ended = operation.spec.is_dry_run() && operation.state.is_terminal();
    let decision = operation.decision.as_ref().filter(|_| ended);
    let all = decision.map(|decision| decision.examples()).unwrap_or_default();
    let shown =
        all.into_iter().filter(|example| example.counted != Counted::Rejected).map(|example| ExampleShown {
            counted: example.counted,
            file: source_name(operation, example.position.source()).to_owned(),
            record: example.position.record(),
            key: example.key.clone(),
        });
    shown.collect()
}

/// Compares an operation that has ended with the dry run before it.
pub fn prediction(operation: &Operation, dry_run: &Operation) -> Option<Prediction> {
    let (tally, found) = (dry_run.tally?, operation.tally?);
    Some(Prediction { operation_id: dry_run.id, came_true: found == tally, tally })
}

#[cfg(test)]
mod tests {
    use carrack_shared::operation::State;
    use carrack_shared::record::Position;
    use carrack_shared::spec::{Spec, Work};
    use carrack_shared::staging::{Decision, Example, TypeDecision};

    use super::super::fixture::operation;
    use super::*;

    #[test]
    fn examples_are_told_once_a_dry_run_has_ended() {
        let example =
            |counted, record| Example { counted, position: Position::new(0, record), key: "k".into() };
        let examples_of = vec![example(Counted::Created, 7), example(Counted::Rejected, 8)];
        let decided = TypeDecision { examples: examples_of, ..TypeDecision::new("contexts") };
        for (state, dry_run, expected) in [
            (State::Succeeded, true, &[7_u64][..]),
            (State::Finalising, true, &[]),
            (State::Succeeded, false, &[]),
        ] {
            let mut operation = operation(state, Some(9));
            let Spec::V1(Work::Import(import)) = &mut operation.spec else { unreachable!() };
            import.dry_run = dry_run;
            operation.decision = Some(Decision { types: vec![decided.clone()], findings: None });
            let told: Vec<_> = examples(&operation).iter().map(|example| example.record).collect();
            assert_eq!(told, expected, "{state:?} {dry_run}");
        }
    }

    #[test]
    fn a_prediction_came_true_or_not() {
        let tally = Tally { read: 9, created: 9, ..Tally::default() };
        let ended = |tally| Operation { tally: Some(tally), ..operation(State::Succeeded, Some(9)) };
        for (real, came_true) in [(tally, true), (Tally { created: 8, skipped: 1, ..tally }, false)] {
            assert_eq!(prediction(&ended(real), &ended(tally)).unwrap().came_true, came_true);
        }
        assert_eq!(prediction(&operation(State::Running, None), &ended(tally)), None);
    }
}
