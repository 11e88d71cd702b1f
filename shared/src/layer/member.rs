//! Opening a compressed file member by member: what gzip calls a member, zstd a frame, and what brotli has
//! only one of.
//!
//! The decoders are those of `async-compression`, used below its readers: those answer the end of a file
//! where a member ends and give no way to see what stands behind it. Here every byte of the file belongs to
//! a member or is a fault. One exception, which gzip has made since it was written to tapes: zero bytes
//! behind the last member are padding.

use async_compression::codecs::{BrotliDecoder, DecodeV2, GzipDecoder, ZstdDecoder};
use async_compression::core::util::{PartialBuffer, WriteBuffer};
use async_compression::zstd::DParameter;

use super::codec::{Codec, Step};
use super::compression::{Begins, Compression};
use super::open::Caps;
use crate::fault::{Fault, Stage};
use crate::limits::ZSTD_WINDOW_LOG;

/// What zstd says of a frame whose window is larger than it may be; a test holds it.
const ZSTD_WINDOW: &str = "Frame requires too much memory for decoding";
/// The first byte of a brotli stream with a large window, which RFC 7932 does not have and `brotli` refuses
/// unless it is asked for: up to 1 GiB of memory. Its highest bit says nothing.
const BROTLI_LARGE_WINDOW: u8 = 0x11;

/// A file that is being opened.
pub(super) struct Members {
    compression: Compression,
    decoder: Box<dyn DecodeV2 + Send>,
    caps: Caps,
    place: Place,
    /// Bytes of the file that were taken.
    stored: u64,
    /// Bytes of text that came of them.
    opened: u64,
    /// Found when there was text to hand out first.
    fault: Option<Fault>,
}

enum Place {
    /// Before a member, of which `head` has been seen and is not decoded yet.
    Between { head: Vec<u8> },
    /// In a member.
    Inside,
    /// In the zero bytes behind the last gzip member.
    Padding,
}

impl Members {
    /// At the first byte of a file; none where nothing is to be opened.
    pub fn new(compression: Compression, caps: Caps) -> Option<Self> {
        let decoder: Box<dyn DecodeV2 + Send> = match compression {
            Compression::None => return None,
            Compression::Gzip => Box::new(GzipDecoder::new()),
            Compression::Brotli => Box::new(BrotliDecoder::new()),
            Compression::Zstd => {
                // Said although it is the decoder's default: without it a header of a few bytes could ask for
                // gigabytes. Every level of zstd stays below; only `--long=28` and above do not.
                Box::new(ZstdDecoder::new_with_params(&[DParameter::window_log_max(ZSTD_WINDOW_LOG)]))
            }
        };
        let place = Place::Between { head: Vec::new() };
        Some(Self { compression, decoder, caps, place, stored: 0, opened: 0, fault: None })
    }

    /// Whether a member has been opened before this place.
    fn is_behind_a_member(&self) -> bool {
        self.stored > 0
    }

    /// Takes bytes until it is certain whether a member begins with them.
    fn begin(&mut self, input: &mut &[u8]) -> Result<(), Fault> {
        let behind = self.is_behind_a_member();
        let Place::Between { head } = &mut self.place else { return Ok(()) };
        while let Some((&byte, rest)) = input.split_first() {
            head.push(byte);
            *input = rest;
            let begins = match (self.compression, behind) {
                // Standard tools refuse a second stream.
                (Compression::Brotli, true) => Begins::No,
                _ => self.compression.begins(head),
            };
            match begins {
                Begins::Maybe => {}
                Begins::Yes
                    if self.compression == Compression::Brotli && byte & 0x7f == BROTLI_LARGE_WINDOW =>
                {
                    return Err(self.window("found a brotli stream with a large window"));
                }
                Begins::Yes => return self.enter(),
                Begins::No if behind && self.compression == Compression::Gzip && head == &[0] => {
                    self.stored += 1;
                    self.place = Place::Padding;
                    return Ok(());
                }
                Begins::No => {
                    let head = std::mem::take(head);
                    return Err(self.foreign(&head));
                }
            }
        }
        Ok(())
    }

    /// Gives the decoder the head of the member, of which no text can come yet.
    fn enter(&mut self) -> Result<(), Fault> {
        let Place::Between { head } = std::mem::replace(&mut self.place, Place::Inside) else {
            return Ok(());
        };
        if self.is_behind_a_member() {
            self.decoder.reinit().map_err(|error| self.corrupt(head.len(), &error))?;
        }
        let mut head = head.as_slice();
        while !head.is_empty() && matches!(self.place, Place::Inside) {
            self.decode(&mut head, &mut [])?;
        }
        Ok(())
    }

    /// Lets the decoder work once.
    fn decode(&mut self, input: &mut &[u8], output: &mut [u8]) -> Result<usize, Fault> {
        let mut from = PartialBuffer::new(*input);
        let mut into = WriteBuffer::new_initialized(output);
        let ended = match self.decoder.decode(&mut from, &mut into) {
            Ok(ended) => ended,
            // Zlib's way of saying that it has nothing more to write before it gets more.
            Err(_) if input.is_empty() && self.compression == Compression::Gzip => false,
            Err(error) => return Err(self.corrupt(input.len(), &error)),
        };
        let (used, written) = (from.written_len(), into.written_len());
        if used == 0 && written == 0 && !input.is_empty() && !ended {
            return Err(self.corrupt(input.len(), &"the decoder stands still"));
        }
        *input = &input[used..];
        self.stored += used as u64;
        self.opened += written as u64;
        if ended {
            self.place = Place::Between { head: Vec::new() };
        }
        self.judge().map(|()| written)
    }

