//! Which bytes make which file of an export: pure, and known before the first byte is written.

use std::ops::Range;

use carrack_shared::format::encode::Encoder;
use carrack_shared::format::{Format, lines};
use carrack_shared::layer::chunks;
use carrack_shared::layer::compress;
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::envelope::Envelope;
use carrack_shared::layer::index::{Frame, Index};
use carrack_shared::layer::packaging::Packaging;

/// What a file is made of, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Bytes made here: what stands before, between and behind records, and the index.
    Own(Vec<u8>),
    /// A range of what the part with this number holds.
    Part(usize, Range<u64>),
}

/// One file of an export.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct File {
    pub pieces: Vec<Piece>,
    /// Bytes of the pieces.
    pub bytes: u64,
    pub records: u64,
}

/// The frames of one part, as its worker has made them.
#[derive(Debug, Clone)]
pub(super) struct PartFrames {
    pub number: usize,
    pub frames: Vec<Frame>,
}

/// Bytes that a frame may take in the index of its file, and the seam before it.
const INDEX_ENTRY_BYTES: u64 = 48;

/// Bytes of an index without entries, with what it is wrapped in.
const INDEX_BYTES: u64 = 128;

/// How a brotli stream may grow what does not compress.
const BROTLI_SLACK: u64 = 1024;

/// Lays out the files of an export.
pub(super) struct Layout<'a> {
    format: Format,
    packaging: &'a Packaging,
    head: Vec<u8>,
    between: Vec<u8>,
    encoder: &'a Encoder,
    /// Bytes that may go into one file, before it is sealed.
    room: Option<u64>,
}

/// A file in the making.
#[derive(Default)]
struct Draft {
    file: File,
    index: Index,
}

impl<'a> Layout<'a> {
    pub fn new(format: Format, packaging: &'a Packaging, encoder: &'a Encoder) -> Self {
        let sealed = packaging.seal.is_some();
        let room = packaging.split_bytes.map(|bytes| if sealed { plain_room(bytes) } else { bytes });
        Self { format, packaging, head: encoder.head(), between: encoder.between().to_vec(), encoder, room }
    }

    /// The files, at least one.
    pub fn files(&self, parts: &[PartFrames]) -> Vec<File> {
        let mut files = Vec::new();
        let mut draft = self.begin();
        for part in parts {
            let mut at = 0;
            for frame in &part.frames {
                if draft.file.records > 0 && !self.has_room(&draft, frame) {
                    files.push(self.end(std::mem::replace(&mut draft, self.begin())));
                }
                if draft.file.records > 0 {
                    self.own(&mut draft, &self.between);
                }
                draft.add_frame(part.number, at, frame);
                at += frame.stored;
            }
        }
        files.push(self.end(draft));
        files
    }

    fn begin(&self) -> Draft {
        let mut draft = Draft::default();
        self.own(&mut draft, &self.head);
        draft
    }

    /// Whether the file, closed behind this frame, is no larger than files may be.
    fn has_room(&self, draft: &Draft, frame: &Frame) -> bool {
        let Some(room) = self.room else { return true };
        let tail = self.encoder.tail(false).len() as u64;
        let seam = self.between.len() as u64 + tail;
        let overhead = match self.packaging.compression {
            Compression::None => seam,
            Compression::Brotli => seam + BROTLI_SLACK,
            _ => {
                // A seam in a frame of its own is a few bytes longer than its text.
                let entries = (draft.index.frames.len() as u64 + 3) * INDEX_ENTRY_BYTES;
                seam + entries + INDEX_BYTES
            }
        };
        draft.file.bytes + frame.stored + overhead <= room
    }

    fn end(&self, mut draft: Draft) -> File {
        let tail = self.encoder.tail(draft.file.records == 0);
        self.own(&mut draft, tail);
        if matches!(self.packaging.compression, Compression::Gzip | Compression::Zstd) {
            let trailer = draft.index.trailer(self.packaging.compression);
            draft.push(trailer);
        }
        draft.file
    }

