//! Merging: a record changes the fields that it has, and leaves the others as they are; objects are merged member by
//! member, at every depth, and everything else is replaced whole.
//!
//! For each field the last record that has it wins, in the order of the input; else it is as it was before the
//! import. So an import remembers for each row that it touches which record has set what ([`Marks`]), and its records
//! may come in any order and in any batches. A row that it has created from one record needs no memory of it: all
//! of the row is that record's.
//!
//! One record of each key counts, as what became of its row since before the import; all others are skipped. A batch
//! that meets a row which was counted before displaces the record that was, whichever of them is the later one.
//!
//! A *patch* lacks fields that are required. It may only change a row that was there before the import: one that the
//! import itself has created would have to be complete with any order of its records.
//!
//! Defaults of the schema belong to the first record of a row that the import creates, where that does not have the
//! field, and count as set before it.

mod decider;
mod document;
mod marks;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::document::{At, BEFORE, Document, Name, Node};
use super::{Displaced, Existing, Takeover};
use crate::fault::Fault;
use crate::limits::{RECORD_BYTES, TEMPLATE_BYTES};
use crate::operation::OperationId;
use crate::pipeline::checks;
use crate::pipeline::validate;
use crate::record::{Cell, Origin, Position, RecordHash, Rows, Value};
use crate::schema::DataType;
use crate::tally::Counted;

pub use decider::{Decider, Rejected};
pub use marks::{Mark, Marks, ObjectMark};

/// How records of a type are merged.
#[derive(Debug)]
pub struct Merging {
    data_type: Arc<DataType>,
    names: Vec<Name>,
    /// Fields that a record must have, or be a patch.
    required: Vec<usize>,
    defaults: Vec<(usize, Node)>,
}

/// The row that holds a key.
#[derive(Debug, Clone, Copy)]
pub struct Held<'rows> {
    /// Who has written it.
    pub existing: Existing,
    /// Its values.
    pub rows: &'rows Rows,
    /// Its number among these.
    pub row: usize,
}

/// What the import remembers of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Who was counted for it. Where the import has created the row, it has no hash before.
    pub takeover: Takeover,
    /// Who has set what.
    pub marks: Marks,
}

/// How the row is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// The key is free.
    Insert,
    /// Over the row that is there.
    Update,
    /// Not at all: it has these values already.
    Keep,
}

/// What came of the records of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The record that counts: the last one.
    pub counted: (Position, Counted),
    /// Records that were merged and do not count.
    pub skipped: u64,
    /// Where its row stands in the rows that were given, unless it is kept.
    pub write: Write,
    /// The record that was counted before.
    pub displaced: Option<Displaced>,
    /// To be remembered; none for a row that is created from one record alone.
    pub remembered: Option<Remembered>,
}

/// The records of one key, while they are merged.
#[derive(Debug)]
pub struct Fold<'merging> {
    merging: &'merging Merging,
    operation: OperationId,
    existing: Option<Existing>,
    /// Hash of the row as it is now.
    now: RecordHash,
    /// Hash of the row as it was before the import; none where there was none.
    before: Option<RecordHash>,
    holder: Option<Displaced>,
    document: Option<Document>,
    /// The first record, where the import creates the row.
    first: Option<At>,
    last: Option<Position>,
    merged: u64,
    /// Bytes that the row has at most.
    most: u64,
}

/// Why a record is not merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// It lacks required fields, and there was no row before the import.
    Lacking,
    /// Its row would have more than [`RECORD_BYTES`].
    TooLarge,
}

/// What is told of a record that would make its row too large.
pub fn too_large() -> String {
    format!("the row would have values of more than {RECORD_BYTES} bytes, expected at most so many")
}

impl Remembered {
    /// From what is stored. Without marks it is a row that the import has created from one record alone, and another
    /// import has gone over.
    pub fn new(takeover: Takeover, marks: Option<Marks>) -> Self {
        let first = (takeover.counted == Counted::Created).then(|| takeover.position.stored());
        Self { takeover, marks: marks.unwrap_or_else(|| Marks { first, ..Marks::default() }) }
    }
}

