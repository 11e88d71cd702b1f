//! Shows the records of a source to the inference, through all layers, in memory that does not depend on the source.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use jiff::Timestamp;

use super::Inference;
use crate::format::reading::Reading;
use crate::format::{Format, lines};
use crate::layer::Trouble;
use crate::layer::source::Reader;
use crate::limits::{BATCH_BYTES, RECORD_BYTES};
use crate::pipeline::Plan;
use crate::pipeline::split::{Rules, Splitter};
use crate::schema::DataType;
use crate::segment::Segment;

/// Records that are read together.
const RECORDS: u32 = 1_000;

/// Looks at the records of a source: all of them, or the first `sample`. The fields `first` stand first.
///
/// # Errors
/// When the source cannot be read, or its layers cannot be opened.
pub async fn look_at(
    reader: &Reader,
    format: Format,
    reading: &Reading,
    first: impl IntoIterator<Item = String>,
    sample: Option<u64>,
) -> Result<Inference, Trouble> {
    let rules = Rules { batch_records: RECORDS, batch_bytes: BATCH_BYTES, record_bytes: RECORD_BYTES };
    let length = reader.text_length().unwrap_or(u64::MAX);
    let mut look = Look {
        splitter: Splitter::new(0, format, reading, length, rules),
        inference: Inference::new(!format.tells_types(), first),
        held: Held::default(),
        plan: None,
        sample: sample.unwrap_or(u64::MAX),
    };
    let mut text = reader.text(0).await?;
    let mut segments = Vec::new();
    while let Some(piece) = text.try_next().await? {
        look.held.bytes.extend_from_slice(&piece);
        // What stands behind a break is one record that cannot be read.
        let broken = look.splitter.push(&piece, &mut segments).is_err();
        look.read(&mut segments);
        if broken || look.is_over() {
            return Ok(look.inference);
        }
        look.held.forget(look.splitter.pending());
    }
    // A source without records has none to look at.
    let _ = look.splitter.finish(&mut segments);
    look.read(&mut segments);
    Ok(look.inference)
}

struct Look {
    splitter: Splitter,
    inference: Inference,
    held: Held,
    plan: Option<Plan>,
    sample: u64,
}

/// The bytes of the text that are still needed.
#[derive(Default)]
struct Held {
    start: u64,
    bytes: BytesMut,
}

impl Held {
    /// Forgets what stands before `from`, or all; and of a record that is too long what is there of it, for it will
    /// not be read.
    fn forget(&mut self, from: Option<u64>) {
        let end = self.start + self.bytes.len() as u64;
        let from = from.unwrap_or(end).clamp(self.start, end);
        let from = if end - from > RECORD_BYTES + BATCH_BYTES { end } else { from };
        // It is a part of what is held.
        let gone = usize::try_from(from - self.start).unwrap_or(self.bytes.len());
        drop(self.bytes.split_to(gone));
        self.start = from;
    }

    fn of(&self, segment: &Segment) -> Option<Bytes> {
        let index = |at: u64| usize::try_from(at.checked_sub(self.start)?).ok();
        let range = index(segment.bytes.start)?..index(segment.bytes.end)?;
        self.bytes.get(range).map(Bytes::copy_from_slice)
    }
}

impl Look {
    fn is_over(&self) -> bool {
        self.inference.records() >= self.sample
    }

    fn read(&mut self, segments: &mut Vec<Segment>) {
        for segment in segments.drain(..) {
            let bytes = self.held.of(&segment).filter(|_| segment.fault.is_none());
            let (Some(bytes), Some(facts)) = (bytes, self.splitter.facts()) else {
                self.inference.refuse(segment.first_line, segment.fault.as_ref());
                continue;
            };
            let plan = self.plan.get_or_insert_with(|| {
                let nothing = Arc::new(DataType::without_fields());
                Plan::checking(None, false, true, &nothing, &facts, Timestamp::UNIX_EPOCH)
            });
            // The splitter has framed these bytes just now.
            let Ok(decoded) = plan.run(&segment, &bytes) else { continue };
            let rows = &decoded.rows;
            let (mut line, mut counted) = (segment.first_line, 0);
            let mut rejects = decoded.rejects.iter().peekable();
            for row in 0..rows.len() {
                let origin = rows.origin(row);
                while let Some(reject) = rejects.next_if(|reject| reject.position < origin.position) {
                    self.inference.refuse(reject.line, reject.faults.first());
                }
                if self.inference.records() >= self.sample {
                    return;
                }
                let start = origin.frame.start as usize;
                line += lines::ended(facts.format(), &bytes[counted..start]);
                counted = start;
                self.inference.take(rows, row, line);
            }
            rejects.for_each(|reject| self.inference.refuse(reject.line, reject.faults.first()));
        }
    }
}
