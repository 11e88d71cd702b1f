//! Compressing: one frame of text at a time, so that the file can be opened in any place, or a whole stream.
//!
//! The same text and level give the same bytes, at any time and on any machine.

use std::io::Write;

use async_compression::Level;
use async_compression::brotli::EncoderParams;
use async_compression::codecs::{BrotliEncoder, EncodeV2, GzipEncoder, ZstdEncoder};
use async_compression::core::util::{PartialBuffer, WriteBuffer};
use async_compression::zstd::CParameter;
use flate2::write::GzEncoder;
use zstd::zstd_safe::CParameter::ChecksumFlag;

use super::Opened;
use super::codec::{self, Codec, Step};
use super::compression::Compression;
use crate::fault::{Fault, Stage};

/// What brotli is told of the length of a text, which it does not know yet. By itself it takes the first
/// block for all, and compresses 64 MiB of records at level 5 by 3.09 instead of 3.57.
const BROTLI_HINT: usize = 16 * 1024 * 1024;

/// One self-contained gzip member or zstd frame, or the text itself. Frames that stand one behind the other
/// are one ordinary file. Of brotli it is a whole file: standard tools refuse two streams in one.
///
/// A level outside [`Compression::level_range`] becomes the nearest one inside.
pub fn frame(compression: Compression, level: i32, text: &[u8]) -> Vec<u8> {
    let framed = match compression {
        Compression::None => Ok(text.to_vec()),
        Compression::Gzip => gzip(level, text),
        Compression::Brotli => codec::through(Compressor::new(compression, level), text, None)
            .map_err(|fault| std::io::Error::other(fault.message)),
        Compression::Zstd => zstd(level, text),
    };
    #[expect(clippy::expect_used, reason = "writing to memory fails only as every allocation does")]
    framed.expect("memory for a compressed frame")
}

/// Compresses a whole stream into one member, frame or stream. What is not to be compressed passes as it is.
pub fn compress(compression: Compression, level: i32, body: Opened) -> Opened {
    match compression {
        Compression::None => body,
        _ => codec::around(Compressor::new(compression, level), body),
    }
}

fn clamped(compression: Compression, level: i32) -> i32 {
    let range = compression.level_range();
    level.clamp(*range.start(), *range.end())
}

fn gzip_level(level: i32) -> flate2::Compression {
    flate2::Compression::new(clamped(Compression::Gzip, level).unsigned_abs())
}

/// No time, no name and no operating system stand in the header: flate2 writes 255, "unknown", for the last.
fn gzip(level: i32, text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), gzip_level(level));
    encoder.write_all(text)?;
    encoder.finish()
}

/// With a checksum, which zstd leaves out by itself, and the size of the text, which lets whoever opens the
/// frame make room for it at once.
fn zstd(level: i32, text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(clamped(Compression::Zstd, level))?;
    compressor.set_parameter(ChecksumFlag(true))?;
    compressor.compress(text)
}

/// A stream that is being compressed.
struct Compressor {
    encoder: Box<dyn EncodeV2 + Send>,
}

impl Compressor {
    fn new(compression: Compression, level: i32) -> Self {
        let level = clamped(compression, level);
        let encoder: Box<dyn EncodeV2 + Send> = match compression {
            Compression::None | Compression::Gzip => Box::new(GzipEncoder::new(gzip_level(level).into())),
            Compression::Brotli => Box::new(BrotliEncoder::new(
                EncoderParams::default().quality(Level::Precise(level)).size_hint(BROTLI_HINT),
            )),
            Compression::Zstd => {
                Box::new(ZstdEncoder::new_with_params(level, &[CParameter::checksum_flag(true)]))
            }
        };
        Self { encoder }
    }
}

impl Codec for Compressor {
    fn push(&mut self, input: &mut &[u8], output: &mut [u8]) -> Result<Step, Fault> {
        let mut from = PartialBuffer::new(*input);
        let mut into = WriteBuffer::new_initialized(output);
        self.encoder.encode(&mut from, &mut into).map_err(|error| broken(&error))?;
        let (used, written) = (from.written_len(), into.written_len());
        *input = &input[used..];
        // What the encoder still holds comes with the next input, or at the end.
        Ok(Step { written, more: false })
    }

    fn finish(&mut self, output: &mut [u8]) -> Result<Step, Fault> {
        let mut into = WriteBuffer::new_initialized(output);
        let done = self.encoder.finish(&mut into).map_err(|error| broken(&error))?;
        Ok(Step { written: into.written_len(), more: !done })
    }
}

/// Text can always be compressed: what fails here is a defect.
fn broken(error: &std::io::Error) -> Fault {
    Fault::new(Stage::Open, "internal.compression", format!("found text that cannot be compressed: {error}"))
}
