//! What a Markdown record means: its `**name:** value` lines, as members.

use std::ops::Range;
use std::sync::Arc;

use super::fence;
use crate::format::csv::decode::EXTRA;
use crate::format::draft::Draft;
use crate::format::json::{Refusal, text};
use crate::format::members::{Member, Members, checked, string};
use crate::format::{self, Meaning, shown};
use crate::record::Rows;
use crate::schema::{DataType, FieldType};

/// Markdown records of a type.
#[derive(Debug)]
pub(super) struct Records {
    pub data_type: Arc<DataType>,
}

impl Meaning for Records {
    fn decoder(&self, segment: &[u8]) -> Box<dyn format::Decoder + '_> {
        let nul = memchr::memchr(0, segment).is_some();
        Box::new(Decoder { members: Members::new(&self.data_type), nul })
    }
}

#[derive(Debug)]
struct Decoder<'plan> {
    members: Members<'plan>,
    /// Whether the segment holds a NUL byte anywhere.
    nul: bool,
}

/// A field as it is written.
struct Written<'text> {
    name: &'text str,
    /// Its value, as a range of the record.
    value: Range<usize>,
    /// Whether the value stands in a fence, and so is what it is.
    fenced: bool,
}

impl format::Decoder for Decoder<'_> {
    fn record(&mut self, record: &str, start: u32, rows: &mut Rows, draft: &mut Draft) {
        self.members.begin(record.len());
        if self.nul && record.contains('\0') {
            draft.refuse(text::nul());
            return;
        }
        // The rest of the heading's line says nothing.
        let mut at = record.find('\n').map_or(record.len(), |end| end + 1);
        while at < record.len() {
            match next_field(record, &mut at) {
                Ok(None) => {}
                Ok(Some(written)) => {
                    if let Err(refusal) = self.member(record, &written, start, rows, draft) {
                        self.members.fault(written.name, refusal, draft);
                    }
                }
                Err(refusal) => return draft.refuse(refusal),
            }
        }
        self.members.end(draft);
    }
}

impl Decoder<'_> {
    fn member(
        &mut self,
        record: &str,
        written: &Written<'_>,
        start: u32,
        rows: &mut Rows,
        draft: &mut Draft,
    ) -> Result<(), Refusal> {
        let Written { name, value, fenced } = written;
        let plain = &record[value.clone()];
        let wanted = self.members.wanted(name);
        let code = plain.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).filter(|_| !fenced);
        if let Some(json) = code.and_then(|code| checked(code, "value").ok()) {
            if wanted.is_none() && *name == EXTRA && json.starts_with('{') {
                return self.members.object(json, rows, draft);
            }
            self.members.put(name, &Member::Json(json), rows, draft);
            return Ok(());
        }
        match wanted {
            // As in CSV: nothing is no date and no number.
            Some(wanted) if wanted.is_never_empty() && plain.is_empty() => {}
            Some(FieldType::Array) => {
                let mut json = vec![b'['];
                for (index, element) in plain.split(',').filter(|_| !plain.is_empty()).enumerate() {
                    json.extend((index > 0).then_some(b','));
                    string(element.trim().as_bytes(), &mut json);
                }
                json.push(b']');
                self.members.put(name, &Member::Json(&String::from_utf8_lossy(&json)), rows, draft);
            }
            _ => {
                let place = |offset: usize| start + u32::try_from(offset).unwrap_or(u32::MAX);
                let span = Rows::span_of_source(place(value.start)..place(value.end));
                self.members.put(name, &Member::Text(span), rows, draft);
            }
        }
        Ok(())
    }
}

/// Reads the field that begins at `at`, and moves `at` behind it; none for a blank line.
fn next_field<'text>(record: &'text str, at: &mut usize) -> Result<Option<Written<'text>>, Refusal> {
    let begun = *at;
    let line = line(record, begun);
    *at = line.behind;
    let Some((name, value)) = field(line.text) else {
        if line.text.trim().is_empty() {
            return Ok(None);
        }
        let found = shown::text(line.text);
        let message =
            format!("found {found} at byte {begun} of the record, expected a field: **name:** value");
        return Err(Refusal::new("markdown.text", message));
    };
    let value = begun + value;
    if record[value..begun + line.text.len()].trim().is_empty()
        && let Some(inside) = fenced(record, at)?
    {
        return Ok(Some(Written { name, value: inside, fenced: true }));
    }
    let mut open = None;
    while *at < record.len() && (open.is_some() || field(self::line(record, *at).text).is_none()) {
        let line = self::line(record, *at);
        open = fence::behind(open, line.text);
        *at = line.behind;
    }
    let whole = &record[value..*at];
    let start = value + (whole.len() - whole.trim_start().len());
    let value = start..(start + whole.trim().len());
    Ok(Some(Written { name, value, fenced: false }))
}

/// The name of a field line, and where its value begins in it.
fn field(line: &str) -> Option<(&str, usize)> {
    let rest = line.strip_prefix("**")?;
    let (name, _) = rest.split_once(":**")?;
    (!name.is_empty()).then_some((name, "**".len() + name.len() + ":**".len()))
}

/// The content of the fence that begins at `at`, which moves behind it; none if there is no fence.
fn fenced(record: &str, at: &mut usize) -> Result<Option<Range<usize>>, Refusal> {
    let opening = line(record, *at);
    let Some(fence) = fence::behind(None, opening.text) else { return Ok(None) };
    let start = opening.behind;
    let mut next = start;
    while next < record.len() {
        let line = line(record, next);
        if fence::behind(Some(fence), line.text).is_none() {
            *at = line.behind;
            return Ok(Some(start..start + within(&record[start..next], opening.text.ends_with('\r'))));
        }
        next = line.behind;
    }
    let message = format!("found no end of the fence that begins at byte {} of the record", *at);
    Err(Refusal::new("markdown.fence", message))
}

/// How much of the lines in a fence is the value: the line end before the closing fence belongs to the fence,
/// with its `\r` in a file that ends lines so.
fn within(lines: &str, returns: bool) -> usize {
    let inside = lines.strip_suffix('\n').unwrap_or(lines);
    if returns { inside.strip_suffix('\r').unwrap_or(inside).len() } else { inside.len() }
}

struct Line<'text> {
    /// Without its end.
    text: &'text str,
    behind: usize,
}

fn line(record: &str, at: usize) -> Line<'_> {
    let rest = &record[at..];
    match rest.find('\n') {
        Some(end) => Line { text: &rest[..end], behind: at + end + 1 },
        None => Line { text: rest, behind: record.len() },
    }
}
