//! Recognises the format and the fields of a source from its first bytes.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::draft::Draft;
use super::{BYTE_ORDER_MARK, Format, FrameRange, csv, shown};
use crate::limits::{SNIFF_BYTES, SNIFF_RECORDS};
use crate::record::Rows;
use crate::schema::{self, DataType};

/// What the head of a source shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sniffed {
    /// The format.
    pub format: Format,
    /// The fields of the header row, or of each of the first records; empty if there is no record.
    pub records: Vec<Vec<String>>,
    /// Whether the only record goes on behind the bytes that were looked at, and may have more fields.
    pub cut: bool,
}

impl Sniffed {
    fn table(fields: Vec<String>) -> Self {
        Self { format: Format::Csv, records: vec![fields], cut: false }
    }
}

/// What files begin with that are no text.
const BINARY: [(&[u8], &str); 10] = [
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data"),
    (b"BZh", "bzip2-compressed data"),
    (b"\xfd7zXZ\0", "xz-compressed data"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"%PDF-", "a PDF document"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
];

const EXPECTED: &str = "expected JSON, CSV, XML, YAML or Markdown in UTF-8";

/// Looks at the first bytes of a source ([`crate::limits::SNIFF_BYTES`] at most; all of it if it is
/// shorter). `asked` is the format that the user named, `name` the file's name.
///
/// # Errors
/// Says what was found and expected: the source is empty, is of no known format, or contradicts `asked`.
pub fn sniff(name: &str, head: &[u8], asked: Option<Format>) -> Result<Sniffed, String> {
    let refuse = |message: String| Err(format!("{name}: {message}"));
    if let Some((_, kind)) = BINARY.iter().find(|(magic, _)| head.starts_with(magic)) {
        return refuse(format!("found {kind}, {EXPECTED}"));
    }
    let text = head.strip_prefix(&BYTE_ORDER_MARK[..]).unwrap_or(head);
    let Some(first) = text.iter().find(|byte| !byte.is_ascii_whitespace()) else {
        let found = if head.is_empty() { "an empty file" } else { "nothing but white space" };
        return refuse(format!("found {found}, {EXPECTED}"));
    };
    let whole = head.len() < SNIFF_BYTES;
    let found = match first {
        // What was asked for is only contradicted by what leaves no doubt: a comment, a cell or what stands
        // before the first item may look like anything.
        _ if asked == Some(Format::Markdown) => asked,
        b'<' => Some(Format::Xml),
        _ if asked == Some(Format::Yaml) => asked,
        b'[' | b'{' => Some(Format::Json),
        _ if asked == Some(Format::Csv) => None,
        _ => lines_say(text),
    };
    match (found, asked) {
        (Some(found), Some(asked)) if found != asked => {
            let (found, asked, first) = (found.title(), asked.title(), shown::byte(*first));
            refuse(format!("found {found} (it begins with {first}), expected {asked} as the format says"))
        }
        (Some(Format::Json), _) => Ok(values(text, whole)),
        (Some(Format::Xml), _) => {
            declared_encoding(text).map(|()| records(Format::Xml, text, whole)).or_else(refuse)
        }
        (Some(found), _) => Ok(records(found, text, whole)),
        (None, None | Some(Format::Csv)) => table(name, text, asked).or_else(refuse),
        (None, Some(asked)) => {
            let (asked, first) = (asked.title(), shown::byte(*first));
            refuse(format!("found a text that begins with {first}, expected {asked} as the format says"))
        }
    }
}

/// The format that the beginnings of lines show; none where it may be CSV.
fn lines_say(text: &[u8]) -> Option<Format> {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    // Behind a heading, and not in some cell of a table.
    let headed = text.trim_ascii_start().starts_with(b"#");
    if headed && lines.clone().any(|line| line.starts_with(b"## Item ")) {
        return Some(Format::Markdown);
    }
    let says_nothing =
        |line: &[u8]| line.trim_ascii().is_empty() || line.starts_with(b"#") || line.starts_with(b"%");
    let line = lines.find(|line| !says_nothing(line))?;
    let item = line.trim_ascii_start();
    // The name of a pair, in quotes or not, and the colon behind it.
    let key = line.iter().position(|byte| *byte == b':').map(|colon| (&line[..colon], &line[colon + 1..]));
    let is_pair = |(name, value): (&[u8], &[u8])| {
        let named = !name.is_empty() && !name.iter().any(|byte| matches!(byte, b',' | b';' | b'\t' | b'|'));
        named && (value.is_empty() || value.starts_with(b" "))
    };
    let marker = line.strip_prefix(b"---").is_some_and(|rest| rest.is_empty() || rest.starts_with(b" "));
    (marker || item == b"-" || item.starts_with(b"- ") || key.is_some_and(is_pair)).then_some(Format::Yaml)
}

/// Refuses an XML declaration that names another encoding.
fn declared_encoding(text: &[u8]) -> Result<(), String> {
    let declaration = text
        .strip_prefix(b"<?xml")
        .map(|rest| &rest[..rest.iter().position(|byte| *byte == b'>').unwrap_or(0)]);
    let declaration = String::from_utf8_lossy(declaration.unwrap_or_default());
    let Some((_, rest)) = declaration.split_once("encoding") else { return Ok(()) };
    let named = rest.trim_start().trim_start_matches('=').trim_start();
    let named = named.get(1..).and_then(|named| named.split(['"', '\'']).next()).unwrap_or_default();
    match ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|known| named.eq_ignore_ascii_case(known)) {
        true => Ok(()),
        false => Err(format!("found XML in the encoding {}, expected UTF-8", shown::text(named))),
    }
}

