//! Rows of a batch as rejects: what is kept of a record that is refused.

use std::collections::BTreeMap;
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::{Origin, Position, Rows};
use crate::fault::{Fault, Frame, Reject};
use crate::format::lines;

impl Rows {
    /// Row `row` as a reject. The frame must fit [`crate::limits::INLINE_FRAME_BYTES`], or `stored` must name the object
    /// that holds it.
    pub fn reject(&self, row: usize, faults: Vec<Fault>, stored: Option<String>) -> Reject {
        let origin = &self.origins[row];
        let mut reject = self.reject_frame(origin.position, origin.frame.clone(), faults);
        if let Some(key) = stored {
            reject.frame = Frame::Object(key);
        }
        reject
    }

    /// A record of this segment that has not become a row, as a reject with its frame inline.
    pub fn reject_frame(&self, position: Position, frame: Range<u32>, faults: Vec<Fault>) -> Reject {
        let lines_before = lines::ended(self.format, &self.source[..frame.start as usize]);
        self.reject_frame_on(position, self.first_line + lines_before, frame, faults)
    }

    /// The same, where the line is known: counting it anew for each of many rejects is quadratic.
    pub fn reject_frame_on(
        &self,
        position: Position,
        line: u64,
        frame: Range<u32>,
        faults: Vec<Fault>,
    ) -> Reject {
        let bytes = self.source.slice(frame.start as usize..frame.end as usize);
        Reject {
            position,
            line,
            byte_start: self.source_start + u64::from(frame.start),
            byte_length: bytes.len() as u64,
            sha256: Sha256::digest(&bytes).into(),
            faults,
            key: None,
            winner: None,
            frame: Frame::Inline(bytes),
        }
    }

    /// Takes rows out, each with what is wrong with it, and gives them back as rejects, in their order.
    pub fn refuse(&mut self, faulty: BTreeMap<usize, Vec<Fault>>) -> Vec<Reject> {
        let (mut line, mut counted) = (self.first_line, 0);
        let mut rejects = Vec::with_capacity(faulty.len());
        let mut keep = vec![true; self.len()];
        for (row, faults) in faulty {
            let Origin { position, frame } = self.origins[row].clone();
            let start = frame.start as usize;
            line += lines::ended(self.format, &self.source[counted..start]);
            counted = start;
            keep[row] = false;
            rejects.push(self.reject_frame_on(position, line, frame, faults));
        }
        self.keep(&keep);
        rejects
    }
}