impl Merging {
    /// For a type as its operation has it. Without a check of the schema there are neither patches nor defaults.
    pub fn new(data_type: &Arc<DataType>, validate_schema: bool) -> Self {
        let mut merging = Self {
            data_type: Arc::clone(data_type),
            names: data_type.fields.iter().map(|field| Name::new(field.name.as_str())).collect(),
            required: Vec::new(),
            defaults: Vec::new(),
        };
        if validate_schema {
            merging.required = validate::may_be_lacked(data_type).collect();
            merging.defaults = defaults(data_type);
        }
        merging
    }

    /// Whether every row that is created is as its record is.
    pub fn is_plain(&self) -> bool {
        self.defaults.is_empty()
    }

    /// Whether a record lacks required fields.
    pub fn is_patch(&self, rows: &Rows, row: usize) -> bool {
        let missing = |slot: &usize| rows.value(row, *slot) == Value::Missing;
        if !self.required.iter().any(missing) {
            return false;
        }
        let record = Document::of(rows, row, BEFORE);
        self.required.iter().any(|slot| !record.has(*slot))
    }

    /// What is wrong with a record that was left out.
    pub fn faults(&self, rows: &Rows, row: usize, left_out: LeftOut) -> Vec<Fault> {
        match left_out {
            LeftOut::Lacking => self.lacks(rows, row),
            LeftOut::TooLarge => vec![super::refused(too_large())],
        }
    }

    /// What is wrong with a patch where there is no row.
    pub fn lacks(&self, rows: &Rows, row: usize) -> Vec<Fault> {
        let record = Document::of(rows, row, BEFORE);
        let lacking = self.required.iter().copied().filter(|slot| !record.has(*slot));
        rows.told(validate::lacking(&self.data_type, lacking))
    }

    /// Begins with what a key holds.
    pub fn begin(
        &self,
        operation: OperationId,
        held: Option<Held<'_>>,
        remembered: Option<&Remembered>,
    ) -> Fold<'_> {
        let mut fold = Fold {
            merging: self,
            operation,
            existing: held.map(|held| held.existing),
            now: RecordHash::default(),
            before: None,
            holder: remembered.map(|Remembered { takeover, .. }| Displaced {
                position: takeover.position,
                counted: takeover.counted,
            }),
            document: None,
            first: None,
            last: None,
            merged: 0,
            most: 0,
        };
        let Some(Held { existing, rows, row }) = held else { return fold };
        fold.most = rows.bytes_of(row);
        let is_own = existing.operation == operation;
        fold.first = match remembered {
            Some(known) => known.marks.first,
            None => is_own.then_some(existing.position.stored()),
        };
        let base = fold.first.unwrap_or(BEFORE);
        let mut document = Document::of(rows, row, base);
        fold.now = self.hash(&document);
        match remembered {
            Some(Remembered { takeover, marks }) => {
                document.restore(&self.data_type, &marks.fields, base);
                fold.before = marks.first.is_none().then_some(takeover.before);
            }
            None if is_own => {
                fold.holder = Some(Displaced { position: existing.position, counted: Counted::Created });
            }
            None => fold.before = Some(fold.now),
        }
        fold.document = Some(document);
        fold
    }

    /// Of the values as they were read: what somebody has changed by hand has another hash than the row says.
    fn hash(&self, document: &Document) -> RecordHash {
        self.row(document).hash(0)
    }

    fn row(&self, document: &Document) -> Rows {
        let mut one = Rows::new(Arc::clone(&self.data_type), bytes::Bytes::new(), 0, 0);
        let origin = Origin { position: Position::from_stored(BEFORE), frame: 0..0 };
        document.push(&self.names, origin, &mut one);
        one
    }
}

