//! Cuts the text of an export's part into frames: pieces that open alone, so that the file which they make can
//! be split, and read by many workers at once.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::format::encode::Encoder;
use carrack_shared::format::{Format, lines};
use carrack_shared::layer::compress;
use carrack_shared::layer::index::{Frame, Index};
use carrack_shared::layer::packaging::Packaging;
use carrack_shared::record::Rows;

/// The frames of one part, in the making.
pub(crate) struct Frames {
    encoder: Encoder,
    format: Format,
    packaging: Packaging,
    /// Text bytes and records of a frame, at most.
    limits: (u64, u32),
    open: Text,
    made: Made,
}

/// The frames that are made, shared with whoever writes their index.
#[derive(Clone, Default)]
pub(crate) struct Made(Arc<Mutex<Index>>);

/// The text of a frame.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    records: u32,
}

impl Made {
    /// As they are stored.
    pub fn encode(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).encode()
    }

    fn add(&self, frame: Frame) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).frames.push(frame);
    }
}

impl Frames {
    pub fn new(encoder: Encoder, format: Format, packaging: &Packaging, limits: (u64, u32)) -> Self {
        let (open, made) = (Text::default(), Made::default());
        Self { encoder, format, packaging: packaging.clone(), limits, open, made }
    }

    /// Where the frames will be told.
    pub fn made(&self) -> Made {
        self.made.clone()
    }

    /// Takes rows, the first of which is the `first`th of the file; answers the frames that are full.
    pub async fn take(&mut self, rows: &Rows, first: u64) -> PortResult<Bytes> {
        let mut full = Vec::new();
        for (row, number) in (0..rows.len()).zip(first..) {
            full.extend(self.add(rows, row, number));
        }
        self.pack(full).await
    }

    /// The last frame.
    pub async fn finish(&mut self) -> PortResult<Bytes> {
        let last = std::mem::take(&mut self.open);
        self.pack(if last.records > 0 { vec![last] } else { Vec::new() }).await
    }

    /// Adds a row; answers the frame that was full before it.
    fn add(&mut self, rows: &Rows, row: usize, number: u64) -> Option<Text> {
        let Self { encoder, limits: (bytes, records), open, .. } = self;
        let begins = open.bytes.len();
        encoder.row(rows, row, number, &mut open.bytes);
        open.records += 1;
        if open.records == 1 || (open.records <= *records && open.bytes.len() as u64 <= *bytes) {
            return None;
        }
        let next = open.bytes.split_off(begins);
        // In a frame of its own nothing stands before it.
        let next = next.strip_prefix(encoder.between()).unwrap_or(&next).to_vec();
        let full = std::mem::replace(open, Text { bytes: next, records: 1 });
        Some(Text { records: full.records - 1, ..full })
    }

    async fn pack(&self, texts: Vec<Text>) -> PortResult<Bytes> {
        let (format, made) = (self.format, self.made.clone());
        let (compression, level) = (self.packaging.frames(), self.packaging.level());
        let packing = tokio::task::spawn_blocking(move || {
            let mut packed = Vec::new();
            for Text { bytes, records } in texts {
                let stored = compress::frame(compression, level, &bytes);
                made.add(Frame {
                    stored: stored.len() as u64,
                    text: bytes.len() as u64,
                    records,
                    lines: u32::try_from(lines::ended(format, &bytes)).unwrap_or(u32::MAX),
                });
                packed.extend_from_slice(&stored);
            }
            Bytes::from(packed)
        });
        packing.await.map_err(|error| PortError::new(ErrorKind::Internal, "worker", error.to_string()))
    }
}
