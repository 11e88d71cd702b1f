//! Cuts a source into segments, in one pass, in memory that does not depend on the source.

mod hashing;
mod lines;
mod piece;

use std::ops::Range;

use blake3::Hasher;

use self::hashing::{Carried, Lane};
use self::lines::Lines;
use self::piece::Piece;
use crate::fault::{Fault, Stage};
use crate::format::reading::Reading;
use crate::format::{Format, FrameRange, Framer, SourceFacts};
use crate::port::planning::Cursor;
use crate::segment::Segment;

/// Where segments end.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Records of a segment, at most.
    pub batch_records: u32,
    /// Bytes of a segment, at most, unless one record is longer.
    pub batch_bytes: u64,
    /// Bytes of a record, at most; a longer one becomes a segment of its own, refused.
    pub record_bytes: u64,
}

/// Why and where the source cannot be cut any further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What is wrong.
    pub fault: Fault,
    /// Number of the record in which it was found, from 1.
    pub record: u64,
    /// Line on which that record begins, from 1.
    pub line: u64,
    /// First byte of that record.
    pub byte: u64,
}

/// Cuts one source.
#[derive(Debug)]
pub struct Splitter {
    source: u32,
    format: Format,
    length: u64,
    rules: Rules,
    framer: Box<dyn Framer>,
    /// Stands in for what the framer cannot learn any more.
    unread: Option<SourceFacts>,
    /// Records found, in segments and in the batch.
    records: u64,
    batch: Option<Batch>,
    carried: Carried,
    lines: Lines,
    /// Line on which the record begins that was open at the end of the last piece.
    open_line: u64,
    /// Line of the last byte that was sure to belong to that record then.
    sure_line: u64,
    /// Behind the last segment: byte, records, line.
    marked: (u64, u64, u64),
    /// Kept for its memory.
    frames: Vec<FrameRange>,
}

/// Records that will make a segment.
#[derive(Debug)]
struct Batch {
    bytes: Range<u64>,
    first_record: u64,
    first_line: u64,
    /// Line of the last byte; counted when the segment is handed out, or when the piece ends before that.
    last_line: u64,
    records: u32,
    /// Over the bytes before `hashed`.
    hash: Hasher,
    hashed: u64,
}

impl Splitter {
    /// At the first byte of source number `source`, which is `length` bytes long.
    pub fn new(source: u32, format: Format, reading: &Reading, length: u64, rules: Rules) -> Self {
        Self {
            source,
            format,
            length,
            rules,
            framer: format.framer(reading),
            unread: None,
            records: 0,
            batch: None,
            carried: Carried::default(),
            lines: Lines::from(format, 0, 1),
            open_line: 1,
            sure_line: 1,
            marked: (0, 0, 1),
            frames: Vec::new(),
        }
    }

    /// Where an earlier splitter of the same source stood at `cursor`, which had learned `facts`; the next byte
    /// pushed is `cursor.byte`.
    #[must_use]
    pub fn resume(mut self, facts: &SourceFacts, cursor: &Cursor) -> Self {
        // Before the first segment the cursor stands at the very start, in front of header or bracket.
        if cursor.byte > 0 {
            self.framer = facts.behind_record(cursor.byte);
            self.records = cursor.records;
            self.lines = Lines::from(self.format, cursor.byte, cursor.line.max(1));
            self.marked = (cursor.byte, cursor.records, cursor.line.max(1));
        }
        self
    }

    /// Takes the next piece and appends the segments that end in it.
    ///
    /// # Errors
    /// When framing breaks off. What stood before is in `segments`, and the remainder of the source as one
    /// last segment with a fault. The splitter must not be used further.
    pub fn push(&mut self, piece: &[u8], segments: &mut Vec<Segment>) -> Result<(), Broken> {
        let piece = Piece { start: self.framer.position(), bytes: piece };
        let mut frames = std::mem::take(&mut self.frames);
        frames.clear();
        let framed = self.framer.push(piece.bytes, &mut frames);
        self.advance(piece, &frames, framed, segments)?;
        self.frames = frames;
        self.carry(piece, segments);
        Ok(())
    }

    /// The source is over: appends what is left as a last segment.
    ///
    /// # Errors
    /// As [`Splitter::push`].
    pub fn finish(&mut self, segments: &mut Vec<Segment>) -> Result<(), Broken> {
        let piece = Piece { start: self.framer.position(), bytes: &[] };
        let mut frames = Vec::new();
        let framed = self.framer.finish(&mut frames);
        self.advance(piece, &frames, framed, segments)?;
        if self.facts().is_none() {
            let message = "found nothing but white space, expected records";
            let fault = Fault::new(Stage::Frame, "source.empty", message);
            return Err(Broken { fault, record: 1, line: 1, byte: 0 });
        }
        self.emit(piece, segments);
        Ok(())
    }

