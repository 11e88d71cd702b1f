//! A row as its fields and the members of its objects, each with the record that has set it: records are merged into
//! it in any order, and it is always what a sequential run would have made of those that were.
//!
//! Of two records that set the same thing the later one wins. An object is set member by member. Whatever is no
//! object replaces an object whole, but only what was set before it: so an object remembers the last record that has
//! replaced it (`floor`), and takes nothing from an earlier one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::marks::{Mark, ObjectMark};
use crate::format::json::{members, text};
use crate::limits::MERGE_DEPTH;
use crate::record::{Cell, Origin, Rows, Value};
use crate::schema::{DataType, FieldType};

/// The position of a record as it is stored.
pub(super) type At = i64;

/// Before the first record.
pub(super) const BEFORE: At = 0;

/// Where nothing has replaced an object.
const NO_FLOOR: At = -1;

/// The name of a member; ordered as canonical objects are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(usize, String);

impl Name {
    pub fn new(name: &str) -> Self {
        Self(name.len(), name.to_owned())
    }

    fn of_raw(raw: &str) -> Self {
        let mut name = Vec::with_capacity(raw.len());
        // What is stored was read before.
        let _ = text::unescape(raw, &mut name);
        Self::new(&String::from_utf8_lossy(&name))
    }
}

/// A row.
#[derive(Debug, Clone, Default)]
pub(super) struct Document {
    key: Vec<u8>,
    /// By the number of the field; the key is none of them.
    slots: Vec<Option<Node>>,
    extra: BTreeMap<Name, Node>,
}

/// A field or a member.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// The record that has set it; of an object the last one that has set anything in it.
    at: At,
    /// Of an object: the last record that has replaced it by something else.
    floor: At,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Value(Piece),
    Members(BTreeMap<Name, Node>),
}

/// What is replaced whole.
#[derive(Debug, Clone)]
enum Piece {
    Text(Vec<u8>),
    Instant(i64),
    Json(String),
    /// What stands in `extra` under the name of a field: null, or what its column could not take.
    Outside(String),
}

impl Document {
    /// A row all of which was set by `at`.
    pub fn of(rows: &Rows, row: usize, at: At) -> Self {
        let data_type = rows.data_type();
        let width = data_type.fields.len();
        let mut document =
            Self { key: rows.key(row).to_vec(), slots: vec![None; width], extra: BTreeMap::new() };
        for (slot, field) in data_type.fields.iter().enumerate().filter(|(slot, _)| *slot != data_type.key) {
            document.slots[slot] = Node::of_cell(field.field_type, rows.value(row, slot), at);
        }
        if let Value::Json(extra) = rows.value(row, width) {
            for (raw, value) in members(&String::from_utf8_lossy(extra)) {
                let name = Name::of_raw(raw);
                match data_type.slot(&name.1) {
                    None => drop(document.extra.insert(name, Node::of_json(value, at, MERGE_DEPTH))),
                    Some(slot) => {
                        document.slots[slot]
                            .get_or_insert_with(|| Node::whole(Piece::Outside(value.to_owned()), at));
                    }
                }
            }
        }
        document
    }

    /// Whether it has a field, be it as null.
    pub fn has(&self, slot: usize) -> bool {
        self.slots[slot].is_some()
    }

    /// Merges another record of the same key.
    pub fn merge(&mut self, record: Self) {
        for (slot, node) in record.slots.into_iter().enumerate() {
            if let Some(node) = node {
                self.merge_field(slot, node);
            }
        }
        for (name, node) in record.extra {
            merge_member(&mut self.extra, name, node);
        }
    }

    /// Merges what a record says of one field.
    pub fn merge_field(&mut self, slot: usize, node: Node) {
        match &mut self.slots[slot] {
            None => self.slots[slot] = Some(node),
            Some(mine) => mine.merge(node),
        }
    }

