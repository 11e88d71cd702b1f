//! A record as a tree: nodes in the order of the document, over the record's own text.

use std::ops::Range;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::format::json::{Refusal, text};
use crate::format::shown;
use crate::limits;

/// What says that an element holds JSON.
pub(crate) const TYPE: &str = "carrack:type";

/// A part of a record. Small, because a record may be millions of them: `<a/>` is one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    kind: Kind,
    /// Its name or its text.
    content: Content,
    /// Behind its last descendant.
    end: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its content is its name; `json` says that it holds JSON.
    Element { json: bool },
    /// Its content is its name; its only child is its value.
    Attribute,
    /// Its content is a text.
    Text,
}

/// A run of the record, or of [`Tree::built`]. A record is shorter than 4 GiB: the plan checks it of its
/// segment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Content {
    built: bool,
    start: u32,
    end: u32,
}

impl Content {
    fn new(built: bool, range: &Range<usize>) -> Self {
        Self { built, start: short(range.start), end: short(range.end) }
    }

    fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

fn short(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// The nodes of one record; kept for the next one, for its memory.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    built: String,
    open: Vec<u32>,
}

impl Tree {
    /// Reads `record`, which is one element. The tree's first node is that element.
    pub fn read(&mut self, record: &str) -> Result<(), Refusal> {
        self.nodes.clear();
        self.built.clear();
        self.open.clear();
        let mut reader = Reader::from_str(record);
        loop {
            let before = position(&reader);
            let event =
                reader.read_event().map_err(|error| invalid(&error.to_string(), position(&reader)))?;
            match event {
                Event::Start(start) => self.start(&start, before)?,
                Event::Empty(start) => {
                    self.start(&start, before)?;
                    self.close();
                }
                Event::End(_) => self.close(),
                Event::Text(_) => self.piece(record, before..position(&reader)),
                Event::CData(_) => {
                    self.piece(record, before + "<![CDATA[".len()..position(&reader) - "]]>".len());
                }
                Event::GeneralRef(reference) => self.reference(&reference, before)?,
                Event::Comment(_) | Event::PI(_) => {}
                Event::Decl(_) | Event::DocType(_) => {
                    return Err(invalid("a declaration inside a record", before));
                }
                Event::Eof => return Ok(()),
            }
        }
    }

    /// The element itself.
    pub fn root(&self) -> u32 {
        0
    }

    pub fn kind(&self, node: u32) -> Kind {
        self.nodes[node as usize].kind
    }

    /// The name or the text of a node.
    pub fn content<'tree>(&'tree self, node: u32, record: &'tree str) -> &'tree str {
        let content = &self.nodes[node as usize].content;
        let text = if content.built { &self.built } else { record };
        &text[content.range()]
    }

    /// Where in the record the content of a node stands as it is.
    pub fn in_record(&self, node: u32) -> Option<Range<usize>> {
        let content = &self.nodes[node as usize].content;
        (!content.built).then(|| content.range())
    }

    pub fn children(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let behind = |node: u32| self.nodes.get(node as usize).map_or(0, |node| node.end);
        let end = behind(node);
        let next = move |at: u32| (at < end).then_some(at);
        std::iter::successors(next(node + 1), move |&child| next(behind(child)))
    }

    fn start(&mut self, start: &BytesStart<'_>, before: usize) -> Result<(), Refusal> {
        // Behind "<".
        let name = before + 1..before + 1 + start.name().as_ref().len();
        let element = self.push(Kind::Element { json: false }, Content::new(false, &name));
        self.open.push(element);
        if start.attributes_raw().is_empty() {
            return Ok(());
        }
        for (number, attribute) in start.attributes().enumerate() {
            let attribute = attribute.map_err(|error| invalid(&error.to_string(), before))?;
            if number == limits::ATTRIBUTES {
                let message = format!("found more than {number} attributes at byte {before} of the record");
                return Err(Refusal::new("xml.attributes", message));
            }
            let name = attribute.key.as_ref();
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| invalid(&error.to_string(), before))?;
            if name == TYPE {
                if value != "json" {
                    let message = format!("found {TYPE}={}, expected {TYPE}=\"json\"", shown::text(&value));
                    return Err(Refusal::new("xml.type", message));
                }
                self.nodes[element as usize].kind = Kind::Element { json: true };
            } else if name != "xmlns" && !name.starts_with("xmlns:") {
                let name = self.build(name);
                let node = self.push(Kind::Attribute, name);
                let value = self.build(&value);
                self.push(Kind::Text, value);
                self.nodes[node as usize].end = short(self.nodes.len());
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some(element) = self.open.pop() {
            self.nodes[element as usize].end = short(self.nodes.len());
        }
    }

    /// A text, in which line ends become `\n`, as XML wants it.
    fn piece(&mut self, record: &str, range: Range<usize>) {
        let piece = &record[range.clone()];
        let content = if memchr::memchr(b'\r', piece.as_bytes()).is_some() {
            self.build(&piece.replace("\r\n", "\n").replace('\r', "\n"))
        } else {
            Content::new(false, &range)
        };
        self.push(Kind::Text, content);
    }

    fn reference(&mut self, reference: &quick_xml::events::BytesRef<'_>, at: usize) -> Result<(), Refusal> {
        let character = match &**reference {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            name => match reference.resolve_char_ref() {
                Ok(Some(character)) => character,
                Err(_) if name.trim_start_matches(['#', 'x', '0']).is_empty() => return Err(text::nul()),
                _ => {
                    let found = shown::text(&format!("&{name};"));
                    let message = format!(
                        "found {found} at byte {at} of the record, expected a character or one of &amp; &lt; &gt; &quot; &apos;"
                    );
                    return Err(Refusal::new("xml.entity", message));
                }
            },
        };
        let content = self.build(character.encode_utf8(&mut [0; 4]));
        self.push(Kind::Text, content);
        Ok(())
    }

    fn build(&mut self, content: &str) -> Content {
        let start = self.built.len();
        self.built.push_str(content);
        Content::new(true, &(start..self.built.len()))
    }

    fn push(&mut self, kind: Kind, content: Content) -> u32 {
        self.nodes.push(Node { kind, content, end: short(self.nodes.len() + 1) });
        short(self.nodes.len() - 1)
    }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn invalid(complaint: &str, at: usize) -> Refusal {
    Refusal::new("xml.invalid", format!("found no valid XML at byte {at} of the record: {complaint}"))
}
