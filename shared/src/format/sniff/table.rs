//! The columns of a CSV file, and the delimiter between them.

use super::{EXPECTED, Sniffed};
use crate::format::csv::{self, Dialect, RowFramer};
use crate::format::reading::Reading;
use crate::format::{FrameRange, shown};
use crate::limits::SNIFF_RECORDS;
use crate::schema;

/// What may be found by looking, the usual one first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What a text looks like with one delimiter.
struct Sample {
    delimiter: u8,
    /// Names in the header row that are fields of some type.
    known: usize,
    columns: usize,
    /// Rows, and those of them that have as many cells as there are columns.
    rows: usize,
    alike: usize,
}

/// Looks at a text that may be CSV; `said` if somebody says that it is.
pub(super) fn look(
    name: &str,
    text: &[u8],
    whole: bool,
    said: bool,
    reading: &Reading,
) -> Result<Sniffed, String> {
    let looked = found(text, whole, reading);
    let usual = if name.ends_with(".tsv") { b'\t' } else { Dialect::default().delimiter };
    let dialect = Dialect { delimiter: reading.delimiter.or(looked).unwrap_or(usual), ..reading.dialect() };
    let row = first_row(text, dialect);
    if row.contains(&0) {
        return Err(format!("found binary data (a NUL byte in the first line), {EXPECTED}"));
    }
    // What is compressed without a mark has many of them.
    if let Some(control) = row.iter().find(|byte| !said && matches!(byte, 1..=8 | 14..=31 | 127)) {
        let byte = shown::byte(*control);
        return Err(format!("found binary data ({byte} in the first line), {EXPECTED}"));
    }
    let row = String::from_utf8_lossy(row);
    let table = |fields: Vec<String>| {
        let delimiter = (fields.len() > 1 || reading.delimiter.is_some()).then_some(dialect.delimiter);
        Ok(Sniffed { format: super::Format::Csv, records: vec![fields], cut: false, delimiter })
    };
    if let Some(header) = &reading.header {
        return table(header.clone());
    }
    let fields = csv::names(&row, dialect);
    let known = known(&fields);
    if let Some(other) = looked.filter(|other| *other != dialect.delimiter)
        && sample(text, whole, reading, other).known > known.max(1)
    {
        let [other, said] = [other, dialect.delimiter].map(shown::delimiter);
        return Err(format!("found fields with {other} between them, expected {said} as the delimiter says"));
    }
    match &fields[..] {
        [only] if known == 0 && !said => {
            Err(format!("found a text that begins with {}, {EXPECTED}", shown::text(only)))
        }
        _ => table(fields),
    }
}

/// The delimiter that makes the best table; none where it makes none, or two are as good.
///
/// The one with most names of fields in the header row, and of those the one with which most rows have as many
/// cells as there are columns.
fn found(text: &[u8], whole: bool, reading: &Reading) -> Option<u8> {
    let samples = DELIMITERS.map(|delimiter| sample(text, whole, reading, delimiter));
    let tables = || samples.iter().filter(|sample| sample.columns > 1);
    let known = tables().map(|sample| sample.known).max()?;
    // Compared as fractions, without dividing.
    let order = |one: &&Sample, other: &&Sample| (one.alike * other.rows).cmp(&(other.alike * one.rows));
    let best = tables().filter(|sample| sample.known == known).max_by(order)?;
    let mut as_good = tables().filter(|sample| sample.known == known && order(sample, &best).is_eq());
    match (as_good.next(), as_good.next()) {
        (Some(only), None) => Some(only.delimiter),
        _ => None,
    }
}

