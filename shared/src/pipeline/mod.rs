//! From bytes to rows: the compiled plan of an import, run on one segment at a time.
//!
//! Pure and deterministic: a batch that is executed a second time gives the same rows and the same faults.

pub(crate) mod checks;
mod chosen;
mod forms;
pub mod references;
pub mod refit;
pub mod split;
pub mod validate;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use self::checks::Checks;
use self::chosen::{Choice, Chosen};
use crate::content::Content;
use crate::duplicates::merge::Merging;
use crate::fault::{Fault, Reject};
use crate::format::draft::Draft;
use crate::format::json::Refusal;
use crate::format::{Meaning, SourceFacts, lines, shown};
use crate::limits::POISON_DEATHS;
use crate::mapping::{Mapper, Mapping};
use crate::record::{Origin, Position, Rows};
use crate::schema::{DataType, METADATA};
use crate::segment::Segment;
use crate::spec::{Duplicates, ImportSpec};

/// What a segment came to.
#[derive(Debug)]
pub struct Decoded {
    /// The records that passed.
    pub rows: Rows,
    /// The records that did not.
    pub rejects: Vec<Reject>,
    /// How many records the filters left out.
    pub filtered: u64,
    /// Binary content that the records which passed bring along, each once. It has to be stored before them.
    pub contents: Vec<Content>,
}

/// A segment whose records are found and not read yet.
#[derive(Debug)]
pub struct Framed {
    segment: Segment,
    bytes: Bytes,
    frames: Vec<Range<u32>>,
}

/// The bytes of a segment are not what the planner saw. Never the fault of a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bytes {start}..{end} of source {source_number}: {what}")]
pub struct Mismatch {
    /// Number of the source.
    pub source_number: u32,
    /// First byte of the segment.
    pub start: u64,
    /// Behind its last byte.
    pub end: u64,
    /// What was found and expected.
    pub what: String,
}

/// An import, compiled for one source: names are resolved to slots once, not per record.
#[derive(Debug)]
pub struct Plan {
    data_type: Arc<DataType>,
    rules: validate::Rules,
    checks: Checks,
    chosen: Chosen,
    /// The name that is left out, and its field's number.
    left_out: Option<(&'static str, Option<usize>)>,
    facts: SourceFacts,
    meaning: Box<dyn Meaning>,
    /// How records become those of the type, where they are not by themselves.
    mapper: Option<Mapper>,
}

impl Plan {
    /// Compiles for an operation that was created at `started`.
    pub fn compile(
        spec: &ImportSpec,
        data_type: &Arc<DataType>,
        facts: &SourceFacts,
        started: Timestamp,
    ) -> Self {
        let (mapping, validate, metadata) =
            (spec.mapping.as_ref(), spec.validate_schema, spec.include_metadata);
        let chosen = Chosen::new(&spec.filter, data_type, started);
        let plan = Self::checking(mapping, validate, metadata, data_type, facts, started);
        if spec.duplicates != Duplicates::Merge {
            return Self { chosen, ..plan };
        }
        let rules = validate::Rules { parts: true, ..plan.rules };
        Self { chosen, rules, mapper: plan.mapper.map(Mapper::of_parts), ..plan }
    }

    /// The same, without the rest of a spec.
    pub(crate) fn checking(
        mapping: Option<&Mapping>,
        validate_schema: bool,
        include_metadata: bool,
        data_type: &Arc<DataType>,
        facts: &SourceFacts,
        started: Timestamp,
    ) -> Self {
        let mapper = mapping.map(|mapping| Mapper::new(mapping.rules(), data_type, facts.format(), started));
        Self {
            data_type: Arc::clone(data_type),
            rules: validate::Rules {
                all_required: validate_schema,
                texts_only: !facts.format().tells_types(),
                parts: false,
            },
            checks: if validate_schema { Checks::compile(data_type) } else { Checks::default() },
            left_out: (!include_metadata).then(|| (METADATA, data_type.slot(METADATA))),
            chosen: Chosen::default(),
            facts: facts.clone(),
            meaning: facts.meaning(mapper.as_ref().map_or(data_type, Mapper::source)),
            mapper,
        }
    }