    /// Adds bytes that no record belongs to, in a frame of their own.
    fn own(&self, draft: &mut Draft, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        let stored = compress::frame(self.packaging.frames(), self.packaging.level(), text);
        draft.index.frames.push(Frame {
            stored: stored.len() as u64,
            text: text.len() as u64,
            records: 0,
            lines: u32::try_from(lines::ended(self.format, text)).unwrap_or(u32::MAX),
        });
        draft.push(stored);
    }
}

impl Draft {
    fn push(&mut self, bytes: Vec<u8>) {
        self.file.bytes += bytes.len() as u64;
        self.file.pieces.push(Piece::Own(bytes));
    }

    fn add_frame(&mut self, part: usize, at: u64, frame: &Frame) {
        self.index.frames.push(*frame);
        self.file.bytes += frame.stored;
        self.file.records += u64::from(frame.records);
        let end = at + frame.stored;
        match self.file.pieces.last_mut() {
            Some(Piece::Part(last, range)) if *last == part && range.end == at => range.end = end,
            _ => self.file.pieces.push(Piece::Part(part, at..end)),
        }
    }
}

/// Bytes of a file once it is sealed, if it is to be.
pub(super) fn sealed_bytes(packaging: &Packaging, bytes: u64) -> u64 {
    match packaging.seal {
        Some(_) => Envelope::LENGTH as u64 + chunks::sealed_length(bytes),
        None => bytes,
    }
}

/// Plain bytes that fit into so many sealed ones.
fn plain_room(bytes: u64) -> u64 {
    let content = bytes.saturating_sub(Envelope::LENGTH as u64);
    // Lengths that no content has are rounded down to one that a content has.
    (0..=chunks::SEALED_CHUNK as u64)
        .find_map(|less| chunks::plain_length(content.saturating_sub(less)).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use carrack_shared::format::encode::Shape;
    use carrack_shared::schema;

    fn frames(count: u32, stored: u64) -> PartFrames {
        let frame = Frame { stored, text: 10 * stored, records: 7, lines: 6 };
        PartFrames { number: 0, frames: vec![frame; count as usize] }
    }

    #[test]
    fn files_are_no_larger_than_asked_and_hold_every_frame_once() {
        let contexts = schema::built_in("contexts").unwrap();
        let encoder = Encoder::new(Format::Json, &contexts, Shape { metadata: true, extra: false });
        for compression in Compression::ALL {
            for split_bytes in [None, Some(1024), Some(5_000), Some(100_000)] {
                let packaging = Packaging { compression, split_bytes, ..Packaging::default() };
                let layout = Layout::new(Format::Json, &packaging, &encoder);
                let parts: Vec<_> = (0..3).map(|number| PartFrames { number, ..frames(20, 300) }).collect();
                let files = layout.files(&parts);
                assert_eq!(files.iter().map(|file| file.records).sum::<u64>(), 420);
                for file in &files {
                    assert!(split_bytes.is_none_or(|bytes| file.bytes <= bytes), "{compression:?} {file:?}");
                }
                let held = files.iter().flat_map(|file| &file.pieces).map(|piece| match piece {
                    Piece::Own(_) => 0,
                    Piece::Part(_, range) => range.end - range.start,
                });
                assert_eq!(held.sum::<u64>(), 18_000);
                assert_eq!(files.len() == 1, split_bytes.is_none_or(|bytes| bytes == 100_000));
            }
        }
    }

    #[test]
    fn an_export_without_records_is_one_file() {
        let contexts = schema::built_in("contexts").unwrap();
        let encoder = Encoder::new(Format::Json, &contexts, Shape { metadata: true, extra: false });
        let packaging = Packaging { split_bytes: Some(1024), ..Packaging::default() };
        let files = Layout::new(Format::Json, &packaging, &encoder).files(&[]);
        let ends = encoder.head().len() + encoder.tail(true).len();
        assert_eq!(files.iter().map(|file| file.bytes).collect::<Vec<_>>(), [ends as u64]);
    }

    #[test]
    fn what_is_sealed_is_no_larger_than_asked() {
        for bytes in (1024..60_000).step_by(7) {
            let plain = plain_room(bytes);
            assert!(Envelope::LENGTH as u64 + chunks::sealed_length(plain) <= bytes, "{bytes}");
            assert!(plain + 200 + 32 * 4 >= bytes, "{bytes}: {plain}");
        }
    }
}