/// The names of the members of the first records, as the format decodes them.
fn records(format: Format, text: &[u8], whole: bool) -> Sniffed {
    // Of a type without fields every member is one outside the schema.
    let nothing = Arc::new(DataType::without_fields());
    let mut frames = Vec::new();
    let mut framer = format.framer();
    // Where it breaks off is found when it is read.
    let framed = framer.push(text, &mut frames);
    if framed.is_ok() && whole {
        let _ = framer.finish(&mut frames);
    }
    let meaning = framer.facts().map(|facts| facts.meaning(&nothing));
    let mut decoder = meaning.as_ref().map(|meaning| meaning.decoder(text));
    let index = |offset: u64| usize::try_from(offset).unwrap_or(text.len()).min(text.len());
    let mut names = |frame: &FrameRange| {
        let record = String::from_utf8_lossy(&text[index(frame.start)..index(frame.end)]);
        let mut rows = Rows::new(Arc::clone(&nothing), Bytes::copy_from_slice(record.as_bytes()), 0, 1);
        let mut draft = Draft::new(0);
        if let Some(decoder) = &mut decoder {
            decoder.record(&record, 0, &mut rows, &mut draft);
        }
        draft.extra.names().collect::<Vec<String>>()
    };
    let mut records: Vec<_> = frames.iter().take(SNIFF_RECORDS).map(&mut names).collect();
    records.retain(|fields| !fields.is_empty());
    Sniffed { format, cut: frames.is_empty() && !whole, records }
}

fn table(name: &str, text: &[u8], asked: Option<Format>) -> Result<Sniffed, String> {
    let row = header_row(text);
    if row.contains(&0) {
        return Err(format!("found binary data (a NUL byte in the first line), {EXPECTED}"));
    }
    let row = String::from_utf8_lossy(row);
    let fields = csv::names(&row);
    let is_field = |name: &str| schema::built_ins().iter().any(|data_type| data_type.slot(name).is_some());
    let known = fields.iter().any(|field| is_field(field));
    let [only] = &fields[..] else { return Ok(Sniffed::table(fields)) };
    if known {
        return Ok(Sniffed::table(fields));
    }
    if let Some(other) = [';', '\t', '|'].into_iter().find(|other| only.split(*other).any(is_field)) {
        return Err(format!("found fields with {other:?} between them, expected commas"));
    }
    if asked.is_some() || name.ends_with(".csv") {
        return Ok(Sniffed::table(fields));
    }
    Err(format!("found a text that begins with {}, {EXPECTED}", shown::text(only)))
}

/// The first row, or as much of it as there is.
fn header_row(text: &[u8]) -> &[u8] {
    let mut frames = Vec::new();
    let mut framer = csv::RowFramer::new();
    framer.push(text, &mut frames);
    // A row that does not end here is shown as far as it goes.
    let _ = framer.finish(&mut frames);
    let begins = framer.open().unwrap_or_default();
    let row = frames.first().cloned().unwrap_or(begins..text.len() as u64);
    let index = |offset: u64| usize::try_from(offset).unwrap_or(text.len()).min(text.len());
    &text[index(row.start)..index(row.end)]
}

/// As [`records`]; of a first record that goes on and on, the members that are there.
fn values(text: &[u8], whole: bool) -> Sniffed {
    let mut sniffed = records(Format::Json, text, whole);
    if sniffed.records.is_empty() {
        sniffed.records.push(first_members(text));
        sniffed.records.retain(|fields| !fields.is_empty());
    }
    sniffed
}

/// The names of the members of the first record, as many as the head holds.
fn first_members(text: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    // The head mostly ends inside a record, and what is wrong with a record is found when it is read.
    let _ = FirstMembers(&mut names).deserialize(&mut deserializer);
    names
}

struct FirstMembers<'a>(&'a mut Vec<String>);