fn sample(text: &[u8], whole: bool, reading: &Reading, delimiter: u8) -> Sample {
    let dialect = Dialect { delimiter, ..reading.dialect() };
    let rows = rows(text, whole, dialect);
    let cells = |row: &FrameRange| csv::cells(part(text, row), dialect);
    let (known, columns) = match (&reading.header, rows.first()) {
        (Some(header), _) => (0, header.len()),
        (None, Some(row)) => {
            let fields = csv::names(&String::from_utf8_lossy(part(text, row)), dialect);
            (known(&fields), fields.len())
        }
        (None, None) => (0, 0),
    };
    let alike = rows.iter().filter(|row| cells(row) == columns).count();
    Sample { delimiter, known, columns, rows: rows.len(), alike }
}

fn known(fields: &[String]) -> usize {
    let is_field = |name: &&String| schema::built_ins().iter().any(|kind| kind.slot(name).is_some());
    fields.iter().filter(is_field).count()
}

/// The first rows; one that is cut only where there is no other.
fn rows(text: &[u8], whole: bool, dialect: Dialect) -> Vec<FrameRange> {
    let mut frames = Vec::new();
    let mut framer = RowFramer::new(dialect);
    framer.push(text, &mut frames);
    if whole || frames.is_empty() {
        let open = framer.open();
        // A quote that is not closed is found when it is read; until then the row goes on.
        if framer.finish(&mut frames).is_err() && frames.is_empty() {
            frames.extend(open.map(|start| start..text.len() as u64));
        }
    }
    frames.truncate(SNIFF_RECORDS);
    frames
}

/// The first row, or as much of it as there is.
fn first_row(text: &[u8], dialect: Dialect) -> &[u8] {
    rows(text, true, dialect).first().map_or(&[], |row| part(text, row))
}

fn part<'text>(text: &'text [u8], row: &FrameRange) -> &'text [u8] {
    let index = |offset: u64| usize::try_from(offset).unwrap_or(text.len()).min(text.len());
    &text[index(row.start)..index(row.end)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_found_by_looking() {
        let cases: &[(&str, &str)] = &[
            ("id,title,content\n1,a;b,c\n", ","),
            ("id;title;content\n1;a,b;c,d,e\n", ";"),
            ("id\ttitle\n1\ta;b\n", "\t"),
            ("id|title\n1|2\n", "|"),
            ("id;title,note;content\n1;2;3\n", ";"),
            // The names decide before the rows do.
            ("id;title,x\n1,2\n3,4\n5,6\n", ";"),
            // No name is known: the rows decide.
            ("a;b,c\n1;2\n3;4\n5,6;7\n", ";"),
            ("a,b;c\n1;2\n3;4\n5;6,7\n", ";"),
            // What stands in quotes does not count.
            ("\"a,b\";c\n\"1,2,3\";4\n", ";"),
            ("\"a;\n;b\"|c\n1|2\n", "|"),
            // A tie, or one column.
            ("a,b;c\n1,2;3\n", ""),
            ("id\n1;2\n", ""),
            ("name\n1,2\n", ""),
            ("id;\"cut", ";"),
        ];
        for (text, expected) in cases {
            let delimiter = found(text.as_bytes(), true, &Reading::default());
            let delimiter = delimiter.map(|byte| char::from(byte).to_string()).unwrap_or_default();
            assert_eq!(delimiter, *expected, "{text:?}");
        }
        let header = Some(vec!["id".into(), "title".into(), "content".into()]);
        let quote = Some(b'\'');
        for (text, reading, expected) in [
            ("1;a,b;c\n", Reading { header: header.clone(), ..Reading::default() }, Some(b';')),
            ("1;a,b,c\n2,x,y\n", Reading { header, ..Reading::default() }, Some(b',')),
            ("'a,b';c\n'1,2,3';4\n", Reading { quote, ..Reading::default() }, Some(b';')),
        ] {
            assert_eq!(found(text.as_bytes(), true, &reading), expected, "{text:?}");
        }
        // The last row is cut by the end of what was looked at, and says nothing.
        assert_eq!(found(b"a;b,c\n1;2\n3,4", false, &Reading::default()), Some(b';'));
    }
}
