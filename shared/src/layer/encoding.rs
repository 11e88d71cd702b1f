//! Turning text of another encoding into UTF-8, the only one that formats are read in.
//!
//! The encoding is what the user says or what a byte order mark says, never a guess. The mark itself is
//! dropped. A mark that contradicts what the user says is a fault, except between the two orders of UTF-16,
//! where the mark decides: that is what it is for.

use encoding_rs::{DecoderResult, UTF_16BE, UTF_16LE, WINDOWS_1252};
use serde::{Deserialize, Serialize};

use super::Opened;
use super::codec::{self, Codec, Step};
use crate::fault::{Fault, Stage};

/// How characters stand in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// UTF-8.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16, the lower byte first.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, the higher byte first.
    #[serde(rename = "utf-16be")]
    Utf16Be,
    /// One byte a character, as Windows writes western European languages. Every byte has a meaning: the
    /// five that Microsoft leaves undefined are control characters, as the WHATWG has it.
    #[serde(rename = "windows-1252")]
    Windows1252,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: [Self; 4] = [Self::Utf8, Self::Utf16Le, Self::Utf16Be, Self::Windows1252];

    /// The name that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
            Self::Windows1252 => "windows-1252",
        }
    }

    /// Whether it is UTF-16, in either order.
    pub fn is_utf16(self) -> bool {
        matches!(self, Self::Utf16Le | Self::Utf16Be)
    }

    /// Reads a name as people write it: every label of the WHATWG for one of the four, in any case. So
    /// `latin1`, `iso-8859-1` and `ascii` are windows-1252, whose printable characters include theirs, and
    /// `utf-16` without an order is `utf-16le` unless a mark says otherwise.
    pub fn parse(name: &str) -> Option<Self> {
        let encoding = encoding_rs::Encoding::for_label(name.as_bytes())?;
        Self::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(encoding.name()))
    }

    /// The byte order mark with which a file in this encoding may begin.
    fn mark(self) -> &'static [u8] {
        match self {
            Self::Utf8 => b"\xef\xbb\xbf",
            Self::Utf16Le => b"\xff\xfe",
            Self::Utf16Be => b"\xfe\xff",
            Self::Windows1252 => b"",
        }
    }

    fn is_utf_16(self) -> bool {
        matches!(self, Self::Utf16Le | Self::Utf16Be)
    }
}

/// What the byte order mark at the start of a file says, and its length.
pub fn told_by_mark(head: &[u8]) -> Option<(Encoding, usize)> {
    let marked = |encoding: &Encoding| !encoding.mark().is_empty() && head.starts_with(encoding.mark());
    Encoding::ALL.into_iter().find(marked).map(|encoding| (encoding, encoding.mark().len()))
}

/// The text in UTF-8, without its mark.
///
/// What is no text is `encoding.malformed`: half of a surrogate pair, half of a character at the end. UTF-8
/// passes unchecked: there a record that is not UTF-8 is refused by itself, when it is decoded, and the
/// others are read.
pub fn to_utf8(encoding: Encoding, body: Opened) -> Opened {
    codec::around(Reader::new(encoding), body)
}

/// The same for the head of a file, which may be cut off anywhere: half of a character at its end is left
/// out.
pub fn head_to_utf8(encoding: Encoding, head: &[u8]) -> Result<Vec<u8>, Fault> {
    codec::through(Reader::new(encoding), head, Some(usize::MAX))
}

/// A text that is being read.
struct Reader {
    encoding: Encoding,
    /// Whether the mark has been looked for.
    begun: bool,
    /// None for UTF-8.
    decoder: Option<encoding_rs::Decoder>,
    /// Bytes that were taken.
    at: u64,
    /// Found when there was text to hand out first.
    fault: Option<Fault>,
}

impl Reader {
    fn new(encoding: Encoding) -> Self {
        Self { encoding, begun: false, decoder: None, at: 0, fault: None }
    }

    /// Looks at the mark, which is whole: the first input holds many bytes, or the whole text.
    fn begin(&mut self, input: &mut &[u8]) -> Result<(), Fault> {
        self.begun = true;
        if let Some((marked, length)) = told_by_mark(input) {
            if marked != self.encoding && !(marked.is_utf_16() && self.encoding.is_utf_16()) {
                let message = format!(
                    "found the byte order mark of {} at byte 0, expected {}",
                    marked.as_str(),
                    self.encoding.as_str()
                );
                return Err(Fault::new(Stage::Open, "encoding.mark", message));
            }
            self.encoding = marked;
            self.at = length as u64;
            *input = &input[length..];
        }
        self.decoder = match self.encoding {
            Encoding::Utf8 => None,
            Encoding::Utf16Le => Some(UTF_16LE.new_decoder_without_bom_handling()),
            Encoding::Utf16Be => Some(UTF_16BE.new_decoder_without_bom_handling()),
            Encoding::Windows1252 => Some(WINDOWS_1252.new_decoder_without_bom_handling()),
        };
        Ok(())
    }

    fn decode(&mut self, input: &mut &[u8], output: &mut [u8], last: bool) -> Result<Step, Fault> {
        let Some(decoder) = &mut self.decoder else {
            let written = input.len().min(output.len());
            output[..written].copy_from_slice(&input[..written]);
            *input = &input[written..];
            return Ok(Step { written, more: false });
        };
        let (result, read, written) = decoder.decode_to_utf8_without_replacement(input, output, last);
        *input = &input[read..];
        self.at += read as u64;
        let DecoderResult::Malformed(length, behind) = result else {
            return Ok(Step { written, more: result == DecoderResult::OutputFull });
        };
        let malformed = self.at - u64::from(length) - u64::from(behind);
        let message = format!("found no {} at byte {malformed} of the text", self.encoding.as_str());
        let fault = Fault::new(Stage::Open, "encoding.malformed", message);
        if written == 0 {
            return Err(fault);
        }
        self.fault = Some(fault);
        Ok(Step { written, more: true })
    }
}

impl Codec for Reader {
    fn push(&mut self, input: &mut &[u8], output: &mut [u8]) -> Result<Step, Fault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        if !self.begun {
            self.begin(input)?;
        }
        self.decode(input, output, false)
    }

    fn finish(&mut self, output: &mut [u8]) -> Result<Step, Fault> {
        match self.fault.take() {
            Some(fault) => Err(fault),
            None => self.decode(&mut &[][..], output, true),
        }
    }
}
