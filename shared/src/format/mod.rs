//! Formats: where records begin and end (framing), and what they mean (decoding and encoding), apart.
//!
//! A format has one folder here, with three parts that meet behind traits: a [`Framer`] finds the records, a
//! [`Meaning`] decodes them, a [`encode::Writer`] writes them. Adding a format touches its folder, the matches
//! of this file and a folder of fixtures.

pub mod correction;
pub mod csv;
pub(crate) mod draft;
pub mod encode;
pub mod instant;
pub mod json;
pub mod lines;
pub mod markdown;
pub(crate) mod members;
pub mod reading;
pub(crate) mod records_at;
pub(crate) mod shown;
pub mod sniff;
pub mod xml;
pub mod yaml;

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::draft::Draft;
use self::encode::Writer;
use self::reading::Reading;
use crate::fault::Fault;
use crate::record::Rows;
use crate::schema::DataType;

/// The formats that can be read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A JSON array of objects, one object per line (NDJSON), or objects one after another.
    Json,
    /// One JSON object per line, and nothing else.
    Ndjson,
    /// RFC 4180 with a header row.
    Csv,
    /// A root element whose child elements are the records.
    Xml,
    /// A block sequence of mappings, or one mapping per document.
    Yaml,
    /// A heading `## Item N` for each record, a line `**name:** value` for each field.
    Markdown,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Json, Self::Ndjson, Self::Csv, Self::Xml, Self::Yaml, Self::Markdown];

    /// The name that users write and read.
    pub fn as_str(self) -> &'static str {
        self.syntax().name
    }

    /// The name as people write it in a sentence.
    pub fn title(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Ndjson => "NDJSON",
            Self::Csv => "CSV",
            Self::Xml => "XML",
            Self::Yaml => "YAML",
            Self::Markdown => "Markdown",
        }
    }

    /// Reads back [`Format::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }

    /// The format that the ending of a file's name says. Endings of layers around it (`.gz`) say nothing.
    pub fn of_name(name: &str) -> Option<Self> {
        let ending =
            name.rsplit('.').find(|ending| !LAYER_ENDINGS.contains(ending)).filter(|_| name.contains('.'))?;
        let ending = ending.to_ascii_lowercase();
        Self::ALL.into_iter().find(|format| format.syntax().endings.contains(&&*ending))
    }

    /// The media type of a file in this format.
    pub fn media_type(self) -> &'static str {
        self.syntax().media_type
    }

    /// What the name of its files ends with, behind the dot.
    pub fn ending(self) -> &'static str {
        self.syntax().endings.first().copied().unwrap_or_default()
    }

    /// Whether it tells numbers and booleans from texts. Where it does not, a text is a number if its field is.
    pub(crate) fn tells_types(self) -> bool {
        match self {
            Self::Json | Self::Ndjson | Self::Yaml => true,
            Self::Csv | Self::Xml | Self::Markdown => false,
        }
    }

    /// Whether `text` can stand before the first record of a source.
    pub fn is_head(self, reading: &Reading, text: &[u8]) -> bool {
        is_without_records(self.framer(reading), text)
    }

    /// A framer at the first byte of a source that is to be read like this.
    pub fn framer(self, reading: &Reading) -> Box<dyn Framer> {
        (self.syntax().framer)(reading)
    }

    /// Stands for what was never learned of a source whose head cannot be read.
    pub(crate) fn unread(self) -> SourceFacts {
        (self.syntax().unread)()
    }

    fn syntax(self) -> &'static Syntax {
        match self {
            Self::Json => &json::SYNTAX,
            Self::Ndjson => &json::LINES,
            Self::Csv => &csv::SYNTAX,
            Self::Xml => &xml::SYNTAX,
            Self::Yaml => &yaml::SYNTAX,
            Self::Markdown => &markdown::SYNTAX,
        }
    }
}

/// What a format brings along.
struct Syntax {
    name: &'static str,
    media_type: &'static str,
    /// What the names of its files end with, behind the dot.
    endings: &'static [&'static str],
    takes: Takes,
    framer: fn(&Reading) -> Box<dyn Framer>,
    unread: fn() -> SourceFacts,
    writer: &'static dyn Writer,
}

/// What users may say about how a format is to be read; see [`Reading`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    /// Delimiter, quote and header.
    Dialect,
    /// Where the records are: [`reading::RecordsAt::Members`].
    MemberPath,
    /// Where the records are: those of elements.
    ElementPath,
}

/// Endings of what stands around a file of some format.
const LAYER_ENDINGS: [&str; 4] = ["gz", "br", "zst", "sealed"];

/// What has to be known of a source to decode a segment from its middle. Found once by the planner, stored
/// with the operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "lowercase")]
pub enum SourceFacts {
    /// See [`Format::Json`]; a source of [`Format::Ndjson`] is one of JSON in lines.
    Json(json::Facts),
    /// See [`Format::Csv`].
    Csv(csv::Facts),
    /// See [`Format::Xml`].
    Xml(xml::Facts),
    /// See [`Format::Yaml`].
    Yaml(yaml::Facts),
    /// See [`Format::Markdown`].
    Markdown(markdown::Facts),
}

