//! Rejects for people and programs: newline-delimited JSON, one line per refused record, streamed in memory
//! that depends neither on their number nor on their size.
//!
//! A line is a [`Line`] to which `raw` (the record's bytes, where they are UTF-8) or `rawBase64` is added as
//! the last member, so that a reader who does not want the record can stop there.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::fault::{Fault, Frame, Reject, Stage};
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::Ports;
use carrack_shared::port::objects::ByteStream;
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::record::Position;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use crate::report::source_name;

/// Rejects that are read from the database at a time; each holds a frame of up to 64 KiB.
const PAGE: u32 = 100;

/// A line without the record's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The file's name.
    pub file: String,
    /// Number of the record in its file, from 1.
    pub record: u64,
    /// Where it stands, as [`place`] writes it: whoever wants the rejects behind this one says it.
    #[serde(default)]
    pub position: String,
    /// Line of the record's first byte, from 1.
    pub line: u64,
    /// The record's first byte, from 0.
    pub byte_start: u64,
    /// Behind the record's last byte.
    pub byte_end: u64,
    /// The field of the first fault.
    pub field: Option<String>,
    /// The stage of the first fault.
    pub stage: Stage,
    /// The stable code of the first fault.
    pub code: String,
    /// What the first fault found and expected.
    pub message: String,
    /// All faults.
    pub faults: Vec<Fault>,
    /// For a duplicate inside the import: the record that won the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<Winner>,
}

/// The record that won a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Winner {
    /// Its file's name.
    pub file: String,
    /// Its number in that file, from 1.
    pub record: u64,
}

impl Line {
    /// The line of a reject.
    pub fn new(operation: &Operation, reject: &Reject) -> Self {
        let unknown = || Fault::new(Stage::Load, "internal.no_fault", "the reject has no fault");
        let first = reject.faults.first().cloned().unwrap_or_else(unknown);
        let winner = reject.winner.map(|winner| Winner {
            file: source_name(operation, winner.source()).to_owned(),
            record: winner.record(),
        });
        Self {
            file: source_name(operation, reject.position.source()).to_owned(),
            record: reject.position.record(),
            position: place(reject.position),
            line: reject.line,
            byte_start: reject.byte_start,
            byte_end: reject.byte_start + reject.byte_length,
            field: first.field,
            stage: first.stage,
            code: first.code.into_owned(),
            message: first.message,
            faults: reject.faults.clone(),
            winner,
        }
    }

    /// The line as people read it: `records.csv: record 17 (line 19, byte 4,211): field "createdAt":
    /// expected a date, found "31/02/2024"`.
    pub fn sentence(&self) -> String {
        let (record, line, byte) = (grouped(self.record), grouped(self.line), grouped(self.byte_start));
        let place = match self.line {
            // What was not read from a file has no place in one.
            0 => format!("{}: record {record}", self.file),
            _ => format!("{}: record {record} (line {line}, byte {byte})", self.file),
        };
        match &self.field {
            Some(field) => format!("{place}: field {field:?}: {}", self.message),
            None => format!("{place}: {}", self.message),
        }
    }
}

/// A number with a comma between each three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Which rejects are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only those with a fault of this code.
    pub code: Option<String>,
    /// Only those behind this record.
    pub after: Option<Position>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// A position as users are told it: the number of the file and that of the record in it, both from 1.
pub fn place(position: Position) -> String {
    format!("{}:{}", position.source() + 1, position.record())
}

/// Reads back [`place`].
pub fn parse_place(text: &str) -> Option<Position> {
    let (source, record) = text.split_once(':')?;
    let (source, record): (u32, u64) = (source.parse().ok()?, record.parse().ok()?);
    let fits = (1..=1 << 22).contains(&source) && record < 1 << 39;
    fits.then(|| Position::new(source - 1, record))
}