    /// The source cannot be read any further, for this reason: as when framing breaks off where it stands.
    pub fn give_up(&mut self, fault: Fault, segments: &mut Vec<Segment>) -> Broken {
        let piece = Piece { start: self.framer.position(), bytes: &[] };
        self.length = piece.start;
        let start = self.framer.open().unwrap_or(piece.start);
        self.break_off(piece, start, fault, segments)
    }

    /// Where the record begins that is not whole yet; none between records.
    pub fn open(&self) -> Option<u64> {
        self.framer.open()
    }

    /// The first byte that is not in a segment yet and may come into one; none where all is gap.
    pub fn pending(&self) -> Option<u64> {
        self.batch.as_ref().map(|batch| batch.bytes.start).or_else(|| self.open())
    }

    /// What is known of the source; none while its head has not been read. Known before the first segment
    /// is handed out.
    pub fn facts(&self) -> Option<SourceFacts> {
        self.framer.facts().or_else(|| self.unread.clone())
    }

    /// Moves `cursor` behind the last segment that was handed out: its byte, records and line. Batch
    /// numbers and totals are the caller's.
    pub fn mark(&self, cursor: &mut Cursor) {
        (cursor.byte, cursor.records, cursor.line) = self.marked;
    }

    /// Takes the frames that end in `piece`, and then the error that stands behind them.
    fn advance(
        &mut self,
        piece: Piece<'_>,
        frames: &[FrameRange],
        framed: Result<(), Fault>,
        segments: &mut Vec<Segment>,
    ) -> Result<(), Broken> {
        for frame in frames {
            self.take(frame, piece, segments);
        }
        framed.map_err(|fault| {
            let start = self.framer.open().unwrap_or(self.framer.position());
            self.break_off(piece, start, fault, segments)
        })
    }

    fn take(&mut self, frame: &FrameRange, piece: Piece<'_>, segments: &mut Vec<Segment>) {
        let carried = std::mem::take(&mut self.carried);
        let length = frame.end - frame.start;
        let fits = |batch: &Batch| frame.end - batch.bytes.start <= self.rules.batch_bytes;
        let too_large = length > self.rules.record_bytes;
        if too_large || !self.batch.as_ref().is_none_or(fits) {
            self.emit(piece, segments);
        }
        self.records += 1;
        if too_large {
            self.refuse(frame, piece, length, segments);
            return;
        }
        let batch = match self.batch.take() {
            Some(mut batch) => {
                if let Some(lane) = carried.joined {
                    (batch.hash, batch.hashed) = self.leave(lane, frame, piece);
                }
                batch.bytes.end = frame.end;
                batch.records += 1;
                batch
            }
            None => {
                let first_line = self.line_of(frame.start, piece);
                let (hash, hashed) = match carried.fresh {
                    Some((start, lane)) if start == frame.start => self.leave(lane, frame, piece),
                    _ => (Hasher::new(), frame.start),
                };
                let (bytes, first_record) = (frame.clone(), self.records);
                Batch { bytes, first_record, first_line, last_line: first_line, records: 1, hash, hashed }
            }
        };
        let full = batch.records >= self.rules.batch_records;
        // That of a record which ends in this piece is not needed before the batch is handed out.
        self.batch = Some(Batch { last_line: self.sure_line, ..batch });
        if full {
            self.emit(piece, segments);
        }
    }

    /// The hash of the batch once `frame`, the first record that ends since this piece was begun, is in it,
    /// and the byte up to which it goes.
    fn leave(&mut self, lane: Lane, frame: &FrameRange, piece: Piece<'_>) -> (Hasher, u64) {
        if frame.start >= piece.start {
            return (lane.whole(), piece.start);
        }
        if frame.end >= piece.start {
            return (lane.end_behind(piece.part(frame.clone())), frame.end);
        }
        let hash = lane.end();
        // The record ended before this piece: what stands between is the gap to the next one.
        self.carried.joined = Some(lane);
        (hash, frame.end)
    }

    /// A record that is too large is a segment by itself.
    fn refuse(&mut self, frame: &FrameRange, piece: Piece<'_>, length: u64, segments: &mut Vec<Segment>) {
        let limit = self.rules.record_bytes;
        let message = format!("found a record of {length} bytes, expected at most {limit}");
        let fault = Fault::new(Stage::Frame, "record.too_large", message);
        let first_line = self.line_of(frame.start, piece);
        segments.push(self.faulty(frame.clone(), self.records, first_line, fault));
        let ended_before = frame.end < piece.start;
        let last_line = if ended_before { self.sure_line } else { self.lines.count_to(frame.end, piece) };
        self.marked = (frame.end, self.records, last_line);
    }

