//! References to binary content that a batch does not bring along: they must be looked up before its rows are
//! loaded, and a row that refers to nothing is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::Decoded;
use crate::content::{self, Reference};
use crate::fault::{Fault, Stage};
use crate::schema::FieldType;

impl Decoded {
    /// What the rows refer to that does not come with them, each once.
    pub fn references(&self) -> BTreeSet<Reference> {
        let fields = &self.rows.data_type().fields;
        if fields.iter().all(|field| field.field_type != FieldType::Binary) {
            return BTreeSet::new();
        }
        let brought: BTreeSet<Reference> = self.contents.iter().map(|content| content.reference).collect();
        let rows = 0..self.rows.len();
        let all = rows.flat_map(|row| content::references(&self.rows, row).map(|(_, reference)| reference));
        all.filter(|reference| !brought.contains(reference)).collect()
    }

    /// Refuses the rows whose contents are not stored: for each reference that is in doubt the bytes of what
    /// was found under it, none where there was nothing.
    pub fn refuse_unstored(&mut self, found: &BTreeMap<Reference, Option<u64>>) {
        if found.iter().all(|(reference, length)| *length == Some(reference.size)) {
            return;
        }
        let mut faulty: BTreeMap<usize, Vec<Fault>> = BTreeMap::new();
        for row in 0..self.rows.len() {
            for (slot, reference) in content::references(&self.rows, row) {
                let Some(&length) = found.get(&reference) else { continue };
                if length != Some(reference.size) {
                    let field = self.rows.data_type().fields[slot].name.as_str();
                    faulty.entry(row).or_default().push(missing(reference, length).in_field(field));
                }
            }
        }
        self.rejects.extend(self.rows.refuse(faulty));
        self.rejects.sort_by_key(|reject| reject.position);
    }
}

fn missing(reference: Reference, found: Option<u64>) -> Fault {
    let (key, size) = (reference.key(), reference.size);
    let found = found.map_or("no object".to_owned(), |length| format!("an object of {length} bytes"));
    let message = format!("found {found} at {key}, expected the content of {size} bytes");
    Fault::new(Stage::Validate, "binary.missing", message)
}