/// Rejects of an operation, as lines, in the order of the input.
pub fn lines(ports: Ports, operation: Operation, wanted: Selection) -> ByteStream {
    let rejects = rejects(ports.clone(), operation.id, wanted);
    rejects
        .and_then(move |reject| {
            let (ports, line) = (ports.clone(), Line::new(&operation, &reject));
            async move { whole_line(&ports, &line, reject.frame).await }
        })
        .try_flatten()
        .boxed()
}

/// The rejects that are wanted, in the order of the input.
pub(crate) fn rejects(
    ports: Ports,
    id: OperationId,
    wanted: Selection,
) -> stream::BoxStream<'static, PortResult<Reject>> {
    let most = wanted.limit.map_or(usize::MAX, |limit| limit as usize);
    let limit = wanted.limit.unwrap_or(PAGE).min(PAGE);
    let first = RejectPage { code: wanted.code, after: wanted.after, limit };
    let all = stream::try_unfold((first, VecDeque::new(), false), move |(mut next, mut page, mut ended)| {
        let store = ports.store.clone();
        async move {
            if page.is_empty() && !ended {
                page = VecDeque::from(store.rejects(id, &next).await?);
                ended = page.len() < next.limit as usize;
                next.after = page.back().map(|reject: &Reject| reject.position).or(next.after);
            }
            Ok(page.pop_front().map(|reject| (reject, (next, page, ended))))
        }
    });
    all.take(most).boxed()
}

async fn whole_line(ports: &Ports, line: &Line, frame: Frame) -> PortResult<ByteStream> {
    let mut head = serde_json::to_vec(line).map_err(|error| {
        PortError::new(ErrorKind::Internal, "carrack", "a reject that is no JSON").because(error)
    })?;
    head.pop();
    match frame {
        Frame::Inline(bytes) => {
            let mut raw = Raw::for_text(std::str::from_utf8(&bytes).is_ok());
            head.extend_from_slice(raw.open());
            raw.push(&bytes, &mut head);
            raw.close(&mut head);
            Ok(one(head))
        }
        Frame::Object(key) => {
            let mut raw = Raw::for_text(is_utf8(long_frame(ports, &key).await?).await?);
            head.extend_from_slice(raw.open());
            let mut ended = false;
            let mut pieces = long_frame(ports, &key).await?;
            let body = stream::poll_fn(move |context| {
                if ended {
                    return std::task::Poll::Ready(None);
                }
                pieces.poll_next_unpin(context).map(|piece| {
                    let mut out = Vec::new();
                    match piece {
                        Some(Ok(piece)) => raw.push(&piece, &mut out),
                        Some(Err(error)) => return Some(Err(error)),
                        None => {
                            raw.close(&mut out);
                            ended = true;
                        }
                    }
                    Some(Ok(Bytes::from(out)))
                })
            });
            Ok(one(head).chain(body).boxed())
        }
    }
}

fn one(bytes: Vec<u8>) -> ByteStream {
    stream::iter([Ok(Bytes::from(bytes))]).boxed()
}

pub(crate) async fn long_frame(ports: &Ports, key: &str) -> PortResult<ByteStream> {
    let Some(meta) = ports.objects.head(key).await? else {
        let message = format!("the record of a reject, object {key}, is gone");
        return Err(PortError::new(ErrorKind::NotFound, "objects", message));
    };
    ports.objects.stream(key, 0, &meta.etag).await
}

/// Whether all pieces together are UTF-8; characters may be cut between two pieces.
async fn is_utf8(mut pieces: ByteStream) -> PortResult<bool> {
    let mut open = Vec::new();
    while let Some(piece) = pieces.try_next().await? {
        open.extend_from_slice(&piece);
        match std::str::from_utf8(&open) {
            Ok(_) => open.clear(),
            Err(error) if error.error_len().is_some() => return Ok(false),
            Err(error) => drop(open.drain(..error.valid_up_to())),
        }
    }
    Ok(open.is_empty())
}