    /// Frames, decodes and validates one segment without a fault of its own; `bytes` are exactly its bytes.
    ///
    /// # Errors
    /// When length, hash or boundaries are not those of the plan.
    pub fn run(&self, segment: &Segment, bytes: &Bytes) -> Result<Decoded, Mismatch> {
        Ok(self.decode(&self.frame(segment, bytes)?, 0..segment.records, &[]))
    }

    /// Finds the records of one segment, as [`Plan::run`] does, and reads none of them.
    ///
    /// # Errors
    /// As [`Plan::run`].
    pub fn frame(&self, segment: &Segment, bytes: &Bytes) -> Result<Framed, Mismatch> {
        let frames = self.frames(segment, bytes)?;
        Ok(Framed { segment: segment.clone(), bytes: bytes.clone(), frames })
    }

    /// Decodes and validates one record that stands by itself.
    pub(crate) fn one(&self, record: &Bytes) -> Decoded {
        let segment = Segment {
            source: 0,
            bytes: 0..record.len() as u64,
            first_record: 1,
            first_line: 1,
            records: 1,
            hash: None,
            fault: None,
            packing: None,
        };
        let whole = 0..u32::try_from(record.len()).unwrap_or(u32::MAX);
        self.decode(&Framed { segment, bytes: record.clone(), frames: vec![whole] }, 0..1, &[])
    }

    /// Decodes and validates these records of a segment, counted from its first, from 0. Those in `poison`
    /// are refused unread.
    pub fn decode(&self, framed: &Framed, records: Range<u32>, poison: &[u32]) -> Decoded {
        let Framed { segment, bytes, frames } = framed;
        let frames = frames.get(records.start as usize..records.end as usize).unwrap_or_default();
        let source = (segment.bytes.start, segment.first_line);
        let format = self.facts.format();
        let mut rows = Rows::new(Arc::clone(&self.data_type), bytes.clone(), source.0, source.1)
            .in_format(format)
            .mapped_by(self.mapper.as_ref().map(|mapper| Arc::clone(mapper.rules())));
        rows.reserve(frames.len());
        let (mut rejects, mut filtered, mut contents) = (Vec::new(), 0, BTreeMap::new());
        let mut decoder = self.meaning.decoder(bytes);
        let mut draft = Draft::new(self.data_type.fields.len());
        let mut mapping = self.mapper.as_ref().map(|mapper| mapper.run(&mut rows));
        // Segments are checked as a whole first: one pass over megabytes instead of one per record.
        let whole = std::str::from_utf8(bytes).ok();
        let (mut line, mut counted) = (segment.first_line, 0);
        for (number, frame) in records.zip(frames.iter().cloned()) {
            let position = Position::new(segment.source, segment.first_record + u64::from(number));
            let scratch = rows.scratch_start();
            draft.clear();
            let range = frame.start as usize..frame.end as usize;
            let text = match poison.contains(&number) {
                true => Err(unread()),
                false => {
                    whole.and_then(|whole| whole.get(range.clone())).map_or_else(|| utf8(&bytes[range]), Ok)
                }
            };
            match text {
                Ok(text) => {
                    match &mut mapping {
                        Some(run) => run.record(&mut *decoder, text, frame.start, &mut rows, &mut draft),
                        None => decoder.record(text, frame.start, &mut rows, &mut draft),
                    }
                    let fields = (&*self.data_type, self.rules, &self.checks);
                    let choice = match draft.is_readable() {
                        true => self.chosen.choice(fields, &mut rows, &mut draft),
                        false => Choice::Kept,
                    };
                    // Of what cannot be read nothing is forgotten: the record is refused for it.
                    let left_out = self.left_out.filter(|_| choice != Choice::Unknown);
                    match choice {
                        Choice::Kept | Choice::Unknown => {}
                        Choice::LeftOut => {
                            rows.truncate_scratch(scratch);
                            filtered += 1;
                            continue;
                        }
                        Choice::Refused(fault) => draft.fault(Some(self.data_type.fields.len()), fault),
                    }
                    if let Some((name, slot)) = left_out {
                        draft.leave_out(name, slot);
                    }
                    if draft.is_readable() {
                        validate::check(&self.data_type, self.rules, &self.checks, &mut rows, &mut draft);
                    }
                }
                Err(refusal) => draft.refuse(refusal),
            }
            if draft.is_good() {
                let extra = draft.extra.cell(&mut rows);
                draft.push(Origin { position, frame }, extra, &mut rows);
                contents.extend(draft.contents.drain(..).map(|content| (content.reference, content)));
            } else {
                rows.truncate_scratch(scratch);
                line += lines::ended(format, &bytes[counted..frame.start as usize]);
                counted = frame.start as usize;
                rejects.push(rows.reject_frame_on(position, line, frame, rows.told(draft.take_faults())));
            }
        }
        Decoded { rows, rejects, filtered, contents: contents.into_values().collect() }
    }