    /// Takes what no record has set out of a field.
    pub fn forget_before(&mut self, slot: usize) {
        let Some(node) = &mut self.slots[slot] else { return };
        if node.at == BEFORE {
            self.slots[slot] = None;
        } else if let Content::Members(members) = &mut node.content {
            prune(members, BEFORE);
        }
    }

    /// Adds it to `out`.
    pub fn push(&self, names: &[Name], origin: Origin, out: &mut Rows) {
        let data_type = std::sync::Arc::clone(out.data_type());
        let mut cells = Vec::with_capacity(out.width());
        let mut extra: Vec<(&Name, &Node)> = self.extra.iter().collect();
        for (slot, node) in self.slots.iter().enumerate() {
            cells.push(match node {
                _ if slot == data_type.key => Cell::Text(out.span_of_copy(&self.key)),
                None => Cell::Missing,
                Some(node) if node.is_outside() => {
                    extra.push((&names[slot], node));
                    Cell::Missing
                }
                Some(node) => node.cell(out),
            });
        }
        extra.sort_by_key(|(name, _)| *name);
        cells.push(match extra.is_empty() {
            true => Cell::Missing,
            false => {
                let start = out.scratch_start();
                write_object(extra.into_iter(), out.scratch());
                Cell::Json(out.span_of_scratch(start))
            }
        });
        out.push(origin, &cells);
    }

    /// Says again what was set by others than `base`, as it is stored.
    pub fn restore(&mut self, data_type: &DataType, marks: &BTreeMap<String, Mark>, base: At) {
        for (name, mark) in marks {
            let node = match data_type.slot(name) {
                Some(slot) => self.slots[slot].as_mut(),
                None => self.extra.get_mut(&Name::new(name)),
            };
            if let Some(node) = node {
                node.restore(mark, base);
            }
        }
    }

    /// What was set by others than `base`.
    pub fn marks(&self, names: &[Name], base: At) -> BTreeMap<String, Mark> {
        let slots = names.iter().zip(&self.slots).filter_map(|(name, node)| Some((name, node.as_ref()?)));
        marks_of(slots.chain(&self.extra), base)
    }
}

impl Node {
    fn whole(piece: Piece, at: At) -> Self {
        Self { at, floor: NO_FLOOR, content: Content::Value(piece) }
    }

    /// A field as its column holds it; none where it is missing.
    pub fn of_cell(field_type: FieldType, value: Value<'_>, at: At) -> Option<Self> {
        let json = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(match value {
            Value::Missing => return None,
            Value::Text(bytes) => Self::whole(Piece::Text(bytes.to_vec()), at),
            Value::Instant(micros) => Self::whole(Piece::Instant(micros), at),
            // The reference of a binary looks like an object, and is none.
            Value::Json(bytes) if field_type == FieldType::Object => {
                Self::of_json(&json(bytes), at, MERGE_DEPTH)
            }
            Value::Json(bytes) => Self::whole(Piece::Json(json(bytes)), at),
        })
    }

    /// Of so many levels of objects the members are told apart.
    fn of_json(json: &str, at: At, levels: usize) -> Self {
        if !json.starts_with('{') || levels == 0 {
            return Self::whole(Piece::Json(json.to_owned()), at);
        }
        let members =
            members(json).map(|(raw, value)| (Name::of_raw(raw), Self::of_json(value, at, levels - 1)));
        Self { at, floor: NO_FLOOR, content: Content::Members(members.collect()) }
    }

    fn merge(&mut self, other: Self) {
        match (&mut self.content, other.content) {
            (Content::Value(_), content) => {
                if other.at > self.at {
                    let floor = if matches!(content, Content::Members(_)) { self.at } else { NO_FLOOR };
                    *self = Self { at: other.at, floor, content };
                }
            }
            (Content::Members(mine), Content::Members(members)) => {
                if other.at > self.floor {
                    self.at = self.at.max(other.at);
                    for (name, node) in members {
                        merge_member(mine, name, node);
                    }
                }
            }
            (Content::Members(_), content) if other.at > self.at => {
                *self = Self { at: other.at, floor: NO_FLOOR, content };
            }
            (Content::Members(mine), Content::Value(_)) => {
                if other.at > self.floor {
                    self.floor = other.at;
                    prune(mine, other.at);
                }
            }
        }
    }

