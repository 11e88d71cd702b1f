//! Where the records of an array begin and end that stands somewhere in a document.

use super::Framer;
use super::around::{Around, Step};
use crate::fault::Fault;
use crate::format::json::{Facts, Shape};
use crate::format::{self, FrameRange, SourceFacts};

/// See [`crate::format::Framer`]: what stands around the array is walked over, the array is framed as any.
#[derive(Debug)]
pub(in crate::format::json) struct Nested {
    around: Around,
    /// There while the array is open.
    array: Option<Framer>,
}

impl Nested {
    /// At the first byte of a document in which these names lead to the array.
    pub fn new(path: &[String]) -> Self {
        Self { around: Around::new(path), array: None }
    }

    /// In the array, behind a record that ended at offset `at` of its source.
    pub fn behind_record(path: &[String], at: u64) -> Self {
        let array = Some(Framer::behind_record(Shape::Array, at));
        Self { around: Around::in_array(path, at), array }
    }
}

impl format::Framer for Nested {
    fn push(&mut self, piece: &[u8], frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        let mut rest = piece;
        while !rest.is_empty() {
            let taken = match &mut self.array {
                Some(array) => {
                    let taken = array.run(rest, frames)?;
                    if array.is_done() {
                        self.around.leave_array(array.at);
                        self.array = None;
                    }
                    taken
                }
                None => {
                    let (taken, step) = self.around.walk(rest)?;
                    if step == Step::Array {
                        self.array = Some(Framer::in_array(self.around.position()));
                    }
                    taken
                }
            };
            rest = &rest[taken..];
        }
        Ok(())
    }

    fn finish(&mut self, frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        match &mut self.array {
            Some(array) => array.finish(frames),
            None => self.around.finish(),
        }
    }

    fn open(&self) -> Option<u64> {
        self.array.as_ref().and_then(format::Framer::open)
    }

    fn in_head(&self) -> bool {
        !self.around.has_found()
    }

    fn certain(&self) -> u64 {
        self.array.as_ref().map_or_else(|| self.position(), format::Framer::certain)
    }

    fn position(&self) -> u64 {
        self.array.as_ref().map_or_else(|| self.around.position(), format::Framer::position)
    }

    fn facts(&self) -> Option<SourceFacts> {
        let path = || self.around.path().to_vec();
        self.around.has_found().then(|| SourceFacts::Json(Facts { shape: Shape::Array, path: path() }))
    }
}