impl SourceFacts {
    /// The format of the source.
    pub fn format(&self) -> Format {
        match self {
            Self::Json(_) => Format::Json,
            Self::Csv(_) => Format::Csv,
            Self::Xml(_) => Format::Xml,
            Self::Yaml(_) => Format::Yaml,
            Self::Markdown(_) => Format::Markdown,
        }
    }

    /// A framer at the boundary between two records of this source: the first byte of a segment. Offsets
    /// begin at 0.
    pub fn resume(&self) -> Box<dyn Framer> {
        self.learned().resume()
    }

    /// A framer at offset `at` of this source, directly behind a record: offsets go on from there, and a
    /// separator that is missing is found as if nothing had been interrupted.
    pub(crate) fn behind_record(&self, at: u64) -> Box<dyn Framer> {
        self.learned().behind_record(at)
    }

    /// A framer behind what stands between two records of this source, at the first byte of what announces
    /// the next one: where the frames of an export begin. Offsets begin at 0.
    pub(crate) fn behind_seam(&self) -> Box<dyn Framer> {
        self.learned().behind_seam()
    }

    /// Whether `text` can stand between two records of this source, or behind its last one.
    pub fn is_gap(&self, text: &[u8]) -> bool {
        is_without_records(self.behind_record(0), text)
    }

    /// How the records of this source are decoded into rows of a type.
    pub(crate) fn meaning(&self, data_type: &Arc<DataType>) -> Box<dyn Meaning> {
        self.learned().meaning(data_type)
    }

    fn learned(&self) -> &dyn Learned {
        match self {
            Self::Json(facts) => facts,
            Self::Csv(facts) => facts,
            Self::Xml(facts) => facts,
            Self::Yaml(facts) => facts,
            Self::Markdown(facts) => facts,
        }
    }
}

fn is_without_records(mut framer: Box<dyn Framer>, text: &[u8]) -> bool {
    let mut frames = Vec::new();
    framer.push(text, &mut frames).is_ok()
        && frames.is_empty()
        && (framer.open().is_none() || framer.in_head())
}

/// What the facts of a format are good for; see the methods of [`SourceFacts`].
trait Learned {
    fn resume(&self) -> Box<dyn Framer>;
    /// Differs from `resume` where a record begins behind what announces it.
    fn behind_seam(&self) -> Box<dyn Framer> {
        self.resume()
    }
    fn behind_record(&self, at: u64) -> Box<dyn Framer>;
    fn meaning(&self, data_type: &Arc<DataType>) -> Box<dyn Meaning>;
}

/// What may stand before the first byte of a UTF-8 text, and is skipped.
pub(crate) const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// The bytes of one record: offsets from the first byte that was ever pushed into the framer.
pub type FrameRange = Range<u64>;

/// Finds where records begin and end. Fed bytes in pieces of any size; keeps no bytes of records, so its
/// memory does not depend on the size of a record.
///
/// The planner runs one over the whole source, a worker runs one over its segment: the same state machine,
/// so that they cannot disagree.
pub trait Framer: Debug + Send {
    /// Takes the next piece of the input and appends the records that end in it to `frames`.
    ///
    /// # Errors
    /// When what follows can no longer be framed. The frames found before that are in `frames`;
    /// [`Framer::open`] tells where the broken part begins. The framer must not be used further.
    fn push(&mut self, piece: &[u8], frames: &mut Vec<FrameRange>) -> Result<(), Fault>;

    /// The input is over: appends the record that ends with it, if there is one.
    ///
    /// # Errors
    /// As [`Framer::push`]: the input ends inside a record, or where another one was announced.
    fn finish(&mut self, frames: &mut Vec<FrameRange>) -> Result<(), Fault>;

    /// Where the record, or the head, that has begun and not ended begins; none between records.
    fn open(&self) -> Option<u64>;

    /// Whether it is still in what stands before the records, such as a header row.
    fn in_head(&self) -> bool {
        false
    }

    /// How far the open record reaches for sure: behind it there may be bytes that turn out not to belong
    /// to it. The bytes that were pushed, where no record is open.
    fn certain(&self) -> u64 {
        self.position()
    }

    /// Offset of the next byte; after an error, the place of the error.
    fn position(&self) -> u64;

    /// What has been learned of the source. There before the second record has begun.
    fn facts(&self) -> Option<SourceFacts>;
}

/// What the records of one source mean, compiled once: names are resolved to slots, not per record.
pub(crate) trait Meaning: Debug + Send + Sync {
    /// A decoder for the records in `segment`.
    fn decoder(&self, segment: &[u8]) -> Box<dyn Decoder + '_>;
}

/// Decodes one record after another.
pub(crate) trait Decoder {
    /// Decodes the record `record`, which begins at byte `start` of the segment.
    fn record(&mut self, record: &str, start: u32, rows: &mut Rows, draft: &mut Draft);
}