    fn is_outside(&self) -> bool {
        matches!(self.content, Content::Value(Piece::Outside(_)))
    }

    fn cell(&self, out: &mut Rows) -> Cell {
        match &self.content {
            Content::Value(Piece::Text(text)) => Cell::Text(out.span_of_copy(text)),
            Content::Value(Piece::Instant(micros)) => Cell::Instant(*micros),
            _ => {
                let start = out.scratch_start();
                self.write(out.scratch());
                Cell::Json(out.span_of_scratch(start))
            }
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match &self.content {
            Content::Members(members) => write_object(members.iter(), out),
            Content::Value(Piece::Json(json) | Piece::Outside(json)) => {
                out.extend_from_slice(json.as_bytes());
            }
            // Only columns hold these.
            Content::Value(Piece::Text(_) | Piece::Instant(_)) => out.extend_from_slice(b"null"),
        }
    }

    /// What was set by others than `base`; none where nothing was.
    fn mark(&self, base: At) -> Option<Mark> {
        let same = |at: At| (at != base).then_some(at);
        match &self.content {
            Content::Value(_) => same(self.at).map(Mark::Whole),
            Content::Members(_) if self.is_all_of(self.at) => same(self.at).map(Mark::Whole),
            Content::Members(members) => Some(Mark::Object(ObjectMark {
                at: same(self.at),
                floor: (self.floor != NO_FLOOR).then_some(self.floor),
                members: marks_of(members.iter(), base),
            })),
        }
    }

    fn is_all_of(&self, at: At) -> bool {
        self.at == at
            && match &self.content {
                Content::Value(_) => true,
                Content::Members(members) => {
                    self.floor == NO_FLOOR && members.values().all(|node| node.is_all_of(at))
                }
            }
    }

    fn restore(&mut self, mark: &Mark, base: At) {
        match (mark, &mut self.content) {
            (Mark::Whole(at), Content::Value(_)) => self.at = *at,
            (Mark::Whole(at), Content::Members(members)) => {
                self.at = *at;
                members.values_mut().for_each(|node| node.restore(mark, base));
            }
            (Mark::Object(object), content) => {
                self.at = object.at.unwrap_or(base);
                let Content::Members(members) = content else { return };
                self.floor = object.floor.unwrap_or(NO_FLOOR);
                for (name, node) in members {
                    if let Some(mark) = object.members.get(&name.1) {
                        node.restore(mark, base);
                    }
                }
            }
        }
    }
}

fn marks_of<'node>(
    nodes: impl Iterator<Item = (&'node Name, &'node Node)>,
    base: At,
) -> BTreeMap<String, Mark> {
    nodes.filter_map(|(name, node)| Some((name.1.clone(), node.mark(base)?))).collect()
}

fn merge_member(members: &mut BTreeMap<Name, Node>, name: Name, node: Node) {
    match members.entry(name) {
        Entry::Vacant(vacant) => drop(vacant.insert(node)),
        Entry::Occupied(mut mine) => mine.get_mut().merge(node),
    }
}

/// Takes out what was set by `at` or before.
fn prune(members: &mut BTreeMap<Name, Node>, at: At) {
    members.retain(|_, node| node.at > at);
    for node in members.values_mut() {
        if let Content::Members(members) = &mut node.content {
            prune(members, at);
        }
    }
}

fn write_object<'node>(members: impl Iterator<Item = (&'node Name, &'node Node)>, out: &mut Vec<u8>) {
    out.push(b'{');
    let first = out.len();
    for (name, node) in members {
        if out.len() > first {
            out.push(b',');
        }
        out.push(b'"');
        text::escape(name.1.as_bytes(), out);
        out.extend_from_slice(b"\":");
        node.write(out);
    }
    out.push(b'}');
}
