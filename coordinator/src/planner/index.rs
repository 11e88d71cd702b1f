//! Plans a source by the index of its frames, without opening it: one batch of one or more frames. The index
//! is only believed: whoever opens the frames of a batch finds as many records in them, and none beside them,
//! or the operation fails.

use carrack_shared::format::SourceFacts;
use carrack_shared::layer::Trouble;
use carrack_shared::layer::index::{Frame, Index};
use carrack_shared::layer::source::Reader;
use carrack_shared::limits;
use carrack_shared::port::planning::Cursor;
use carrack_shared::segment::{Packing, Segment};
use carrack_shared::spec::ImportSpec;

use super::Planned;
use super::draft::Draft;

/// Text of a frame without records behind the first one: what stands between records, and behind the last.
const SEAM_BYTES: u64 = 4096;

/// Whether batches can be made of whole frames. What is no index of ours could name frames that whoever opens
/// them could not hold; such a file is opened from its beginning, with the caps of any other.
pub(super) fn is_usable(index: &Index, spec: &ImportSpec) -> bool {
    let frames = &index.frames;
    let seam = |number: usize, frame: &Frame| {
        let most = if number == 0 { limits::HEADER_BYTES as u64 } else { SEAM_BYTES };
        let alone = number == 0 || frames[number - 1].records > 0;
        frame.text <= most && alone
    };
    let fits = |(number, frame): (usize, &Frame)| {
        // What hardly compresses grows a little.
        frame.stored <= frame.text + frame.text / 8 + SEAM_BYTES
            && match frame.records {
                0 => seam(number, frame),
                records => records <= spec.batch_size && frame.text <= limits::BATCH_BYTES,
            }
    };
    frames.iter().any(|frame| frame.records > 0) && frames.iter().enumerate().all(fits)
}

/// Plans the rest of the source at which the draft stands.
pub(super) async fn plan(
    draft: &mut Draft<'_>,
    spec: &ImportSpec,
    reader: &Reader,
    index: &Index,
) -> Result<Planned, Trouble> {
    if draft.cursor.byte == 0 {
        let Some(facts) = learn(spec, reader, index).await? else {
            return Ok(super::text::plan(draft, spec, reader).await?);
        };
        draft.learn(facts);
    }
    let (source, begun) = (draft.cursor.source, draft.cursor.byte);
    let runs = runs(&index.frames, spec.batch_size);
    if begun > 0 && runs.iter().all(|run| run.text.end != begun) {
        // An earlier planner went by the text.
        return Ok(super::text::plan(draft, spec, reader).await?);
    }
    for run in runs {
        if run.text.end <= draft.cursor.byte {
            continue;
        }
        draft.add(run.segment(source));
        run.mark(&mut draft.cursor);
        if draft.is_full() && !draft.flush().await? {
            return Ok(Planned::NotOurs);
        }
    }
    Ok(Planned::Whole)
}

/// Opens frames from the first one on until they tell how the source is to be read.
async fn learn(spec: &ImportSpec, reader: &Reader, index: &Index) -> Result<Option<SourceFacts>, Trouble> {
    let mut framer = spec.format.framer(&spec.reading);
    let (mut frames, mut at) = (Vec::new(), 0);
    for frame in &index.frames {
        let text = reader.frames(at..at + frame.stored, frame.text).await?;
        at += frame.stored;
        if framer.push(&text, &mut frames).is_err() {
            // It is found, with its place, when the text is read from its beginning.
            return Ok(None);
        }
        if let Some(facts) = framer.facts() {
            return Ok(Some(facts));
        }
    }
    Ok(None)
}

/// Frames that make one batch, with what stands before the first record of the source and behind the last of
/// the run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    stored: std::ops::Range<u64>,
    text: std::ops::Range<u64>,
    /// The text of its records.
    bytes: std::ops::Range<u64>,
    first_record: u64,
    first_line: u64,
    records: u32,
    /// Lines that end in it.
    lines: u64,
}

impl Run {
    /// Nothing yet, behind `last`.
    fn behind(last: Option<&Self>) -> Self {
        let (stored, text) = last.map_or((0, 0), |last| (last.stored.end, last.text.end));
        let first_record = last.map_or(1, |last| last.first_record + u64::from(last.records));
        let first_line = last.map_or(1, |last| last.first_line + last.lines);
        Self {
            stored: stored..stored,
            text: text..text,
            bytes: text..text,
            first_record,
            first_line,
            records: 0,
            lines: 0,
        }
    }

    /// Whether a frame with records can join.
    fn has_room(&self, frame: &Frame, batch_records: u32) -> bool {
        self.records == 0
            || (self.records.saturating_add(frame.records) <= batch_records
                && self.text.end + frame.text - self.bytes.start <= limits::BATCH_BYTES)
    }