/// Writes a record's bytes as a JSON string, in pieces of any size.
enum Raw {
    Text,
    /// Bytes that do not fill a group of three yet.
    Base64(Vec<u8>),
}

impl Raw {
    fn for_text(is_text: bool) -> Self {
        if is_text { Self::Text } else { Self::Base64(Vec::new()) }
    }

    fn open(&self) -> &'static [u8] {
        match self {
            Self::Text => b",\"raw\":\"",
            Self::Base64(_) => b",\"rawBase64\":\"",
        }
    }

    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Text => escape(piece, out),
            Self::Base64(rest) => {
                rest.extend_from_slice(piece);
                let whole = rest.len() - rest.len() % 3;
                out.extend_from_slice(STANDARD.encode(&rest[..whole]).as_bytes());
                rest.drain(..whole);
            }
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if let Self::Base64(rest) = self {
            out.extend_from_slice(STANDARD.encode(rest).as_bytes());
        }
        out.extend_from_slice(b"\"}\n");
    }
}

/// Escapes the bytes of UTF-8 text. Only ASCII is ever escaped, so that a cut inside a character does not
/// matter.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len());
    for &byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line {
            file: "records.csv".into(),
            record: 17,
            position: "1:17".into(),
            line: 19,
            byte_start: 4211,
            byte_end: 4250,
            field: Some("createdAt".into()),
            stage: Stage::Validate,
            code: "date.invalid".into(),
            message: "expected a date, found \"31/02/2024\"".into(),
            faults: vec![],
            winner: None,
        }
    }

    #[test]
    fn people_read_the_place_first() {
        let expected = r#"records.csv: record 17 (line 19, byte 4,211): field "createdAt": expected a date, found "31/02/2024""#;
        assert_eq!(line().sentence(), expected);
        let whole = Line { field: None, message: "too long".into(), ..line() };
        assert_eq!(whole.sentence(), "records.csv: record 17 (line 19, byte 4,211): too long");
    }

    #[test]
    fn a_place_reads_back() {
        for (source, record) in [(0, 1), (0, 17), (9_999, 1 << 38)] {
            let position = Position::new(source, record);
            assert_eq!(parse_place(&place(position)), Some(position));
        }
        assert_eq!(place(Position::new(0, 17)), "1:17");
        for wrong in ["", "17", "0:1", "1:", ":1", "1:x", "1:99999999999999999999", "-1:1", "1:1:1"] {
            assert_eq!(parse_place(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn raw_bytes_survive_any_cut() {
        let records: [&[u8]; 5] =
            ["grüße \"x\"\\\r\n\t\u{1}\u{7f}€".as_bytes(), b"", b"\xff\xfe\x00ab", b"\xe2\x82", b"a"];
        for record in records {
            for cut in 1..=record.len().max(1) {
                let mut raw = Raw::for_text(std::str::from_utf8(record).is_ok());
                let mut text = b"{\"a\":1".to_vec();
                text.extend_from_slice(raw.open());
                record.chunks(cut).for_each(|piece| raw.push(piece, &mut text));
                raw.close(&mut text);
                let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
                let back = match (&value["raw"], &value["rawBase64"]) {
                    (serde_json::Value::String(text), _) => text.clone().into_bytes(),
                    (_, encoded) => STANDARD.decode(encoded.as_str().unwrap()).unwrap(),
                };
                assert_eq!(back, record, "cut every {cut} bytes");
            }
        }
    }

    #[tokio::test]
    async fn utf8_is_told_over_any_cut() {
        for (record, expected) in [(&b"a\xe2\x82\xacb"[..], true), (b"\xe2\x82", false), (b"\xffab", false)] {
            for cut in 1..=record.len() {
                let pieces: Vec<_> =
                    record.chunks(cut).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
                assert_eq!(is_utf8(stream::iter(pieces).boxed()).await.unwrap(), expected);
            }
        }
    }
}
