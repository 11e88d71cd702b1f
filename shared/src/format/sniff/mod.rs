//! Recognises the format and the fields of a source from its first bytes, and holds them against what its name
//! and the user say.

mod hidden;
mod names;
mod table;

use super::reading::Reading;
use super::{BYTE_ORDER_MARK, Format, shown};
use crate::limits::SNIFF_BYTES;

/// What the head of a source shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sniffed {
    /// The format.
    pub format: Format,
    /// The fields of the header row, or of each of the first records; empty if there is no record.
    pub records: Vec<Vec<String>>,
    /// Whether the only record goes on behind the bytes that were looked at, and may have more fields.
    pub cut: bool,
    /// CSV: the delimiter, where the user or the text leaves no doubt about it.
    pub delimiter: Option<u8>,
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

/// Where the header of a tar archive has its magic (POSIX.1-1988 and GNU).
const TAR: (usize, &[u8]) = (257, b"ustar");

const EXPECTED: &str = "expected JSON, CSV, XML, YAML or Markdown in UTF-8";

/// A format that somebody says the source has.
#[derive(Debug, Clone, Copy)]
struct Said {
    format: Format,
    /// Whether it is the file's name that says so.
    by_name: bool,
}

impl Said {
    /// The user's word counts more than the file's name.
    fn of(name: &str, asked: Option<Format>) -> Option<Self> {
        let by_name = || Format::of_name(name).map(|format| Self { format, by_name: true });
        asked.map(|format| Self { format, by_name: false }).or_else(by_name)
    }

    /// What is said of a source in which something else was found.
    fn contradicted(self, found: &str) -> String {
        let expected = match self.format {
            Format::Ndjson => "one JSON object per line (NDJSON)",
            format => format.title(),
        };
        match self.by_name {
            true => format!(
                "found {found}, expected {expected} as its name says; name the format where the name is wrong"
            ),
            false => format!("found {found}, expected {expected} as the format says"),
        }
    }
}

/// Looks at the first bytes of a source ([`crate::limits::SNIFF_BYTES`] at most; all of it if it is
/// shorter), without the layers around it. `asked` is the format that the user named, `name` the file's name.
///
/// # Errors
/// Says what was found and expected: the source is empty, is of no known format, or contradicts what `asked`,
/// its name or the `reading` says.
pub fn sniff(name: &str, head: &[u8], asked: Option<Format>, reading: &Reading) -> Result<Sniffed, String> {
    let refuse = |message: String| Err(format!("{name}: {message}"));
    if let Some((_, kind)) = BINARY.iter().find(|(magic, _)| head.starts_with(magic)) {
        return refuse(format!("found {kind}, {EXPECTED}"));
    }
    if head.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1)) {
        return refuse(format!(
            "found a tar archive, {EXPECTED}: unpack it first (tar xf), and import its files, or the manifest among them"
        ));
    }
    let text = head.strip_prefix(&BYTE_ORDER_MARK[..]).unwrap_or(head);
    let said = Said::of(name, asked);
    let format = said.map(|said| said.format);
    let Some(&first) = text.iter().find(|byte| !byte.is_ascii_whitespace()) else {
        if let Some(format @ (Format::Ndjson | Format::Markdown)) = format {
            // That is how no record looks.
            return Ok(Sniffed { format, records: Vec::new(), cut: false, delimiter: None });
        }
        let found = if head.is_empty() { "an empty file" } else { "nothing but white space" };
        return refuse(format!("found {found}, {EXPECTED}"));
    };
    let whole = head.len() < SNIFF_BYTES;
    match (recognised(text, first, format), said) {
        (Some(found), Some(said)) if !agree(found, said.format) => {
            let (found, first) = (found.title(), shown::byte(first));
            refuse(said.contradicted(&format!("{found} (it begins with {first})")))
        }
        (Some(Format::Json), Some(said)) if said.format == Format::Ndjson && first == b'[' => {
            refuse(said.contradicted("a JSON array (it begins with \"[\")"))
        }
        (Some(Format::Json), _) if format != Some(Format::Ndjson) => {
            document(text, whole, reading).or_else(refuse)
        }
        (Some(Format::Json), _) => Ok(names::values(Format::Ndjson, text, whole, reading)),
        (Some(Format::Xml), _) => declared_encoding(text)
            .map(|()| names::records(Format::Xml, text, whole, reading))
            .or_else(refuse),
        (Some(found), _) => Ok(names::records(found, text, whole, reading)),
        (None, Some(said)) if said.format != Format::Csv => {
            refuse(said.contradicted(&format!("a text that begins with {}", shown::byte(first))))
        }
        (None, _) => table::look(name, text, whole, said.is_some(), reading).or_else(refuse),
    }
}