    /// What a record that was accepted lacks of the required fields; `number` as in [`Plan::refuse`].
    pub fn lacking(&self, framed: &Framed, number: u32) -> Vec<Fault> {
        let decoded = self.decode(framed, number..number + 1, &[]);
        if decoded.rows.is_empty() {
            return Vec::new();
        }
        Merging::new(&self.data_type, self.rules.all_required).lacks(&decoded.rows, 0)
    }

    /// These records of a segment as rejects, unread: ascending numbers, counted from its first, from 0, each
    /// with what is wrong with it. None for a number that the segment does not have.
    pub fn refuse(
        &self,
        framed: &Framed,
        records: impl Iterator<Item = (u32, Vec<Fault>)>,
    ) -> Vec<Option<Reject>> {
        let Framed { segment, bytes, frames } = framed;
        let format = self.facts.format();
        let source = (segment.bytes.start, segment.first_line);
        let rows = Rows::new(Arc::clone(&self.data_type), bytes.clone(), source.0, source.1);
        let (mut line, mut counted) = (segment.first_line, 0);
        let refused = records.map(|(number, faults)| {
            let frame = frames.get(number as usize)?.clone();
            let start = frame.start as usize;
            line += lines::ended(format, bytes.get(counted..start).unwrap_or_default());
            counted = start;
            let position = Position::new(segment.source, segment.first_record + u64::from(number));
            Some(rows.reject_frame_on(position, line, frame, faults))
        });
        refused.collect()
    }

    /// The frames of the segment, once they are known to be what the planner saw.
    fn frames(&self, segment: &Segment, bytes: &[u8]) -> Result<Vec<Range<u32>>, Mismatch> {
        let mismatch = |what: String| Mismatch {
            source_number: segment.source,
            start: segment.bytes.start,
            end: segment.bytes.end,
            what,
        };
        let (found, planned) = (bytes.len() as u64, segment.bytes.end - segment.bytes.start);
        if found != planned || u32::try_from(planned).is_err() {
            return Err(mismatch(format!("found {found} bytes, expected {planned}")));
        }
        let (hash, planned) = (blake3::hash(bytes), segment.hash.map(blake3::Hash::from_bytes));
        if let Some(planned) = planned.filter(|planned| *planned != hash) {
            return Err(mismatch(format!("found bytes with the hash {hash}, expected {planned}")));
        }
        // Where nobody has seen the bytes before, gaps may stand before and behind the records.
        let unseen = segment.hash.is_none();
        let mut framer = if unseen { self.facts.behind_seam() } else { self.facts.resume() };
        let mut frames = Vec::with_capacity(segment.records as usize);
        let pushed = framer.push(bytes, &mut frames);
        // That an array goes on behind the segment is no error: the counts below decide.
        let framed = pushed.and_then(|()| framer.finish(&mut frames).or(Ok(())));
        if let Err(fault) = framed {
            return Err(mismatch(format!("cannot be framed: {}", fault.message)));
        }
        let covered = frames.first().map(|frame| frame.start)..frames.last().map(|frame| frame.end);
        let whole = unseen || covered == (Some(0)..Some(found));
        if frames.len() as u64 != u64::from(segment.records) || !whole {
            let count = frames.len();
            return Err(mismatch(format!("found {count} records, expected {}", segment.records)));
        }
        let short = |offset: u64| u32::try_from(offset).unwrap_or(u32::MAX);
        Ok(frames.into_iter().map(|frame| short(frame.start)..short(frame.end)).collect())
    }
}

fn unread() -> Refusal {
    let message = format!(
        "found a record that ended {POISON_DEATHS} workers which read it alone, expected one that can be read"
    );
    Refusal::new("record.poison", message)
}

fn utf8(record: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(record).map_err(|error| {
        let at = error.valid_up_to();
        let message = format!("found {} at byte {at} of the record, expected UTF-8", shown::byte(record[at]));
        Refusal::new("encoding.utf8", message)
    })
}
