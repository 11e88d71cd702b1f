//! Texts, files made of them, and the streams on which they come.

use bytes::Bytes;
use carrack_shared::fault::Fault;
use carrack_shared::layer::compress::{compress, frame};
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::index::{Frame, Index};
use carrack_shared::layer::{Opened, Trouble};
use futures_util::{FutureExt, StreamExt, stream};

/// The compressions that do something.
pub const COMPRESSED: [Compression; 3] = [Compression::Gzip, Compression::Brotli, Compression::Zstd];
/// Those whose files are made of any number of members.
pub const FRAMED: [Compression; 2] = [Compression::Gzip, Compression::Zstd];

/// Numbers from a fixed seed.
pub struct Source(pub u64);

impl Source {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Lines of records, `length` bytes of them, that compress as such lines do.
pub fn text(length: usize) -> Vec<u8> {
    let words = ["river", "stone", "lantern", "ünïcode", "violet", "harbour", "✓", "the"];
    let (mut source, mut text) = (Source(11), Vec::new());
    while text.len() < length {
        let (id, word) = (source.below(1_000_000), words[source.below(words.len())]);
        text.extend_from_slice(format!("{{\"id\":\"{id}\",\"title\":\"{word}\"}}\n").as_bytes());
    }
    text.truncate(length);
    text
}

/// A file of one member.
pub fn file(compression: Compression, text: &[u8]) -> Vec<u8> {
    frame(compression, compression.default_level(), text)
}

/// A file of one frame for each text, with the index behind them.
pub fn indexed(compression: Compression, texts: &[&[u8]]) -> (Vec<u8>, Index) {
    let (mut bytes, mut index) = (Vec::new(), Index::default());
    for text in texts {
        let frame = file(compression, text);
        let lines = text.iter().filter(|byte| **byte == b'\n').count() as u32;
        index.frames.push(Frame {
            stored: frame.len() as u64,
            text: text.len() as u64,
            records: lines,
            lines,
        });
        bytes.extend(frame);
    }
    bytes.extend(index.trailer(compression));
    (bytes, index)
}

/// The same text, compressed as a stream.
pub fn streamed(compression: Compression, text: &[u8]) -> Vec<u8> {
    let body = compress(compression, compression.default_level(), pieces(text, |_| 7_000));
    collected(body).1.unwrap()
}

/// Bytes in pieces, each as long as `length` says of its number.
pub fn pieces(bytes: &[u8], mut length: impl FnMut(usize) -> usize) -> Opened {
    let (mut rest, mut pieces) = (Bytes::copy_from_slice(bytes), Vec::new());
    while !rest.is_empty() {
        let length = length(pieces.len()).clamp(1, rest.len());
        pieces.push(Ok(rest.split_to(length)));
    }
    stream::iter(pieces).boxed()
}

/// What came before the end, or before what broke it off, and which of them it was.
pub fn collected(mut body: Opened) -> (Vec<u8>, Result<Vec<u8>, Trouble>) {
    let mut bytes = Vec::new();
    loop {
        // Every stream of these tests is ready.
        match body.next().now_or_never().unwrap() {
            Some(Ok(piece)) => {
                assert!(!piece.is_empty() && piece.len() <= carrack_shared::limits::LAYER_PIECE_BYTES);
                bytes.extend_from_slice(&piece);
            }
            Some(Err(trouble)) => {
                assert!(body.next().now_or_never().unwrap().is_none(), "nothing comes behind {trouble}");
                return (bytes, Err(trouble));
            }
            None => return (bytes.clone(), Ok(bytes)),
        }
    }
}

/// The same where only the bytes can be at fault.
pub fn outcome(body: Opened) -> (Vec<u8>, Option<Fault>) {
    match collected(body) {
        (text, Ok(_)) => (text, None),
        (text, Err(Trouble::Fault(fault))) => (text, Some(fault)),
        (_, Err(Trouble::Port(error))) => panic!("{error}"),
    }
}
