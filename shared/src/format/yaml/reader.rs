//! YAML's nodes as JSON, as the parser finds them: for everything that [`super::plain`] does not read.
//!
//! The parser sees a record, or some of its members, in the columns where they stand. It gives no more than one
//! event at a time, so depth, nodes and what aliases stand for are counted before they take memory.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, StrInput, Tag};

use super::scalar::{Scalar, resolve};
use crate::format::json::Refusal;
use crate::format::members::string;
use crate::format::shown;
use crate::limits;

/// A node that has begun.
pub(super) enum Node<'text> {
    Mapping,
    Sequence,
    /// Its text, and whether it is to be resolved.
    Scalar(Cow<'text, str>, bool),
    /// JSON that an anchor stands for.
    Known(Vec<u8>),
}

/// Reads nodes as JSON, and remembers those that have an anchor.
pub(super) struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
    /// What stands before the record in what is read.
    padding: usize,
    depth: usize,
    /// Nodes that may still begin.
    nodes: usize,
    /// The anchor of the node that has begun, 0 if it has none.
    anchor: usize,
    known: HashMap<usize, Vec<u8>>,
    /// Bytes that aliases may still stand for.
    budget: usize,
}

impl<'text> Reader<'text> {
    pub fn new(text: &'text str, padding: usize) -> Self {
        let options = granit_parser::options! {
            strict_indentation: true,
            emit_comments: false,
            flow_nesting_limit: limits::DEPTH,
            block_nesting_limit: limits::DEPTH,
        };
        let parser = Parser::new_from_str_with_options(text, options);
        let (nodes, budget) = (limits::NODES, limits::ALIAS_BYTES);
        Self { parser, padding, depth: 0, nodes, anchor: 0, known: HashMap::new(), budget }
    }

