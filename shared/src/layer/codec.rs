//! How a layer without input or output of its own is put around a stream, or around bytes in memory.
//!
//! The input is gathered into blocks of [`LAYER_BLOCK_BYTES`] before a layer sees it. So the calls that a
//! layer gets depend on the bytes alone, never on how they were cut on their way: the same text comes out,
//! and the same fault behind the same byte of it.

use bytes::{Buf, Bytes};
use futures_util::{StreamExt, stream};

use super::{Opened, Trouble};
use crate::fault::Fault;
use crate::limits::{LAYER_BLOCK_BYTES, LAYER_PIECE_BYTES};

/// What came of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// Bytes written into the output.
    pub written: usize,
    /// Whether there is more to write before more input is needed.
    pub more: bool,
}

/// Bytes in, other bytes out.
pub(super) trait Codec: Send {
    /// Takes bytes off the front of `input` and writes what comes of them into `output`. Called again while
    /// input is left or there is more to write.
    fn push(&mut self, input: &mut &[u8], output: &mut [u8]) -> Result<Step, Fault>;

    /// Writes what is left once the input has ended. Called again while there is more.
    fn finish(&mut self, output: &mut [u8]) -> Result<Step, Fault>;
}

/// The stream behind a codec.
pub(super) fn around(codec: impl Codec + 'static, body: Opened) -> Opened {
    let pump = Pump {
        codec,
        body,
        piece: Bytes::new(),
        block: Vec::with_capacity(LAYER_BLOCK_BYTES),
        used: 0,
        output: vec![0; LAYER_PIECE_BYTES],
        more: false,
        ended: false,
        finishing: false,
    };
    stream::try_unfold(pump, |mut pump| async move { Ok(pump.next().await?.map(|piece| (piece, pump))) })
        .boxed()
}

/// All of `bytes` behind a codec, or its first `at_most` bytes and then no end is asked for.
pub(super) fn through(mut codec: impl Codec, bytes: &[u8], at_most: Option<usize>) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    let full = |text: &Vec<u8>| at_most.is_some_and(|most| text.len() >= most);
    for mut block in bytes.chunks(LAYER_BLOCK_BYTES) {
        let mut more = false;
        while (more || !block.is_empty()) && !full(&text) {
            more = append(&mut text, |output| codec.push(&mut block, output))?;
        }
    }
    match at_most {
        Some(most) => text.truncate(most),
        None => while append(&mut text, |output| codec.finish(output))? {},
    }
    Ok(text)
}

/// Lets `write` write behind `text`; whether it has more.
fn append(
    text: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<Step, Fault>,
) -> Result<bool, Fault> {
    let length = text.len();
    text.resize(length + LAYER_PIECE_BYTES, 0);
    let step = write(&mut text[length..])?;
    text.truncate(length + step.written);
    Ok(step.more)
}

/// A codec with what it reads from and writes to.
struct Pump<C> {
    codec: C,
    body: Opened,
    /// What of the last piece of the body is not in a block yet.
    piece: Bytes,
    block: Vec<u8>,
    /// Bytes of the block that the codec has taken.
    used: usize,
    output: Vec<u8>,
    /// Whether the codec has more to write before it needs input.
    more: bool,
    /// Whether the body has ended.
    ended: bool,
    finishing: bool,
}

impl<C: Codec> Pump<C> {
    async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        loop {
            let mut input = &self.block[self.used..];
            let step = if !input.is_empty() || (self.more && !self.finishing) {
                let step = self.codec.push(&mut input, &mut self.output)?;
                self.used = self.block.len() - input.len();
                step
            } else if !self.ended {
                self.fill().await?;
                continue;
            } else if self.more || !self.finishing {
                self.finishing = true;
                self.codec.finish(&mut self.output)?
            } else {
                return Ok(None);
            };
            self.more = step.more;
            if step.written > 0 {
                return Ok(Some(Bytes::copy_from_slice(&self.output[..step.written])));
            }
        }
    }

    /// Gathers the next block, which is shorter only at the end of the body.
    async fn fill(&mut self) -> Result<(), Trouble> {
        self.block.clear();
        self.used = 0;
        while self.block.len() < LAYER_BLOCK_BYTES && !self.ended {
            if self.piece.is_empty() {
                match self.body.next().await {
                    Some(piece) => self.piece = piece?,
                    None => self.ended = true,
                }
                continue;
            }
            let length = self.piece.len().min(LAYER_BLOCK_BYTES - self.block.len());
            self.block.extend_from_slice(&self.piece[..length]);
            self.piece.advance(length);
        }
        Ok(())
    }
}