/// Whether a source in which `found` was recognised can be what it is said to be.
fn agree(found: Format, said: Format) -> bool {
    found == said || found == Format::Json && said == Format::Ndjson
}

/// The format that a text shows; none where it may be CSV.
///
/// What somebody says is only contradicted by what leaves no doubt: a comment, a cell or what stands before
/// the first item may look like anything.
fn recognised(text: &[u8], first: u8, said: Option<Format>) -> Option<Format> {
    match first {
        _ if said == Some(Format::Markdown) && (has_item(text) || !matches!(first, b'[' | b'{' | b'<')) => {
            said
        }
        b'<' => Some(Format::Xml),
        _ if said == Some(Format::Yaml) => said,
        b'[' | b'{' => Some(Format::Json),
        _ if said == Some(Format::Csv) => None,
        _ => lines_say(text),
    }
}

/// The lines of a text, without the blanks behind them.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end)
}

fn has_item(text: &[u8]) -> bool {
    lines(text).any(|line| line.starts_with(b"## Item "))
}

/// JSON whose records are in the place where they are looked for.
fn document(text: &[u8], whole: bool, reading: &Reading) -> Result<Sniffed, String> {
    if reading.records_at.is_none()
        && let Some(path) = hidden::array(text, whole)
    {
        return Err(format!(
            "found one object, which holds records in the array {path}; to import those, name it: --records-at \
             '{path}' (recordsAt)"
        ));
    }
    Ok(names::values(Format::Json, text, whole, reading))
}