    fn take(&mut self, frame: &Frame) {
        self.stored.end += frame.stored;
        self.text.end += frame.text;
        if frame.records > 0 {
            if self.records == 0 {
                // What stands before the first record of the source counts as read.
                self.bytes.start = self.text.end - frame.text;
                self.first_line += std::mem::take(&mut self.lines);
            }
            self.bytes.end = self.text.end;
            self.records += frame.records;
        }
        self.lines += u64::from(frame.lines);
    }

    fn segment(&self, source: u32) -> Segment {
        let share = self.stored.end - self.stored.start;
        Segment {
            source,
            bytes: self.bytes.clone(),
            first_record: self.first_record,
            first_line: self.first_line,
            records: self.records,
            hash: None,
            fault: None,
            packing: Some(Packing {
                staged: None,
                bytes: self.stored.clone(),
                text: self.text.clone(),
                share,
            }),
        }
    }

    fn mark(&self, cursor: &mut Cursor) {
        cursor.byte = self.text.end;
        cursor.records = self.first_record + u64::from(self.records) - 1;
        cursor.line = self.first_line + self.lines;
    }
}

/// Cuts the frames into runs. A frame without records stands with those before it, and at the beginning of
/// the source with those behind it.
fn runs(frames: &[Frame], batch_records: u32) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut run = Run::behind(None);
    for frame in frames {
        if frame.records > 0 && !run.has_room(frame, batch_records) {
            let next = Run::behind(Some(&run));
            runs.push(std::mem::replace(&mut run, next));
        }
        run.take(frame);
    }
    if run.records > 0 {
        runs.push(run);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stored: u64, text: u64, records: u32, lines: u32) -> Frame {
        Frame { stored, text, records, lines }
    }

    #[test]
    fn only_frames_that_can_be_held_are_believed() {
        let spec = |batch_size| {
            let document = format!(
                r#"{{"data_type":"contexts","format":"json","batch_size":{batch_size},"error_handling":"lenient",
                    "duplicates":"skip","validate_schema":true,"sources":[]}}"#
            );
            serde_json::from_str::<ImportSpec>(&document).unwrap()
        };
        let (head, seam, full) = (frame(90, 66, 0, 1), frame(22, 2, 0, 1), frame(400, 1000, 10, 9));
        for (frames, batch_size, expected) in [
            (vec![head, full, seam, full, seam], 10, true),
            (vec![full], 10, true),
            (vec![full], 9, false),
            (vec![head, seam], 10, false),
            (vec![full, seam, seam], 10, false),
            (vec![full, frame(22, SEAM_BYTES, 0, 1)], 10, true),
            (vec![full, frame(22, SEAM_BYTES + 1, 0, 1)], 10, false),
            (vec![frame(100, limits::HEADER_BYTES as u64 + 1, 0, 1), full], 10, false),
            (vec![frame(400, limits::BATCH_BYTES + 1, 10, 1)], 10, false),
            (vec![frame(SEAM_BYTES + 9, 8, 1, 1)], 10, true),
            (vec![frame(SEAM_BYTES + 10, 8, 1, 1)], 10, false),
        ] {
            let index = Index { frames };
            assert_eq!(is_usable(&index, &spec(batch_size)), expected, "{:?}", index.frames);
        }
    }

    #[test]
    fn frames_are_joined_to_batches_and_none_is_left_out() {
        let mib = 1024 * 1024;
        let frames = [
            frame(5, 2, 0, 1),
            frame(50, 500, 10, 9),
            frame(5, 2, 0, 1),
            frame(60, 600, 10, 9),
            frame(5, 2, 0, 1),
            frame(70, 700, 5, 4),
            frame(5, 3, 0, 2),
        ];
        let shown = |batch_records| {
            let runs = runs(&frames, batch_records);
            let shown = |run: &Run| {
                let Run { stored, text, bytes, first_record, first_line, records, .. } = run;
                format!("{stored:?} {text:?} {bytes:?} {first_record}+{records} line {first_line}")
            };
            runs.iter().map(shown).collect::<Vec<_>>()
        };
        assert_eq!(shown(25), ["0..200 0..1809 2..1806 1+25 line 2"]);
        assert_eq!(
            shown(20),
            ["0..125 0..1106 2..1104 1+20 line 2", "125..200 1106..1809 1106..1806 21+5 line 22"]
        );
        assert_eq!(
            shown(10),
            [
                "0..60 0..504 2..502 1+10 line 2",
                "60..125 504..1106 504..1104 11+10 line 12",
                "125..200 1106..1809 1106..1806 21+5 line 22"
            ]
        );
        let large = [frame(9, 3 * mib, 10, 1), frame(9, 3 * mib, 10, 1), frame(9, mib, 10, 1)];
        assert_eq!(runs(&large, 100).iter().map(|run| run.records).collect::<Vec<_>>(), [10, 20]);
    }
}