/// The defaults of a type, as set before the first record.
fn defaults(data_type: &Arc<DataType>) -> Vec<(usize, Node)> {
    let mut rows = Rows::new(Arc::clone(data_type), bytes::Bytes::new(), 0, 0);
    let compiled = checks::Checks::defaults(data_type, &mut rows);
    let node = |(slot, cell): (usize, Cell)| {
        let field_type = data_type.fields[slot].field_type;
        Some((slot, Node::of_cell(field_type, rows.of_cell(cell), BEFORE)?))
    };
    compiled.into_iter().filter_map(node).collect()
}

impl Fold<'_> {
    /// Merges a record, unless it is left out.
    pub fn add(&mut self, rows: &Rows, row: usize) -> Option<LeftOut> {
        if self.before.is_none() && self.merging.is_patch(rows, row) {
            return Some(LeftOut::Lacking);
        }
        self.most += rows.bytes_of(row);
        // Defaults are no larger than their template.
        let may_be_large = self.most + TEMPLATE_BYTES as u64 > RECORD_BYTES;
        let without = self.document.as_ref().filter(|_| may_be_large).map(|one| (one.clone(), self.first));
        let position = rows.origin(row).position;
        let record = Document::of(rows, row, position.stored());
        let is_first = self.first.is_none_or(|first| position.stored() < first);
        if self.before.is_none() && is_first {
            self.begin_with(position.stored(), record);
        } else if let Some(document) = &mut self.document {
            document.merge(record);
        }
        if let (Some((without, first)), Some(document)) = (without, &self.document) {
            let [before, after] = [&without, document].map(|document| self.merging.row(document).bytes_of(0));
            self.most = after;
            if after > RECORD_BYTES && after > before {
                (self.document, self.first, self.most) = (Some(without), first, before);
                return Some(LeftOut::TooLarge);
            }
        }
        self.last = self.last.max(Some(position));
        self.merged += 1;
        None
    }

    /// Merges the record that is the first one so far of a row that the import creates.
    fn begin_with(&mut self, at: At, record: Document) {
        self.first = Some(at);
        let filled: Vec<_> =
            self.merging.defaults.iter().filter(|(slot, _)| !record.has(*slot)).cloned().collect();
        match &mut self.document {
            None => self.document = Some(record),
            Some(document) => {
                for (slot, _) in self.merging.defaults.iter().filter(|(slot, _)| record.has(*slot)) {
                    document.forget_before(*slot);
                }
                document.merge(record);
            }
        }
        if let Some(document) = &mut self.document {
            for (slot, node) in filled {
                document.merge_field(slot, node);
            }
        }
    }

    /// What came of the records, whose row is added to `out` unless it is kept. None if there were none.
    pub fn end(self, out: &mut Rows) -> Option<Merged> {
        let (position, document) = (self.last?, self.document?);
        let own = self.existing.filter(|existing| existing.operation == self.operation);
        let stands_at = own.map_or(position, |own| own.position.max(position));
        let start = out.scratch_start();
        document.push(&self.merging.names, Origin { position: stands_at, frame: 0..0 }, out);
        let hash = out.hash(out.len() - 1);
        let write = match self.existing {
            None => Write::Insert,
            Some(_) if hash == self.now => Write::Keep,
            Some(_) => Write::Update,
        };
        if write == Write::Keep {
            out.take_back(start);
        }
        let counted = match self.before {
            None => Counted::Created,
            Some(before) if before == hash => Counted::Unchanged,
            Some(_) => Counted::Updated,
        };
        let other = self.existing.filter(|existing| existing.operation != self.operation);
        let takeover = Takeover {
            position,
            before: self.before.unwrap_or_default(),
            counted,
            from: other.map(|other| (other.operation, other.position)),
        };
        let marks = Marks {
            first: self.first,
            fields: document.marks(&self.merging.names, self.first.unwrap_or(BEFORE)),
        };
        let alone = write == Write::Insert
            && self.holder.is_none()
            && marks.fields.is_empty()
            && marks.first == Some(position.stored());
        Some(Merged {
            counted: (position, counted),
            skipped: self.merged - 1,
            write,
            displaced: self.holder,
            remembered: (!alone).then_some(Remembered { takeover, marks }),
        })
    }
}