    /// Whether what came out so far is within the caps.
    fn judge(&self) -> Result<(), Fault> {
        let Caps { bytes, ratio, ratio_from } = self.caps;
        if self.opened > bytes {
            let message = format!(
                "found more than {bytes} bytes behind the {} at byte {} of the file, expected at most so many",
                self.compression.title(),
                self.stored
            );
            return Err(Fault::new(Stage::Open, "compression.too_large", message));
        }
        if self.opened > ratio_from && self.opened > self.stored.saturating_mul(ratio) {
            let message = format!(
                "found {} bytes behind the first {} bytes of {}, expected at most {ratio} for each",
                self.opened,
                self.stored,
                self.compression.title()
            );
            return Err(Fault::new(Stage::Open, "compression.bomb", message));
        }
        Ok(())
    }

    fn place(&self) -> String {
        format!("behind {} opened bytes", self.opened)
    }

    /// Something is wrong in the next `length` bytes.
    fn corrupt(&self, length: usize, error: &dyn std::fmt::Display) -> Fault {
        let reason = error.to_string();
        if reason == ZSTD_WINDOW {
            return self.window("found a zstd frame with a larger window");
        }
        let message = format!(
            "found no valid {} in the bytes {} to {} of the file, {}: {reason}",
            self.compression.title(),
            self.stored,
            self.stored + length as u64,
            self.place()
        );
        Fault::new(Stage::Open, "compression.corrupt", message)
    }

    fn window(&self, found: &str) -> Fault {
        let expected = match self.compression {
            Compression::Zstd => format!("a window of at most {} MiB", (1_u64 << ZSTD_WINDOW_LOG) >> 20),
            _ => "one of RFC 7932".into(),
        };
        let message =
            format!("{found} at byte {} of the file, {}, expected {expected}", self.stored, self.place());
        Fault::new(Stage::Open, "compression.window", message)
    }

    /// `head` stands where a member should begin.
    fn foreign(&self, head: &[u8]) -> Fault {
        let bytes: Vec<String> = head.iter().map(|byte| format!("{byte:02x}")).collect();
        let found = format!("found the bytes {} at byte {} of the file", bytes.join(" "), self.stored);
        let title = self.compression.title();
        match (self.is_behind_a_member(), self.compression) {
            (false, _) => Fault::new(
                Stage::Open,
                "compression.corrupt",
                format!("{found}, expected the begin of {title}"),
            ),
            (true, Compression::Brotli) => self.trailing(&found, "the end of the file: brotli is one stream"),
            (true, _) => self.trailing(&found, &format!("more {title} or the end of the file")),
        }
    }

    fn trailing(&self, found: &str, expected: &str) -> Fault {
        let message = format!("{found}, {}, expected {expected}", self.place());
        Fault::new(Stage::Open, "compression.trailing", message)
    }

    /// Takes the zero bytes behind the last gzip member.
    fn pad(&mut self, input: &mut &[u8]) -> Result<(), Fault> {
        let zeros = input.iter().take_while(|byte| **byte == 0).count();
        self.stored += zeros as u64;
        *input = &input[zeros..];
        match input.first() {
            None => Ok(()),
            Some(byte) => {
                let found = format!("found the byte {byte:02x} at byte {} of the file", self.stored);
                Err(self.trailing(&found, "only zero bytes behind the first one that follows a member"))
            }
        }
    }

    /// Goes on, past the ends of members, until the input is used up or the output is full.
    fn go_on(&mut self, input: &mut &[u8], output: &mut [u8], written: &mut usize) -> Result<(), Fault> {
        // The first call may be for what the decoder could not write in the last one.
        let mut first = true;
        while (!input.is_empty() || first) && *written < output.len() {
            match self.place {
                Place::Between { .. } => self.begin(input)?,
                Place::Inside => *written += self.decode(input, &mut output[*written..])?,
                Place::Padding => self.pad(input)?,
            }
            first = false;
        }
        Ok(())
    }
}

impl Codec for Members {
    fn push(&mut self, input: &mut &[u8], output: &mut [u8]) -> Result<Step, Fault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let mut written = 0;
        if let Err(fault) = self.go_on(input, output, &mut written) {
            if written == 0 {
                return Err(fault);
            }
            self.fault = Some(fault);
        }
        Ok(Step { written, more: self.fault.is_some() || written == output.len() })
    }

    fn finish(&mut self, _: &mut [u8]) -> Result<Step, Fault> {
        let missing = match &self.place {
            Place::Between { head } if head.is_empty() && self.is_behind_a_member() => {
                return Ok(Step::default());
            }
            Place::Padding => return Ok(Step::default()),
            Place::Between { head } => head.len(),
            Place::Inside => 0,
        };
        let message = format!(
            "found the end of the file at byte {}, {}, inside its {}, expected the rest",
            self.stored + missing as u64,
            self.place(),
            self.compression.title()
        );
        Err(Fault::new(Stage::Open, "compression.truncated", message))
    }
}