impl<'de> DeserializeSeed<'de> for FirstMembers<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FirstMembers<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        elements.next_element_seed(self).map(|_| ())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            if !self.0.contains(&name) {
                self.0.push(name);
            }
            members.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_fields_are_recognised() {
        let cases: &[(&str, &[u8], Option<Format>, &str)] = &[
            ("a", b"\xef\xbb\xbf [{\"id\":1,\"tags\":[{}]},{\"b\":2}]", None, "json: id tags | b"),
            ("a.csv", b"{\"id\":1}\n{\"b\":2}", None, "json: id | b"),
            ("a", b"{\"id\":1}\nnull\n{\"b\":2,", None, "json: id | b"),
            ("a", b"[{\"id\":\"x\",\"title\":\"cut o", Some(Format::Json), "json: id title"),
            ("a", b"[]", None, "json: "),
            ("a", b"[1]", None, "json: "),
            ("a.json", b"\n\"id\",\"ti\"\"t\"\r\n1,2", None, "csv: id ti\"t"),
            ("a", b"id\n1", None, "csv: id"),
            ("names.csv", b"name\n1", None, "csv: name"),
            ("a", b"name\n1", Some(Format::Csv), "csv: name"),
            ("a", b"\"id\",\"cut", None, "csv: id cut"),
            (
                "a",
                b"[",
                Some(Format::Csv),
                "a: found JSON (it begins with \"[\"), expected CSV as the format says",
            ),
            (
                "a",
                b"id,b",
                Some(Format::Json),
                "a: found a text that begins with \"i\", expected JSON as the format says",
            ),
            (
                "a.gz",
                b"\x1f\x8b\x08",
                None,
                "a.gz: found gzip-compressed data, expected JSON, CSV, XML, YAML or Markdown in UTF-8",
            ),
            (
                "a",
                b"\x28\xb5\x2f\xfd",
                Some(Format::Csv),
                "a: found zstd-compressed data, expected JSON, CSV, XML, YAML or Markdown in UTF-8",
            ),
            (
                "a",
                b"\xff\xfei\0d\0",
                None,
                "a: found UTF-16 text, expected JSON, CSV, XML, YAML or Markdown in UTF-8",
            ),
            (
                "a",
                b"\x7fELF\0\0,\n",
                None,
                "a: found binary data (a NUL byte in the first line), expected JSON, CSV, XML, YAML or Markdown in UTF-8",
            ),
            ("a", b"", None, "a: found an empty file, expected JSON, CSV, XML, YAML or Markdown in UTF-8"),
            (
                "a",
                b"\xef\xbb\xbf\n ",
                None,
                "a: found nothing but white space, expected JSON, CSV, XML, YAML or Markdown in UTF-8",
            ),
            ("a", b"<data><i a='1'><id>1</id></i><i><b/></i>", None, "xml: @a id | b"),
            ("a", b"<?xml version='1.0' encoding='UTF-8' ?><d/>", None, "xml: "),
            (
                "a",
                b"<?xml version=\"1.0\" encoding=\"latin1\"?><d/>",
                None,
                "a: found XML in the encoding \"latin1\", expected UTF-8",
            ),
            (
                "a",
                b" <x/>",
                Some(Format::Json),
                "a: found XML (it begins with \"<\"), expected JSON as the format says",
            ),
            ("a", b"# b: c\n---\n- id: 1\n  b:\n- [1]\n", None, "yaml: b id"),
            ("a", b"id: 1\nc: \n  - 2\n---\nb: 2\n", None, "yaml: c id | b"),
            ("a", b"{id: 1}", Some(Format::Yaml), "yaml: id"),
            ("a", b"# Title\n\n## Item 1\n**id:** 1\n**b:** x\n", None, "markdown: b id"),
            ("a.csv", b"id:,b\n1,2\n", None, "csv: id: b"),
            ("a.csv", b"id,b\n1,\"x\n## Item 3\n\"\n", None, "csv: id b"),
            ("a", b"title: sub\n1\n", Some(Format::Csv), "csv: title: sub"),
            ("a", b"# all\n## Item list\n- id: 1\n", Some(Format::Yaml), "yaml: id"),
            ("a", b"<!-- generated -->\n## Item 1\n**id:** 1\n", Some(Format::Markdown), "markdown: id"),
            ("a", b"id;title\n", None, "a: found fields with ';' between them, expected commas"),
            (
                "a",
                b"id\ttitle\n",
                Some(Format::Csv),
                "a: found fields with '\\t' between them, expected commas",
            ),
            (
                "a",
                b"some text\n",
                None,
                "a: found a text that begins with \"some text\", expected JSON, CSV, XML, YAML or Markdown in UTF-8",
            ),
        ];
        for (name, head, asked, expected) in cases {
            let found = match sniff(name, head, *asked) {
                Ok(sniffed) => {
                    let records: Vec<String> =
                        sniffed.records.iter().map(|fields| fields.join(" ")).collect();
                    format!("{}: {}", sniffed.format.as_str(), records.join(" | "))
                }
                Err(message) => message,
            };
            assert_eq!(found, *expected);
        }
    }
}
