//! What an XML record means: its elements, as members.

use std::sync::Arc;

use super::tree::Tree;
use super::view::{TEXT, View};
use crate::format::csv::decode::EXTRA;
use crate::format::draft::Draft;
use crate::format::json::{Refusal, text};
use crate::format::members::{Member, Members};
use crate::format::{self, Meaning};
use crate::record::Rows;
use crate::schema::{DataType, FieldType};

/// XML records of a type.
#[derive(Debug)]
pub(super) struct Records {
    pub data_type: Arc<DataType>,
}

impl Meaning for Records {
    fn decoder(&self, segment: &[u8]) -> Box<dyn format::Decoder + '_> {
        Box::new(Decoder {
            members: Members::new(&self.data_type),
            tree: Tree::default(),
            nul: memchr::memchr(0, segment).is_some(),
            children: Vec::new(),
            json: Vec::new(),
        })
    }
}

#[derive(Debug)]
struct Decoder<'plan> {
    members: Members<'plan>,
    tree: Tree,
    /// Whether the segment holds a NUL byte anywhere.
    nul: bool,
    /// The children of the record. Kept for its memory.
    children: Vec<u32>,
    /// A value on its way. Kept for its memory.
    json: Vec<u8>,
}

impl format::Decoder for Decoder<'_> {
    fn record(&mut self, record: &str, start: u32, rows: &mut Rows, draft: &mut Draft) {
        self.members.begin(record.len());
        let read = match self.nul && record.contains('\0') {
            true => Err(text::nul()),
            false => self.tree.read(record),
        };
        if let Err(refusal) = read {
            draft.refuse(refusal);
            return;
        }
        let (tree, mut children) = (std::mem::take(&mut self.tree), std::mem::take(&mut self.children));
        let view = View::new(&tree, record);
        view.members_of(tree.root(), &mut children);
        for group in children.chunk_by(|one, other| view.name(*one) == view.name(*other)) {
            let name = view.full_name(group[0]);
            if let Err(refusal) = self.member(&view, &name, group, start, rows, draft) {
                self.members.fault(&name, refusal, draft);
            }
        }
        if let Some(mixed) = view.mixed(tree.root()) {
            let span = rows.span_of_copy(mixed.as_bytes());
            self.members.put(TEXT, &Member::Text(span), rows, draft);
        }
        self.members.end(draft);
        (self.tree, self.children) = (tree, children);
    }
}

impl Decoder<'_> {
    /// Puts the member that the elements of one name are.
    fn member(
        &mut self,
        view: &View<'_>,
        name: &str,
        group: &[u32],
        start: u32,
        rows: &mut Rows,
        draft: &mut Draft,
    ) -> Result<(), Refusal> {
        let wanted = self.members.wanted(name);
        self.json.clear();
        match (group, wanted) {
            (&[only], None) if name == EXTRA && view.is_json(only) && view.json(only)?.starts_with('{') => {
                let object = view.json(only)?;
                return self.members.object(&object, rows, draft);
            }
            (&[only], _) if view.is_json(only) => {
                let json = view.json(only)?;
                // An element of an array is an array of one.
                let wraps = wanted == Some(FieldType::Array) && !json.starts_with(['[', 'n']);
                self.json.extend(wraps.then_some(b'['));
                self.json.extend_from_slice(json.as_bytes());
                self.json.extend(wraps.then_some(b']'));
            }
            // As in CSV: nothing is no date and no number.
            (&[only], Some(wanted)) if wanted.is_never_empty() && view.is_empty(only) => return Ok(()),
            (&[only], Some(FieldType::Array)) => match view.wrapped(only) {
                Some(elements) => view.array(&elements, &mut self.json)?,
                None => view.array(group, &mut self.json)?,
            },
            (&[only], _) if view.is_leaf(only) => {
                let text = view.span(only, start, rows);
                self.members.put(name, &Member::Text(text), rows, draft);
                return Ok(());
            }
            (&[only], _) => view.value(only, &mut self.json)?,
            _ => view.array(group, &mut self.json)?,
        }
        // Made of texts only.
        let json = String::from_utf8_lossy(&self.json);
        self.members.put(name, &Member::Json(&json), rows, draft);
        Ok(())
    }
}
