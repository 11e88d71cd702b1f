//! What becomes of staged records: those of an operation that first only puts its rows aside and decides on all
//! of them at once, when the last batch is done. A dry run tells what was decided; nothing else happens.

use serde::{Deserialize, Serialize};

use crate::duplicates::Books;
use crate::limits::{EXAMPLES, PUBLISHED_REFUSED};
use crate::record::Position;
use crate::tally::{Counted, Tally};
use crate::verify::Findings;

/// What was decided on an operation when its last batch was done: on its staged records, as of one moment, or by
/// comparing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// For each type of the operation, in the order of [`crate::spec::Spec::tables`].
    pub types: Vec<TypeDecision>,
    /// What was found, where it is a verification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<Findings>,
}

/// What was decided on the records of one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeDecision {
    /// Its name.
    pub data_type: String,
    /// The counts; `read` counts the staged records.
    pub tally: Tally,
    /// The first records of each count, in the order of the input.
    pub examples: Vec<Example>,
}

/// A record and what it counts as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// What it counts as.
    pub counted: Counted,
    /// The record.
    #[serde(with = "stored")]
    pub position: Position,
    /// Its key.
    pub key: String,
}

impl Decision {
    /// The counts of all types.
    pub fn tally(&self) -> Tally {
        self.types.iter().fold(Tally::default(), |sum, one| sum + one.tally)
    }

    /// The first records of each count over all types, in the order of the input.
    pub fn examples(&self) -> Vec<&Example> {
        let mut all: Vec<&Example> = self.types.iter().flat_map(|one| &one.examples).collect();
        all.sort_by_key(|example| (example.counted.as_str(), example.position));
        let same = |a: &&Example, b: &&Example| a.counted == b.counted;
        let first = all.chunk_by(same).flat_map(|of_one| of_one.iter().take(EXAMPLES as usize));
        let mut first: Vec<&Example> = first.copied().collect();
        first.sort_by_key(|example| example.position);
        first
    }
}

impl TypeDecision {
    /// Nothing decided yet.
    pub fn new(data_type: &str) -> Self {
        Self { data_type: data_type.to_owned(), tally: Tally::default(), examples: Vec::new() }
    }

    /// Adds a group: `total` records that count as `counted`.
    pub fn add(&mut self, counted: Counted, total: u64) {
        self.tally.add(counted, total);
    }

    /// Adds one record, in any order.
    pub fn note(&mut self, counted: Counted, position: Position, key: &str) {
        self.tally.count(counted);
        let same = self.examples.iter().filter(|example| example.counted == counted);
        let last = same.clone().map(|example| example.position).max();
        if same.count() == EXAMPLES as usize {
            if last < Some(position) {
                return;
            }
            self.examples.retain(|example| Some(example.position) != last);
        }
        let index = self.examples.partition_point(|example| example.position < position);
        self.examples.insert(index, Example { counted, position, key: key.to_owned() });
    }
}

/// A staged record that only the table refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The record.
    pub position: Position,
    /// What the table says.
    pub reason: String,
}

/// What came of loading the staged records of one type that had won their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tried {
    /// What they counted as.
    pub tally: Tally,
    /// Those that the table refused.
    pub refused: Vec<Refused>,
    /// Whether a key was taken since it was decided on them, where that makes a reject.
    pub raced: bool,
}

impl Tried {
    /// Adds what came of a piece.
    pub fn add(&mut self, books: &Books<'_>) {
        self.tally += books.tally;
        for (_, displaced, _) in &books.displaced {
            self.tally.recount(displaced.counted, Counted::Skipped);
        }
        for reject in &books.rejects {
            let refusal = reject.faults.iter().find(|fault| fault.code == "table.refused");
            match refusal {
                Some(fault) => {
                    let (position, reason) = (reject.position, fault.message.clone());
                    self.refused.push(Refused { position, reason });
                }
                None => self.raced = true,
            }
        }
    }

    /// Whether nothing will be published, whatever comes of the rest.
    pub fn is_hopeless(&self) -> bool {
        self.raced || self.refused.len() >= PUBLISHED_REFUSED
    }
}

impl TypeDecision {
    /// What the decision came to. Others may have written to the table since: what was loaded counts. Where the table
    /// refused records nothing was loaded.
    pub fn came_to(&mut self, tried: &Tried) {
        if !tried.refused.is_empty() {
            self.tally = self.tally.left_out();
            for _ in &tried.refused {
                self.tally.recount(Counted::Skipped, Counted::Rejected);
            }
            return;
        }
        let Tally { created, updated, unchanged, .. } = tried.tally;
        let skipped = self.tally.read.saturating_sub(created + updated + unchanged);
        self.tally =
            Tally { read: self.tally.read, created, updated, unchanged, skipped, rejected: 0, filtered: 0 };
    }
}

mod stored {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::record::Position;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
    pub fn serialize<S: Serializer>(position: &Position, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(position.stored())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Position, D::Error> {
        i64::deserialize(from).map(Position::from_stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_count_are_shown_over_all_types() {
        let example =
            |counted, record| Example { counted, position: Position::new(0, record), key: "k".into() };
        let of = |name: &str, first: u64, counted| {
            let mut one = TypeDecision::new(name);
            one.add(counted, 30);
            one.examples = (first..first + u64::from(EXAMPLES)).map(|n| example(counted, n)).collect();
            one
        };
        let decision = Decision {
            types: vec![
                of("a", 100, Counted::Created),
                of("b", 1, Counted::Created),
                of("c", 5, Counted::Skipped),
            ],
            findings: None,
        };
        let shown = decision.examples();
        assert_eq!(shown.len(), 2 * EXAMPLES as usize);
        assert!(shown.iter().all(|one| one.position.record() < 100), "{shown:?}");
        assert_eq!(decision.tally(), Tally { read: 90, created: 60, skipped: 30, ..Tally::default() });
        let text = serde_json::to_string(&decision).unwrap();
        assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision);
    }
}
