//! What a YAML record means: the pairs of its mapping, as members.

use std::ops::Range;
use std::sync::Arc;

use super::plain::{Plain, Value};
use super::reader::{Node, Reader};
use super::scalar::{Scalar, resolve};
use super::{Facts, Shape};
use crate::format::draft::Draft;
use crate::format::json::{Refusal, text};
use crate::format::members::{Member, Members, string};
use crate::format::{self, Meaning};
use crate::record::Rows;
use crate::schema::{DataType, FieldType};

/// YAML records of a type.
#[derive(Debug)]
pub(super) struct Records {
    data_type: Arc<DataType>,
    /// What stands before a record's first byte: the parser must see its lines in their columns.
    padding: String,
}

impl Records {
    pub fn new(facts: &Facts, data_type: &Arc<DataType>) -> Self {
        let padding = match facts.shape {
            Shape::Sequence { indent } => " ".repeat(indent as usize + 1),
            Shape::Documents => String::new(),
        };
        Self { data_type: Arc::clone(data_type), padding }
    }
}

impl Meaning for Records {
    fn decoder(&self, segment: &[u8]) -> Box<dyn format::Decoder + '_> {
        Box::new(Decoder {
            members: Members::new(&self.data_type),
            padding: &self.padding,
            nul: memchr::memchr(0, segment).is_some(),
            plain: Plain::default(),
            padded: String::new(),
            json: Vec::new(),
        })
    }
}

#[derive(Debug)]
struct Decoder<'plan> {
    members: Members<'plan>,
    padding: &'plan str,
    /// Whether the segment holds a NUL byte anywhere.
    nul: bool,
    /// What most records are.
    plain: Plain,
    /// The record behind its padding. Kept for its memory.
    padded: String,
    /// A value on its way. Kept for its memory.
    json: Vec<u8>,
}

impl format::Decoder for Decoder<'_> {
    fn record(&mut self, record: &str, start: u32, rows: &mut Rows, draft: &mut Draft) {
        self.members.begin(record.len());
        if self.nul && record.contains('\0') {
            draft.refuse(text::nul());
            return;
        }
        if self.plain.read(record, self.padding.len()) && self.odd(record).is_ok_and(|all| all) {
            self.plain(record, start, rows, draft);
        } else {
            self.parsed(record, rows, draft);
        }
    }
}

impl Decoder<'_> {
    /// Reads those members of a plain record that are for the parser; whether it finds what was told of them.
    ///
    /// It reads them in one go, for an alias and its anchor may be in two. Each begins in the column of the
    /// mapping, where nothing of the one before can go on (YAML 1.2.2, section 8.2.2): without the lines between
    /// them they mean what they mean in the record.
    fn odd(&mut self, record: &str) -> Result<bool, Refusal> {
        self.padded.clear();
        self.json.clear();
        for (_, value) in &self.plain.members {
            if let Value::Odd(lines) = value {
                self.padded.push_str(if lines.start == 0 { self.padding } else { "" });
                self.padded.push_str(&record[lines.clone()]);
            }
        }
        if self.padded.is_empty() {
            return Ok(true);
        }
        let mut reader = Reader::new(&self.padded, self.padding.len());
        let Some(Node::Mapping) = reader.root()? else { return Ok(false) };
        for (name, value) in &mut self.plain.members {
            if let Value::Odd(_) = value {
                let name = &record[name.clone()];
                if reader.key()?.as_deref() != Some(name) {
                    return Ok(false);
                }
                let start = self.json.len();
                if let Some(text) = reader.member(wants_text(self.members.wanted(name)), &mut self.json)? {
                    string(text.as_bytes(), &mut self.json);
                }
                *value = Value::Parsed(start..self.json.len());
            }
        }
        if reader.key()?.is_some() {
            return Ok(false);
        }
        reader.end().map(|()| true)
    }

    /// Puts the members of a plain record.
    fn plain(&mut self, record: &str, start: u32, rows: &mut Rows, draft: &mut Draft) {
        let text = |range: &Range<usize>| {
            // Segments are shorter than 4 GiB: the plan checks it.
            let place = |offset: usize| start + u32::try_from(offset).unwrap_or(u32::MAX);
            Member::Text(Rows::span_of_source(place(range.start)..place(range.end)))
        };
        for (name, value) in &self.plain.members {
            let name = &record[name.clone()];
            let (resolved, built, parsed);
            let member = match value {
                Value::Text(range) => text(range),
                Value::Json(range) => Member::Json(&record[range.clone()]),
                Value::Null => Member::Json("null"),
                Value::Built(range) => {
                    // Made of texts only.
                    built = String::from_utf8_lossy(self.plain.built(range));
                    Member::Json(&built)
                }
                Value::Odd(range) | Value::Parsed(range) => {
                    parsed = String::from_utf8_lossy(&self.json[range.clone()]);
                    Member::Json(&parsed)
                }
                Value::Bare(range) => {
                    resolved = resolve(&record[range.clone()]);
                    match &resolved {
                        Scalar::Json(json) if json == "null" || !wants_text(self.members.wanted(name)) => {
                            Member::Json(json)
                        }
                        _ => text(range),
                    }
                }
            };
            self.members.put(name, &member, rows, draft);
        }
        self.members.end(draft);
    }

    /// Puts the members of any record, as the parser reads it.
    fn parsed(&mut self, record: &str, rows: &mut Rows, draft: &mut Draft) {
        let mut padded = std::mem::take(&mut self.padded);
        padded.clear();
        padded.push_str(self.padding);
        padded.push_str(record);
        if let Err(refusal) = self.mapping(&padded, rows, draft) {
            draft.refuse(refusal);
        } else {
            self.members.end(draft);
        }
        self.padded = padded;
    }

    /// Reads the record's mapping and puts its pairs.
    fn mapping(&mut self, padded: &str, rows: &mut Rows, draft: &mut Draft) -> Result<(), Refusal> {
        let mut reader = Reader::new(padded, self.padding.len());
        let Some(node) = reader.root()? else {
            return Err(Refusal::new("record.not_object", "found nothing, expected a mapping".into()));
        };
        let Node::Mapping = node else {
            let found = if matches!(node, Node::Sequence) { "a sequence" } else { "a scalar" };
            return Err(Refusal::new("record.not_object", format!("found {found}, expected a mapping")));
        };
        while let Some(name) = reader.key()? {
            let wanted = self.members.wanted(&name);
            self.json.clear();
            let text = reader.member(wants_text(wanted), &mut self.json)?;
            let json;
            let member = match text {
                Some(text) if wanted.is_some() => {
                    let start = rows.scratch_start();
                    rows.scratch().extend_from_slice(text.as_bytes());
                    Member::Text(rows.span_of_scratch(start))
                }
                text => {
                    if let Some(text) = text {
                        string(text.as_bytes(), &mut self.json);
                    }
                    json = String::from_utf8_lossy(&self.json);
                    Member::Json(&json)
                }
            };
            self.members.put(&name, &member, rows, draft);
        }
        reader.end()
    }
}

/// Whether a field gets what is written: `title: 007` and `title: yes` are texts.
fn wants_text(wanted: Option<FieldType>) -> bool {
    matches!(wanted, Some(FieldType::String | FieldType::Date | FieldType::Binary))
}

#[cfg(test)]
mod tests;
