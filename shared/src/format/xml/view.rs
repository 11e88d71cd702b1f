//! Reads the tree of a record as values.

use std::borrow::Cow;

use super::tree::{Kind, Tree};
use crate::format::json::Refusal;
use crate::format::members::{checked, string};
use crate::record::{Rows, Span};

/// The member that holds the text beside elements.
pub(super) const TEXT: &str = "#text";

/// Groups of names that are compared pair by pair; more are sorted.
const FEW: usize = 24;

pub(super) struct View<'tree> {
    tree: &'tree Tree,
    record: &'tree str,
    /// What stands before the colon of the record's own name: the same before other names says nothing.
    prefix: &'tree str,
}

impl<'tree> View<'tree> {
    pub fn new(tree: &'tree Tree, record: &'tree str) -> Self {
        let prefix = tree.content(tree.root(), record).split_once(':').map_or("", |(prefix, _)| prefix);
        Self { tree, record, prefix }
    }

    /// Collects the elements and attributes of a node, those of one name together.
    pub fn members_of(&self, node: u32, children: &mut Vec<u32>) {
        children.clear();
        children.extend(self.tree.children(node).filter(|child| self.tree.kind(*child) != Kind::Text));
        // Elements of one name mostly stand together; only where that is not sure they are brought together.
        let mut heads = [(false, ""); FEW];
        let groups = children.chunk_by(|one, other| self.name(*one) == self.name(*other));
        for (known, group) in groups.enumerate() {
            let name = self.name(group[0]);
            if known == FEW || heads[..known].contains(&name) {
                children.sort_by(|one, other| self.name(*one).cmp(&self.name(*other)));
                return;
            }
            heads[known] = name;
        }
    }

    /// Tells a name from others: whether it is an attribute's, and the name.
    pub fn name(&self, node: u32) -> (bool, &'tree str) {
        let name = self.tree.content(node, self.record);
        let own = match self.prefix.is_empty() {
            true => None,
            false => name.strip_prefix(self.prefix).and_then(|rest| rest.strip_prefix(':')),
        };
        (self.tree.kind(node) == Kind::Attribute, own.unwrap_or(name))
    }

    /// The name of the member.
    pub fn full_name(&self, node: u32) -> Cow<'tree, str> {
        match self.name(node) {
            (true, name) => Cow::Owned(format!("@{name}")),
            (false, name) => Cow::Borrowed(name),
        }
    }

    /// Whether the element says that it holds JSON.
    pub fn is_json(&self, node: u32) -> bool {
        self.tree.kind(node) == Kind::Element { json: true }
    }

    /// Whether the node holds nothing but text.
    pub fn is_leaf(&self, node: u32) -> bool {
        self.tree.children(node).all(|child| self.tree.kind(child) == Kind::Text)
    }

    /// Whether the node holds nothing at all.
    pub fn is_empty(&self, node: u32) -> bool {
        self.is_leaf(node) && self.tree.children(node).all(|child| self.content(child).is_empty())
    }

    /// The text of a leaf, as a cell: in place, where it stands in one piece.
    pub fn span(&self, node: u32, start: u32, rows: &mut Rows) -> Span {
        let mut pieces = self.tree.children(node);
        match (pieces.next(), pieces.next()) {
            (Some(only), None) if let Some(range) = self.tree.in_record(only) => {
                let place = |offset: usize| start + u32::try_from(offset).unwrap_or(u32::MAX);
                Rows::span_of_source(place(range.start)..place(range.end))
            }
            _ => rows.span_of_copy(self.text(node).as_bytes()),
        }
    }

    /// The text beside the elements of a node, without the blanks around it; none if it is all blanks.
    pub fn mixed(&self, node: u32) -> Option<Cow<'tree, str>> {
        let text = match self.text(node) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) if text.trim().len() < text.len() => Cow::Owned(text.trim().to_owned()),
            text => text,
        };
        (!text.is_empty()).then_some(text)
    }

    /// The JSON that the element holds.
    pub fn json(&self, node: u32) -> Result<String, Refusal> {
        let text = self.text(node);
        checked(&text, "element").map(str::to_owned)
    }

    /// The elements of an array that stand in an element of their own: `<tags><tag>a</tag></tags>`.
    pub fn wrapped(&self, node: u32) -> Option<Vec<u32>> {
        if self.is_empty(node) {
            return Some(Vec::new());
        }
        let mut elements = Vec::new();
        self.members_of(node, &mut elements);
        let (attribute, name) = self.name(*elements.first()?);
        let alike = !attribute && elements.iter().all(|element| self.name(*element) == (false, name));
        (alike && self.mixed(node).is_none()).then_some(elements)
    }

    /// Appends the values of these nodes as a JSON array.
    pub fn array(&self, nodes: &[u32], out: &mut Vec<u8>) -> Result<(), Refusal> {
        out.push(b'[');
        for (index, node) in nodes.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.value(*node, out)?;
        }
        out.push(b']');
        Ok(())
    }

    /// Appends the value of a node as JSON. Recursion ends with the depth that the framer lets pass.
    pub fn value(&self, node: u32, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if self.is_json(node) {
            out.extend_from_slice(self.json(node)?.as_bytes());
            return Ok(());
        }
        if self.is_leaf(node) {
            string(self.text(node).as_bytes(), out);
            return Ok(());
        }
        let mut children = Vec::new();
        self.members_of(node, &mut children);
        out.push(b'{');
        for (index, group) in children.chunk_by(|one, other| self.name(*one) == self.name(*other)).enumerate()
        {
            if index > 0 {
                out.push(b',');
            }
            string(self.full_name(group[0]).as_bytes(), out);
            out.push(b':');
            match group {
                [only] => self.value(*only, out)?,
                several => self.array(several, out)?,
            }
        }
        if let Some(text) = self.mixed(node) {
            out.push(b',');
            string(TEXT.as_bytes(), out);
            out.push(b':');
            string(text.as_bytes(), out);
        }
        out.push(b'}');
        Ok(())
    }

    fn content(&self, node: u32) -> &'tree str {
        self.tree.content(node, self.record)
    }

    /// The texts of a node, one behind the other.
    fn text(&self, node: u32) -> Cow<'tree, str> {
        let mut texts = self.tree.children(node).filter(|child| self.tree.kind(*child) == Kind::Text);
        let Some(first) = texts.next() else { return Cow::Borrowed("") };
        let first = self.content(first);
        let mut whole = Cow::Borrowed(first);
        for next in texts {
            whole.to_mut().push_str(self.content(next));
        }
        whole
    }
}
