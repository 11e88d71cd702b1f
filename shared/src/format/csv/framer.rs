//! Where CSV records begin and end: rows, the first of which is the header, unless the names of the columns
//! are given.

use super::rows::RowFramer;
use super::{Dialect, Facts, header};
use crate::fault::Fault;
use crate::format::{self, FrameRange, SourceFacts};
use crate::limits::HEADER_BYTES;

/// See [`crate::format::Framer`].
#[derive(Debug)]
pub(super) struct Framer {
    dialect: Dialect,
    rows: RowFramer,
    head: Head,
}

#[derive(Debug)]
enum Head {
    /// So much of the header has been read; `start` is where it seems to begin, for what looks like its
    /// first bytes can turn out to be a byte order mark.
    Open {
        start: Option<u64>,
        row: Vec<u8>,
    },
    Known(Facts),
}

impl Framer {
    /// At the first byte of a source, whose columns have these names if it has no header row.
    pub fn new(dialect: Dialect, columns: Option<Vec<String>>) -> Self {
        let unread = Head::Open { start: None, row: Vec::new() };
        let head = columns.map_or(unread, |columns| Head::Known(Facts { columns, dialect }));
        Self { dialect, rows: RowFramer::new(dialect), head }
    }

    /// Behind a row that ended at offset `at` of its source.
    pub fn behind_record(facts: &Facts, at: u64) -> Self {
        let dialect = facts.dialect;
        Self { dialect, rows: RowFramer::behind_record(dialect, at), head: Head::Known(facts.clone()) }
    }

    /// Learns the header from a piece that the rows have taken, and which begins at offset `base`. The
    /// header's frame, the first of those from number `from` on, is taken out.
    fn read_head(
        &mut self,
        piece: &[u8],
        base: u64,
        frames: &mut Vec<FrameRange>,
        from: usize,
    ) -> Result<(), Fault> {
        let Head::Open { start, row } = &mut self.head else { return Ok(()) };
        let ended = frames.get(from).cloned();
        let found = ended.clone().or(self.rows.open().map(|start| start..self.rows.position()));
        if *start != found.as_ref().map(|found| found.start) {
            *start = found.as_ref().map(|found| found.start);
            row.clear();
        }
        let Some(found) = found else { return Ok(()) };
        let index = |offset: u64| usize::try_from(offset.saturating_sub(base)).unwrap_or(usize::MAX);
        let part = &piece[index(found.start).min(piece.len())..index(found.end).min(piece.len())];
        // One byte over the limit is enough to see that the limit is passed.
        let room = (HEADER_BYTES + 1).saturating_sub(row.len());
        row.extend_from_slice(&part[..part.len().min(room)]);
        if row.len() > HEADER_BYTES {
            return Err(header::too_long());
        }
        if ended.is_some() {
            let columns = header::read(row, self.dialect)?;
            frames.remove(from);
            self.head = Head::Known(Facts { columns, dialect: self.dialect });
        }
        Ok(())
    }
}

impl format::Framer for Framer {
    fn push(&mut self, piece: &[u8], frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        let (base, from) = (self.rows.position(), frames.len());
        self.rows.push(piece, frames);
        self.read_head(piece, base, frames, from).inspect_err(|_| frames.truncate(from))
    }

    fn finish(&mut self, frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        let (base, from) = (self.rows.position(), frames.len());
        self.rows.finish(frames)?;
        self.read_head(&[], base, frames, from).inspect_err(|_| frames.truncate(from))
    }

    fn open(&self) -> Option<u64> {
        match &self.head {
            Head::Open { start, .. } => *start,
            Head::Known(_) => self.rows.open(),
        }
    }

    fn in_head(&self) -> bool {
        matches!(self.head, Head::Open { .. })
    }

    fn position(&self) -> u64 {
        self.rows.position()
    }

    fn facts(&self) -> Option<SourceFacts> {
        match &self.head {
            Head::Open { .. } => None,
            Head::Known(facts) => Some(SourceFacts::Csv(facts.clone())),
        }
    }
}
