//! Deciding on the staged records of an import that merges: key by key in the order of the input, one row in memory.

use super::{Fold, Held, LeftOut, Merging, too_large};
use crate::operation::OperationId;
use crate::record::{Position, Rows};
use crate::staging::TypeDecision;
use crate::tally::Counted;

/// A staged record that becomes a reject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The record.
    pub position: Position,
    /// Its key.
    pub key: String,
    /// Why its table takes nothing under that key, or not so much; none where the record lacks fields.
    pub refused: Option<String>,
}

/// Decides. It is given the records in the order of their keys, and those of a key in the order of the input.
#[derive(Debug)]
pub struct Decider<'merging> {
    merging: &'merging Merging,
    operation: OperationId,
    key: Option<Vec<u8>>,
    /// The records of the key; why it takes none where its row cannot be read.
    fold: Result<Fold<'merging>, String>,
    /// The last record of the key that was merged, and the one that was before it.
    last: Option<Position>,
    decision: TypeDecision,
    rejected: Vec<Rejected>,
}

impl<'merging> Decider<'merging> {
    /// Nothing was decided yet.
    pub fn new(merging: &'merging Merging, operation: OperationId) -> Self {
        let decision = TypeDecision::new(merging.data_type.name.as_str());
        let fold = Ok(merging.begin(operation, None, None));
        Self { merging, operation, key: None, fold, last: None, decision, rejected: Vec::new() }
    }

    /// Whether the records of another key begin with this one.
    pub fn is_new(&self, key: &[u8]) -> bool {
        self.key.as_deref() != Some(key)
    }

    /// Begins the next key with the row that it holds, or with why that cannot be read.
    pub fn begin(&mut self, key: &[u8], held: Result<Option<Held<'_>>, String>) {
        self.close();
        self.key = Some(key.to_vec());
        self.fold = held.map(|held| self.merging.begin(self.operation, held, None));
    }

    /// Decides on the next record of the key.
    pub fn add(&mut self, rows: &Rows, row: usize) {
        let position = rows.origin(row).position;
        let merged = self.fold.as_mut().map(|fold| fold.add(rows, row));
        if let Ok(None) = merged {
            if let Some(before) = self.last.replace(position) {
                self.decision.note(Counted::Skipped, before, &String::from_utf8_lossy(rows.key(row)));
            }
            return;
        }
        let refused = match merged {
            Ok(left_out) => left_out.filter(|why| *why == LeftOut::TooLarge).map(|_| too_large()),
            Err(reason) => Some(reason.clone()),
        };
        let key = String::from_utf8_lossy(rows.key(row)).into_owned();
        self.decision.note(Counted::Rejected, position, &key);
        self.rejected.push(Rejected { position, key, refused });
    }

    /// Takes the rejects of the records so far.
    pub fn take_rejected(&mut self) -> Vec<Rejected> {
        std::mem::take(&mut self.rejected)
    }

    /// What was decided.
    pub fn end(mut self) -> TypeDecision {
        self.close();
        self.decision
    }

    fn close(&mut self) {
        let nothing = Ok(self.merging.begin(self.operation, None, None));
        let (fold, key) = (std::mem::replace(&mut self.fold, nothing), self.key.take());
        let mut out = Rows::new(self.merging.data_type.clone(), bytes::Bytes::new(), 0, 0);
        self.last = None;
        if let (Ok(fold), Some(key)) = (fold, key)
            && let Some(merged) = fold.end(&mut out)
        {
            let (position, counted) = merged.counted;
            self.decision.note(counted, position, &String::from_utf8_lossy(&key));
        }
    }
}
