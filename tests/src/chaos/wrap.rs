//! What a round's file is wrapped in: nothing, or layers through which planners and workers read it in
//! different ways.

use anyhow::{Context, anyhow};
use carrack_shared::fault::Fault;
use carrack_shared::format::reading::Reading;
use carrack_shared::format::{Format, lines};
use carrack_shared::layer::compress::frame;
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::envelope::{Envelope, Part};
use carrack_shared::layer::index::{Frame, Index};
use carrack_shared::layer::key_text::KeyText;
use carrack_shared::layer::sealed::Sealer;
use carrack_shared::layer::secret::DataKey;
use carrack_shared::layer::wrapping::{KdfParameters, derive};
use carrack_shared::limits::BATCH_BYTES;
use carrack_shared::pipeline::split::{Rules, Splitter};

use crate::generate::Shape;

/// The key of sealed files, in hex.
pub(super) const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Around a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wrap {
    /// Workers read ranges of the file itself.
    Plain,
    /// One gzip member, as other programs write it: the planner opens it and stages its text.
    Gzip,
    /// Encrypted: workers open the chunks of their ranges.
    Sealed,
    /// Zstd frames with an index: planned without being opened, and workers open their frames.
    Zstd,
}

impl Wrap {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Gzip, Self::Sealed, Self::Zstd];

    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gzip => ".gz",
            Self::Sealed => ".sealed",
            Self::Zstd => ".zst",
        }
    }

    /// The file with this text. The frames of an index hold at most a batch.
    pub(super) fn pack(self, shape: Shape, text: Vec<u8>, batch_size: u32) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Plain => Ok(text),
            Self::Gzip => Ok(frame(Compression::Gzip, 1, &text)),
            Self::Sealed => seal(&text).map_err(|fault| anyhow!("{}: {}", fault.code, fault.message)),
            Self::Zstd => indexed(shape, &text, batch_size),
        }
    }
}

fn seal(text: &[u8]) -> Result<Vec<u8>, Fault> {
    let key = KeyText::new(KEY).and_then(|text| text.key()).expect("a key");
    let wrapping_key = derive(&key, &KdfParameters::new(&key, rand::random()))?;
    let (data_key, part) = (DataKey::new(rand::random()), Part::whole(rand::random()));
    let mut file = Envelope::seal(&data_key, &wrapping_key, part, rand::random()).encode().to_vec();
    let mut sealer = Sealer::new(&data_key, &part.context(), rand::random());
    sealer.push(text, &mut file)?;
    sealer.finish(&mut file)?;
    Ok(file)
}

/// A frame for each batch, and one for what stands between two.
fn indexed(shape: Shape, text: &[u8], batch_size: u32) -> anyhow::Result<Vec<u8>> {
    let format = match shape {
        Shape::JsonArray | Shape::Ndjson => Format::Json,
        Shape::Csv => Format::Csv,
    };
    let rules = Rules { batch_records: batch_size, batch_bytes: BATCH_BYTES, record_bytes: BATCH_BYTES };
    let mut splitter = Splitter::new(0, format, &Reading::default(), text.len() as u64, rules);
    let mut segments = Vec::new();
    let cut = splitter.push(text, &mut segments).and_then(|()| splitter.finish(&mut segments));
    cut.map_err(|broken| anyhow!("{broken:?}")).context("the text of a round")?;
    let (mut file, mut index, mut at) = (Vec::new(), Index::default(), 0);
    let mut add = |bytes: &[u8], records: u32| {
        if bytes.is_empty() {
            return;
        }
        let stored = frame(Compression::Zstd, 1, bytes);
        let lines = u32::try_from(lines::ended(format, bytes)).unwrap_or(u32::MAX);
        let (stored_bytes, text) = (stored.len() as u64, bytes.len() as u64);
        index.frames.push(Frame { stored: stored_bytes, text, records, lines });
        file.extend(stored);
    };
    for segment in &segments {
        let (from, to) = (usize::try_from(segment.bytes.start)?, usize::try_from(segment.bytes.end)?);
        add(&text[at..from], 0);
        add(&text[from..to], segment.records);
        at = to;
    }
    add(&text[at..], 0);
    file.extend(index.trailer(Compression::Zstd));
    Ok(file)
}
