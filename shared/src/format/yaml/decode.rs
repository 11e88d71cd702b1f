//! What a YAML record means: the pairs of its mapping, as members.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, StrInput, Tag};

use super::plain::{Plain, Value};
use super::scalar::{Scalar, resolve};
use super::{Facts, Shape};
use crate::format::draft::Draft;
use crate::format::json::{Refusal, text};
use crate::format::members::{Member, Members, string};
use crate::format::{self, Meaning, shown};
use crate::limits;
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
        if self.plain.read(record, self.padding.len()) {
            self.plain(record, start, rows, draft);
        } else {
            self.parsed(record, rows, draft);
        }
    }
}

impl Decoder<'_> {
    /// Puts the members of a plain record.
    fn plain(&mut self, record: &str, start: u32, rows: &mut Rows, draft: &mut Draft) {
        let text = |range: &Range<usize>| {
            // Segments are shorter than 4 GiB: the plan checks it.
            let place = |offset: usize| start + u32::try_from(offset).unwrap_or(u32::MAX);
            Member::Text(Rows::span_of_source(place(range.start)..place(range.end)))
        };
        for (name, value) in &self.plain.members {
            let name = &record[name.clone()];
            let (resolved, built);
            let member = match value {
                Value::Text(range) => text(range),
                Value::Json(range) => Member::Json(&record[range.clone()]),
                Value::Null => Member::Json("null"),
                Value::Built(range) => {
                    // Made of texts only.
                    built = String::from_utf8_lossy(self.plain.built(range));
                    Member::Json(&built)
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
            match reader.node()? {
                Node::Scalar(plain, true)
                    if wants_text(wanted) && resolve(&plain) != Scalar::Json("null".into()) =>
                {
                    // An alias of it stands for what it is elsewhere.
                    reader.value(Node::Scalar(plain.clone(), true), &mut self.json)?;
                    self.json.clear();
                    string(plain.as_bytes(), &mut self.json);
                }
                node => reader.value(node, &mut self.json)?,
            }
            let json = String::from_utf8_lossy(&self.json);
            self.members.put(&name, &Member::Json(&json), rows, draft);
        }
        reader.end()
    }
}

/// Whether a field gets what is written: `title: 007` and `title: yes` are texts.
fn wants_text(wanted: Option<FieldType>) -> bool {
    matches!(wanted, Some(FieldType::String | FieldType::Date))
}

/// A node that has begun.
enum Node<'text> {
    Mapping,
    Sequence,
    /// Its text, and whether it is to be resolved.
    Scalar(Cow<'text, str>, bool),
    /// JSON that an anchor stands for.
    Known(Vec<u8>),
}

/// Reads nodes as JSON, and remembers those that have an anchor.
struct Reader<'text> {
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
    fn new(text: &'text str, padding: usize) -> Self {
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
    fn root(&mut self) -> Result<Option<Node<'text>>, Refusal> {
        loop {
            match self.event()? {
                Event::StreamStart | Event::DocumentStart(..) => {}
                Event::StreamEnd | Event::DocumentEnd => return Ok(None),
                event => return self.begun(event).map(Some),
            }
        }
    }

    /// The next key of the mapping that is open; none at its end.
    fn key(&mut self) -> Result<Option<Cow<'text, str>>, Refusal> {
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

    fn node(&mut self) -> Result<Node<'text>, Refusal> {
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

    /// Appends the value of a node that has begun, as JSON.
    fn value(&mut self, node: Node<'text>, out: &mut Vec<u8>) -> Result<(), Refusal> {
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
    fn end(&mut self) -> Result<(), Refusal> {
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

fn unknown_tag(tag: &Tag) -> Refusal {
    let found = shown::text(&tag.original());
    Refusal::new("yaml.tag", format!("found the tag {found}, expected one of YAML's core schema"))
}

#[cfg(test)]
mod tests;
