//! Recognises the format and the fields of a source from its first bytes.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{BYTE_ORDER_MARK, Format, FrameRange, csv, shown};
use crate::limits::{SNIFF_BYTES, SNIFF_RECORDS};
use crate::schema;

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

const EXPECTED: &str = "expected JSON or CSV in UTF-8";

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
    let begins = format!("begins with {}", shown::byte(*first));
    match (first, asked) {
        (b'[' | b'{', Some(Format::Csv)) => {
            refuse(format!("found JSON (it {begins}), expected CSV as the format says"))
        }
        (b'[' | b'{', _) => Ok(values(text, head.len() < SNIFF_BYTES)),
        (b'<', None | Some(Format::Json)) => refuse(format!("found XML or HTML (it {begins}), {EXPECTED}")),
        (_, Some(Format::Json)) => {
            refuse(format!("found a text that {begins}, expected JSON as the format says: \"[\" or \"{{\""))
        }
        (_, asked) => table(name, text, asked).or_else(refuse),
    }
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
    Err(format!("found a text that begins with {}, {EXPECTED} with a header row", shown::text(only)))
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

/// The names of the members of the first records; `whole` tells whether `text` is the whole source.
fn values(text: &[u8], whole: bool) -> Sniffed {
    let mut frames = Vec::new();
    let mut framer = Format::Json.framer();
    // Where it breaks off is found when it is read.
    let framed = framer.push(text, &mut frames);
    if framed.is_ok() && whole {
        let _ = framer.finish(&mut frames);
    }
    let index = |offset: u64| usize::try_from(offset).unwrap_or(text.len()).min(text.len());
    let names = |frame: &FrameRange| first_members(&text[index(frame.start)..index(frame.end)]);
    let mut records: Vec<_> = frames.iter().take(SNIFF_RECORDS).map(names).collect();
    let cut = records.is_empty();
    if cut {
        records.push(first_members(text));
    }
    records.retain(|fields| !fields.is_empty());
    Sniffed { format: Format::Json, cut: cut && !whole, records }
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
                "a: found a text that begins with \"i\", expected JSON as the format says: \"[\" or \"{\"",
            ),
            (
                "a.gz",
                b"\x1f\x8b\x08",
                None,
                "a.gz: found gzip-compressed data, expected JSON or CSV in UTF-8",
            ),
            (
                "a",
                b"\x28\xb5\x2f\xfd",
                Some(Format::Csv),
                "a: found zstd-compressed data, expected JSON or CSV in UTF-8",
            ),
            ("a", b"\xff\xfei\0d\0", None, "a: found UTF-16 text, expected JSON or CSV in UTF-8"),
            (
                "a",
                b"\x7fELF\0\0,\n",
                None,
                "a: found binary data (a NUL byte in the first line), expected JSON or CSV in UTF-8",
            ),
            ("a", b"", None, "a: found an empty file, expected JSON or CSV in UTF-8"),
            (
                "a",
                b"\xef\xbb\xbf\n ",
                None,
                "a: found nothing but white space, expected JSON or CSV in UTF-8",
            ),
            (
                "a",
                b"<x/>",
                None,
                "a: found XML or HTML (it begins with \"<\"), expected JSON or CSV in UTF-8",
            ),
            ("a", b"id;title\n", None, "a: found fields with ';' between them, expected commas"),
            (
                "a",
                b"id\ttitle\n",
                Some(Format::Csv),
                "a: found fields with '\\t' between them, expected commas",
            ),
            (
                "a",
                b"---\nid: 1\n",
                None,
                "a: found a text that begins with \"---\", expected JSON or CSV in UTF-8 with a header row",
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
