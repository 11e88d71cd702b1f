//! What the planner does with a source, and then a worker with its segments.

use std::ops::Range;

use bytes::Bytes;
use carrack_shared::format::reading::Reading;
use carrack_shared::format::{Format, FrameRange};
use carrack_shared::limits;
use carrack_shared::pipeline::Plan;
use carrack_shared::pipeline::split::{Rules, Splitter};
use carrack_shared::record::Rows;
use carrack_shared::schema;
use carrack_shared::segment::Segment;
use carrack_shared::spec::ImportSpec;
use jiff::Timestamp;

use super::inputs::Input;

/// Bytes of one read.
const PIECE: usize = 256 * 1024;

/// A source that has been planned.
pub struct Planned {
    format: Format,
    bytes: Bytes,
    segments: Vec<Segment>,
    plan: Plan,
}

impl Planned {
    /// Cuts the source, as the planner does.
    pub fn new(input: &Input) -> Self {
        let rules = Rules {
            batch_records: limits::BATCH_RECORDS,
            batch_bytes: limits::BATCH_BYTES,
            record_bytes: limits::RECORD_BYTES,
        };
        let mut segments = Vec::new();
        let mut splitter =
            Splitter::new(0, input.format, &Reading::default(), input.bytes.len() as u64, rules);
        for piece in input.bytes.chunks(PIECE) {
            splitter.push(piece, &mut segments).unwrap();
        }
        splitter.finish(&mut segments).unwrap();
        let data_type = schema::built_in("contexts").unwrap();
        let plan =
            Plan::compile(&spec(input.format), &data_type, &splitter.facts().unwrap(), Timestamp::UNIX_EPOCH);
        Self { format: input.format, bytes: input.bytes.clone(), segments, plan }
    }

    /// Reads every segment, as workers do.
    pub fn read(&self) {
        self.each(|rows| {
            std::hint::black_box(rows);
        });
    }

    /// The rows of every segment.
    pub fn each(&self, mut take: impl FnMut(&Rows)) {
        for segment in &self.segments {
            let decoded = self.plan.run(segment, &self.bytes.slice(self.place(&segment.bytes))).unwrap();
            assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects[0].faults);
            take(&decoded.rows);
        }
    }

    /// Where each record stands.
    pub fn frames(&self) -> Vec<Range<usize>> {
        let (mut framer, mut frames) = (self.format.framer(&Reading::default()), Vec::new());
        framer.push(&self.bytes, &mut frames).unwrap();
        framer.finish(&mut frames).unwrap();
        frames.iter().map(|frame| self.place(frame)).collect()
    }

    fn place(&self, range: &FrameRange) -> Range<usize> {
        let index = |at: u64| usize::try_from(at).unwrap();
        index(range.start)..index(range.end)
    }
}

fn spec(format: Format) -> ImportSpec {
    ImportSpec::new("contexts", format)
}