    /// The record's own node; none if there is none.
    pub fn root(&mut self) -> Result<Option<Node<'text>>, Refusal> {
        loop {
            match self.event()? {
                Event::StreamStart | Event::DocumentStart(..) => {}
                Event::StreamEnd | Event::DocumentEnd => return Ok(None),
                event => return self.begun(event).map(Some),
            }
        }
    }

    /// The next key of the mapping that is open; none at its end.
    pub fn key(&mut self) -> Result<Option<Cow<'text, str>>, Refusal> {
        match self.event()? {
            Event::MappingEnd => {
                self.depth -= 1;
                Ok(None)
            }
            Event::Scalar(name, _, anchor, _) => {
                if anchor > 0 {
                    self.spend(name.len() + limits::ANCHOR_BYTES)?;
                    string(name.as_bytes(), self.known.entry(anchor).or_default());
                }
                Ok(Some(name))
            }
            _ => Err(Refusal::new("yaml.key", "found a key that is no scalar, expected a name".into())),
        }
    }

    pub fn node(&mut self) -> Result<Node<'text>, Refusal> {
        let event = self.event()?;
        self.begun(event)
    }

    fn begun(&mut self, event: Event<'text>) -> Result<Node<'text>, Refusal> {
        match event {
            Event::MappingStart(_, anchor, tag) => {
                self.tagged(tag.as_deref(), "map")?;
                self.deeper(anchor)?;
                Ok(Node::Mapping)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tagged(tag.as_deref(), "seq")?;
                self.deeper(anchor)?;
                Ok(Node::Sequence)
            }
            Event::Scalar(plain, style, anchor, tag) => {
                self.anchor = anchor;
                let resolved = match tag.as_deref().map(|tag| (tag, tag.core_suffix())) {
                    None => style == ScalarStyle::Plain,
                    Some((_, Some("str"))) => false,
                    Some((_, Some("null" | "bool" | "int" | "float"))) => true,
                    Some((tag, _)) if tag.original() == "!" => false,
                    Some((tag, _)) => return Err(unknown_tag(tag)),
                };
                Ok(Node::Scalar(plain, resolved))
            }
            Event::Alias(anchor) => {
                // The anchor may be that of a collection which is still open, or of the record itself.
                let Some(length) = self.known.get(&anchor).map(Vec::len) else {
                    let message =
                        "found an alias of a value that it is a part of, expected one of an earlier value";
                    return Err(Refusal::new("yaml.alias", message.into()));
                };
                self.spend(length)?;
                self.anchor = 0;
                Ok(Node::Known(self.known.get(&anchor).cloned().unwrap_or_default()))
            }
            _ => Err(Refusal::new("yaml.invalid", "found the end of a collection, expected a value".into())),
        }
    }

    /// The value of a member: a text as it is, everything else appended as JSON. A text is wanted where what
    /// is written counts.
    pub fn member(
        &mut self,
        wants_text: bool,
        json: &mut Vec<u8>,
    ) -> Result<Option<Cow<'text, str>>, Refusal> {
        let start = json.len();
        match self.node()? {
            Node::Scalar(plain, resolved) if !resolved || is_text(&plain, wants_text) => {
                if self.anchor > 0 {
                    // An alias of it stands for what it is elsewhere.
                    self.value(Node::Scalar(plain.clone(), resolved), json)?;
                    json.truncate(start);
                }
                Ok(Some(plain))
            }
            node => self.value(node, json).map(|()| None),
        }
    }

    /// Appends the value of a node that has begun, as JSON.
    pub fn value(&mut self, node: Node<'text>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let (anchor, start) = (std::mem::take(&mut self.anchor), out.len());
        match node {
            Node::Known(json) => out.extend_from_slice(&json),
            Node::Scalar(plain, false) => string(plain.as_bytes(), out),
            Node::Scalar(plain, true) => match resolve(&plain) {
                Scalar::Text => string(plain.as_bytes(), out),
                Scalar::Json(json) => out.extend_from_slice(json.as_bytes()),
                Scalar::NoNumber => {
                    let found = shown::text(&plain);
                    return Err(Refusal::new(
                        "yaml.number",
                        format!("found {found}, which no database stores as JSON"),
                    ));
                }
            },
            Node::Mapping => {
                out.push(b'{');
                let mut first = true;
                while let Some(name) = self.key()? {
                    out.extend((!std::mem::take(&mut first)).then_some(b','));
                    string(name.as_bytes(), out);
                    out.push(b':');
                    let node = self.node()?;
                    self.value(node, out)?;
                }
                out.push(b'}');
            }
            Node::Sequence => {
                out.push(b'[');
                let mut first = true;
                loop {
                    let event = self.event()?;
                    if event == Event::SequenceEnd {
                        self.depth -= 1;
                        break;
                    }
                    out.extend((!std::mem::take(&mut first)).then_some(b','));
                    let node = self.begun(event)?;
                    self.value(node, out)?;
                }
                out.push(b']');
            }
        }
        if anchor > 0 {
            self.spend(out.len() - start + limits::ANCHOR_BYTES)?;
            self.known.insert(anchor, out[start..].to_vec());
        }
        Ok(())
    }

    /// Behind the record's mapping nothing may stand.
    pub fn end(&mut self) -> Result<(), Refusal> {
        loop {
            match self.event()? {
                Event::DocumentEnd => {}
                Event::StreamEnd => return Ok(()),
                _ => {
                    return Err(Refusal::new(
                        "yaml.invalid",
                        "found more than one document in the record".into(),
                    ));
                }
            }
        }
    }

    fn event(&mut self) -> Result<Event<'text>, Refusal> {
        let next = self.parser.next_event();
        let Some(next) = next else {
            return Err(Refusal::new("yaml.invalid", "found the end of the record, expected a value".into()));
        };
        let (event, _) = next.map_err(|error| {
            let at = error.marker().byte_offset().unwrap_or_default().saturating_sub(self.padding);
            let complaint = error.info();
            if complaint.contains("anchor") {
                let message = format!("found an alias at byte {at} of the record, whose anchor does not stand in the record: {complaint}");
                return Refusal::new("yaml.alias", message);
            }
            Refusal::new("yaml.invalid", format!("found no valid YAML at byte {at} of the record: {complaint}"))
        })?;
        if matches!(event, Event::Scalar(..) | Event::MappingStart(..) | Event::SequenceStart(..)) {
            self.nodes = self.nodes.checked_sub(1).ok_or_else(|| {
                let message = format!("found more than {} keys, values and collections", limits::NODES);
                Refusal::new("yaml.nodes", message)
            })?;
        }
        Ok(event)
    }

    fn deeper(&mut self, anchor: usize) -> Result<(), Refusal> {
        self.anchor = anchor;
        self.depth += 1;
        if self.depth > limits::DEPTH {
            let message = format!("found more than {} levels of mappings and sequences", limits::DEPTH);
            return Err(Refusal::new("yaml.depth", message));
        }
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.budget = self.budget.checked_sub(bytes).ok_or_else(|| {
            let message = format!("found aliases that stand for more than {} bytes", limits::ALIAS_BYTES);
            Refusal::new("yaml.aliases", message)
        })?;
        Ok(())
    }

    fn tagged(&self, tag: Option<&Tag>, core: &str) -> Result<(), Refusal> {
        match tag {
            Some(tag) if !tag.is_yaml_core_schema_tag(core) && tag.original() != "!" => Err(unknown_tag(tag)),
            _ => Ok(()),
        }
    }
}

/// Whether an unquoted scalar is a text where one is wanted, or wherever it stands.
fn is_text(plain: &str, wants_text: bool) -> bool {
    match resolve(plain) {
        Scalar::Text => true,
        Scalar::Json(json) => wants_text && json != "null",
        Scalar::NoNumber => false,
    }
}

fn unknown_tag(tag: &Tag) -> Refusal {
    let found = shown::text(&tag.original());
    Refusal::new("yaml.tag", format!("found the tag {found}, expected one of YAML's core schema"))
}