    /// A segment with a fault has no hash: its bytes are never read as one.
    fn faulty(&self, bytes: Range<u64>, first_record: u64, first_line: u64, fault: Fault) -> Segment {
        let source = self.source;
        Segment {
            source,
            bytes,
            first_record,
            first_line,
            records: 1,
            hash: None,
            fault: Some(fault),
            packing: None,
        }
    }

    /// Hands out the batch, if there is one.
    fn emit(&mut self, piece: Piece<'_>, segments: &mut Vec<Segment>) {
        let Some(mut batch) = self.batch.take() else { return };
        batch.hash.update(piece.part(batch.hashed..batch.bytes.end));
        if batch.bytes.end >= piece.start {
            batch.last_line = self.lines.count_to(batch.bytes.end, piece);
        }
        self.marked = (batch.bytes.end, batch.first_record + u64::from(batch.records) - 1, batch.last_line);
        segments.push(Segment {
            source: self.source,
            bytes: batch.bytes,
            first_record: batch.first_record,
            first_line: batch.first_line,
            records: batch.records,
            hash: Some(batch.hash.finalize().into()),
            fault: None,
            packing: None,
        });
    }

    /// Line on which a record begins, in this piece or in an earlier one.
    fn line_of(&mut self, start: u64, piece: Piece<'_>) -> u64 {
        if start >= piece.start { self.lines.count_to(start, piece) } else { self.open_line }
    }

    /// The piece ends: hashes what it leaves open, and counts its lines.
    fn carry(&mut self, piece: Piece<'_>, segments: &mut Vec<Segment>) {
        let open = self.framer.open();
        if !self.framer.in_head() {
            self.carry_hashes(open, piece, segments);
        }
        if let Some(start) = open
            && start >= piece.start
        {
            self.open_line = self.lines.count_to(start, piece);
        }
        let certain = self.framer.certain();
        if certain >= piece.start {
            self.sure_line = self.lines.count_to(certain, piece);
        }
        self.lines.count_to(piece.end(), piece);
    }

    fn carry_hashes(&mut self, open: Option<u64>, piece: Piece<'_>, segments: &mut Vec<Segment>) {
        let certain = self.framer.certain();
        // Also between records: no record behind so large a gap can join.
        if let Some(batch) = &self.batch
            && certain - batch.bytes.start > self.rules.batch_bytes
        {
            self.emit(piece, segments);
        }
        // How many bytes of a part that goes to the end of the piece are certain, if none before it is not.
        // Without an open record everything behind the last one is a gap that may turn out to matter.
        let sure = |part: &[u8]| {
            let begins = piece.end() - part.len() as u64;
            let sure = certain.checked_sub(begins).filter(|_| open.is_some())?;
            Some(usize::try_from(sure).unwrap_or(usize::MAX).min(part.len()))
        };
        if let Some(batch) = &mut self.batch {
            batch.hash.update(piece.part(batch.hashed..batch.bytes.end));
            batch.hashed = batch.hashed.max(batch.bytes.end);
            if batch.bytes.end >= piece.start {
                batch.last_line = self.lines.count_to(batch.bytes.end, piece);
            }
            let part = piece.part(batch.bytes.end..piece.end());
            let lane = self.carried.joined.get_or_insert_with(|| Lane::from(batch.hash.clone()));
            lane.feed(part, sure(part));
        } else {
            self.carried.joined = None;
        }
        match open {
            Some(start) if certain.saturating_sub(start) <= self.rules.record_bytes => {
                let part = piece.part(start..piece.end());
                let carried = self.carried.fresh.take().filter(|(begun, _)| *begun == start);
                let (_, mut lane) = carried.unwrap_or_else(|| (start, Lane::from(Hasher::new())));
                lane.feed(part, sure(part));
                self.carried.fresh = Some((start, lane));
            }
            _ => self.carried.fresh = None,
        }
    }

    /// Nothing behind `start` can be cut: hands out what stands before it, and the rest as one segment.
    fn break_off(
        &mut self,
        piece: Piece<'_>,
        start: u64,
        fault: Fault,
        segments: &mut Vec<Segment>,
    ) -> Broken {
        self.emit(piece, segments);
        // A segment needs facts, even one that is never decoded.
        self.unread = Some(self.format.unread());
        let (record, line) = (self.records + 1, self.line_of(start, piece));
        if start < self.length {
            segments.push(self.faulty(start..self.length, record, line, fault.clone()));
            self.marked = (self.length, record, line);
        }
        Broken { fault, record, line, byte: start }
    }
}