/// The format that the beginnings of lines show; none where it may be CSV.
fn lines_say(text: &[u8]) -> Option<Format> {
    // Behind a heading, and not in some cell of a table.
    if text.trim_ascii_start().starts_with(b"#") && has_item(text) {
        return Some(Format::Markdown);
    }
    let says_nothing =
        |line: &[u8]| line.trim_ascii().is_empty() || line.starts_with(b"#") || line.starts_with(b"%");
    let line = lines(text).find(|line| !says_nothing(line))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::reading::RecordsAt;

    #[test]
    fn formats_and_fields_are_recognised() {
        let cases: &[(&str, &[u8], Option<Format>, &str)] = &[
            ("a", b"\xef\xbb\xbf [{\"id\":1,\"tags\":[{}]},{\"b\":2}]", None, "json: id tags | b"),
            ("a", b"{\"id\":1}\n{\"b\":2}", None, "json: id | b"),
            ("a.csv", b"{\"id\":1}", Some(Format::Json), "json: id"),
            (
                "a.csv",
                b"{\"id\":1}\n{\"b\":2}",
                None,
                "a.csv: found JSON (it begins with \"{\"), expected CSV as its name says; name the format where the name is wrong",
            ),
            (
                "a.json",
                b"id,title",
                None,
                "a.json: found a text that begins with \"i\", expected JSON as its name says; name the format where the name is wrong",
            ),
            (
                "a.XML.gz",
                b"- id: 1\n",
                None,
                "a.XML.gz: found YAML (it begins with \"-\"), expected XML as its name says; name the format where the name is wrong",
            ),
            (
                "notes.md",
                b" [1]",
                None,
                "notes.md: found JSON (it begins with \"[\"), expected Markdown as its name says; name the format where the name is wrong",
            ),
            ("notes.md", b"# Notes\n", None, "markdown: "),
            ("a.txt", b"id,title", None, "csv: id title (,)"),
            ("a.jsonl", b"{\"id\":1}\nbroken\n{\"b\":2", None, "ndjson: id | b"),
            ("a", b"{\"id\":1}\n", Some(Format::Ndjson), "ndjson: id"),
            ("a", b"", Some(Format::Ndjson), "ndjson: "),
            ("a.md", b"\n", None, "markdown: "),
            (
                "a",
                b"\n[{\"id\":1}]",
                Some(Format::Ndjson),
                "a: found a JSON array (it begins with \"[\"), expected one JSON object per line (NDJSON) as the format says",
            ),
            (
                "a.ndjson",
                b"id,b",
                None,
                "a.ndjson: found a text that begins with \"i\", expected one JSON object per line (NDJSON) as its name says; name the format where the name is wrong",
            ),
            (
                "a",
                b"{\"data\":{\"contexts\":[{\"id\":1}]}}",
                None,
                "a: found one object, which holds records in the array $.data.contexts; to import those, name it: --records-at '$.data.contexts' (recordsAt)",
            ),
            ("a", b"{\"id\":1}\nnull\n{\"b\":2,", None, "json: id | b"),
            ("a", b"[{\"id\":\"x\",\"title\":\"cut o", Some(Format::Json), "json: id title"),
            ("a", b"[]", None, "json: "),
            ("a", b"[1]", None, "json: "),
            ("a", b"\n\"id\",\"ti\"\"t\"\r\n1,2", None, "csv: id ti\"t (,)"),
            ("a", b"id\n1", None, "csv: id"),
            ("names.csv", b"name\n1", None, "csv: name"),
            ("a", b"name\n1", Some(Format::Csv), "csv: name"),
            ("a", b"\"id\",\"cut", None, "csv: id cut (,)"),
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
            (
                "a",
                b"\x81\x05,\n",
                None,
                "a: found binary data (the byte 0x05 in the first line), expected JSON, CSV, XML, YAML or Markdown in UTF-8",
            ),
            ("a.csv", b"\x05,b\n", None, "csv: \u{5} b (,)"),
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
            ("a.csv", b"id:,b\n1,2\n", None, "csv: id: b (,)"),
            ("a.csv", b"id,b\n1,\"x\n## Item 3\n\"\n", None, "csv: id b (,)"),
            ("a", b"title: sub\n1\n", Some(Format::Csv), "csv: title: sub"),
            ("a", b"# all\n## Item list\n- id: 1\n", Some(Format::Yaml), "yaml: id"),
            ("a", b"<!-- generated -->\n## Item 1\n**id:** 1\n", Some(Format::Markdown), "markdown: id"),
            ("a", b"id;title\n", None, "csv: id title (;)"),
            ("a", b"id\ttitle\n", Some(Format::Csv), "csv: id title (\t)"),
            (
                "a",
                b"some text\n",
                None,
                "a: found a text that begins with \"some text\", expected JSON, CSV, XML, YAML or Markdown in UTF-8",
            ),
        ];
        for (name, head, asked, expected) in cases {
            let found = match sniff(name, head, *asked, &Reading::default()) {
                Ok(sniffed) => {
                    let records: Vec<String> =
                        sniffed.records.iter().map(|fields| fields.join(" ")).collect();
                    let delimiter =
                        sniffed.delimiter.map(|byte| format!(" ({})", char::from(byte))).unwrap_or_default();
                    format!("{}: {}{delimiter}", sniffed.format.as_str(), records.join(" | "))
                }
                Err(message) => message,
            };
            assert_eq!(found, *expected);
        }
    }

    #[test]
    fn an_archive_is_no_text() {
        for (length, name, found) in [
            (257, "ustar", "a tar archive"),
            (257, "ustar  \0", "a tar archive"),
            (256, "ustar", "a text that begins with"),
            (257, "usta", "a text that begins with"),
        ] {
            let head = [&b"x".repeat(length), name.as_bytes()].concat();
            let message = sniff("a.json", &head, None, &Reading::default()).unwrap_err();
            assert!(message.starts_with(&format!("a.json: found {found}")), "{message}");
        }
    }

    #[test]
    fn what_is_said_of_a_source_is_held_against_it() {
        let usual = Reading::default();
        let at = |path| Reading { records_at: RecordsAt::parse(path).ok(), ..Reading::default() };
        let delimited = |delimiter| Reading { delimiter: Some(delimiter), ..Reading::default() };
        let cases: &[(&[u8], Reading, &str)] = &[
            (b"id;title\n", delimited(b';'), "csv: id title"),
            (
                b"id;title\n",
                delimited(b','),
                "a: found fields with \";\" between them, expected \",\" as the delimiter says",
            ),
            (
                b"id,title\n",
                delimited(b'\t'),
                "a: found fields with \",\" between them, expected a tab as the delimiter says",
            ),
            (
                b"x;y\n",
                delimited(b'|'),
                "a: found a text that begins with \"x;y\", expected JSON, CSV, XML, YAML or Markdown in UTF-8",
            ),
            (b"1,x\n", Reading { header: Some(vec!["id".into(), "b".into()]), ..usual.clone() }, "csv: id b"),
            (b"'a,b',id\n", Reading { quote: Some(b'\''), ..usual }, "csv: a,b id"),
            (b"{\"n\":1,\"d\":{\"c\":[{\"id\":1},{\"b\":2}]}}", at("$.d.c"), "json: id | b"),
            (b"{\"n\":1}", at("$.d.c"), "json: "),
            (b"<d><n/><c><i><id>1</id></i></c></d>", at("/d/c/i"), "xml: id"),
        ];
        for (head, reading, expected) in cases {
            let found = match sniff("a", head, None, reading) {
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
