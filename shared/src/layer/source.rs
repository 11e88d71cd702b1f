//! A source and the layers around its text: reads ranges, streams and the text of segments, whatever the file
//! is wrapped in. Encryption is opened in place, for its chunks open alone; compression and encodings are
//! opened from their beginning, or frame by frame where a [`Packing`] says which ones.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use super::blob::Blob;
use super::chunks;
use super::compression::Compression;
use super::cut::{behind, first};
use super::encoding::{self, Encoding};
use super::envelope::Envelope;
use super::index::{Found, Index};
use super::open::{self, Caps};
use super::sealed::ChunkedKey;
use super::sealing;
use super::secret::{DataKey, MasterKey};
use super::{Opened, Trouble};
use crate::error::PortResult;
use crate::fault::{Fault, Stage};
use crate::limits;
use crate::port::Objects;
use crate::segment::{Packing, Staged};
use crate::spec::Source;

/// How what a planner has opened is compressed on its way to the workers: fast, and smaller than the text.
pub const STAGED: Compression = Compression::Zstd;

/// Nothing that we have compressed ourselves is a bomb.
const OURS: Caps = Caps { bytes: u64::MAX, ratio: u64::MAX, ratio_from: u64::MAX };

/// What the data key of a source is bound to when it is stored.
pub const SOURCE_KEY: &[u8] = b"carrack/v1/source";

/// What a source is wrapped in, from the inside out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Layers {
    /// How its text is encoded.
    #[serde(skip_serializing_if = "is_default")]
    pub encoding: Encoding,
    /// How it is compressed.
    #[serde(skip_serializing_if = "is_default")]
    pub compression: Compression,
    /// How it is encrypted.
    #[serde(skip_serializing_if = "is_default")]
    pub seal: Option<Seal>,
}

/// What opens a sealed source, once its envelope has been opened with the user's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// What the content is bound to; see [`super::envelope::Part::context`].
    pub context: Blob,
    /// The first bytes of the content: its salt and commitment.
    pub head: Blob,
    /// The data key, wrapped by the deployment's own key.
    pub key: Blob,
}

impl Layers {
    /// Whether there are none.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the bytes of the text can be read by their offsets, without opening what stands before them.
    pub fn has_offsets(&self) -> bool {
        self.compression == Compression::None && self.encoding == Encoding::Utf8
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Reads one source.
#[derive(Clone)]
pub struct Reader {
    objects: Arc<dyn Objects>,
    source: Source,
    seal: Option<Arc<Unsealed>>,
    /// Bytes of the source that have been read by streams.
    consumed: Arc<AtomicU64>,
}

/// The key to a sealed source.
struct Unsealed {
    chunks: Arc<ChunkedKey>,
    data_key: DataKey,
    length: u64,
}

/// What has been read of a source for some segments, and is not opened yet: opening it is work for a thread.
pub struct Packed {
    reader: Reader,
    bytes: Bytes,
    packing: Option<Packing>,
}

impl Reader {
    /// A reader of `source`.
    ///
    /// # Errors
    /// `seal.master_key` when the source is sealed and this deployment's key does not open what was stored of it.
    pub fn new(
        objects: Arc<dyn Objects>,
        source: &Source,
        master: Option<&MasterKey>,
    ) -> Result<Self, Fault> {
        let seal =
            source.layers.seal.as_ref().map(|seal| Unsealed::open(seal, source, master)).transpose()?;
        Ok(Self { objects, source: source.clone(), seal: seal.map(Arc::new), consumed: Arc::default() })
    }

    /// Where it reads.
    pub fn objects(&self) -> Arc<dyn Objects> {
        Arc::clone(&self.objects)
    }

    /// The source.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The key with which what is made of the source has to be sealed, if the source is.
    pub fn data_key(&self) -> Option<&DataKey> {
        self.seal.as_ref().map(|seal| &seal.data_key)
    }

    /// Bytes of the source that its streams have read so far.
    pub fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }

    /// Bytes inside the encryption.
    pub fn length(&self) -> u64 {
        self.seal.as_ref().map_or(self.source.length, |seal| seal.length)
    }

    /// Bytes of the text, where they are known without reading it.
    pub fn text_length(&self) -> Option<u64> {
        self.source.layers.has_offsets().then(|| self.length())
    }

    /// These bytes of what is inside the encryption.
    ///
    /// # Errors
    /// As [`Objects::get`]; a fault when they were altered.
    pub async fn get(&self, range: Range<u64>) -> Result<Bytes, Trouble> {
        let Some(seal) = &self.seal else {
            return Ok(self.objects.get(&self.source.key, range, &self.source.etag).await?);
        };
        let stored = chunks::stored(range.clone(), seal.length);
        let start = Envelope::LENGTH as u64;
        let place = start + stored.start..start + stored.end;
        let sealed = self.objects.get(&self.source.key, place, &self.source.etag).await?;
        let mut plain = Vec::new();
        seal.chunks.open_range(range, seal.length, &sealed, &mut plain)?;
        Ok(plain.into())
    }

    /// What is inside the encryption, from byte `from` on.
    ///
    /// # Errors
    /// As [`Objects::stream`].
    pub async fn stream(&self, from: u64) -> PortResult<Opened> {
        let (key, etag) = (&self.source.key, &self.source.etag);
        let consumed = Arc::clone(&self.consumed);
        let count = move |piece: &Bytes| {
            consumed.fetch_add(piece.len() as u64, Ordering::Relaxed);
        };
        let Some(seal) = &self.seal else {
            let bytes = self.objects.stream(key, from, etag).await?;
            return Ok(bytes.inspect_ok(count).map_err(Trouble::Port).boxed());
        };
        let place = Envelope::LENGTH as u64 + chunks::start(from);
        let bytes = self.objects.stream(key, place, etag).await?;
        let sealed = bytes.inspect_ok(count).map_err(Trouble::Port).boxed();
        Ok(sealing::open_from(Arc::clone(&seal.chunks), seal.length, sealed, from))
    }

    /// The text from its byte `from` on. What is not known by offsets is opened from the beginning.
    ///
    /// # Errors
    /// As [`Objects::stream`].
    pub async fn text(&self, from: u64) -> PortResult<Opened> {
        let layers = &self.source.layers;
        if layers.has_offsets() {
            return self.stream(from).await;
        }
        let opened = open::open(layers.compression, self.stream(0).await?, Caps::default());
        Ok(behind(encoding::to_utf8(layers.encoding, opened), from))
    }

    /// The index of the source's frames, if it has one.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub async fn index(&self) -> Result<Option<Index>, Trouble> {
        let Layers { compression, encoding, .. } = self.source.layers;
        if !matches!(compression, Compression::Gzip | Compression::Zstd) || encoding != Encoding::Utf8 {
            return Ok(None);
        }
        let length = self.length();
        let mut at_end = length.min(limits::INDEX_TAIL_BYTES as u64);
        for _ in 0..2 {
            let tail = self.get(length - at_end..length).await?;
            match Index::find(compression, &tail, length) {
                Found::Index(index) => return Ok(Some(index)),
                Found::Needs(bytes) if bytes <= length.min(limits::INDEX_BYTES) => at_end = bytes,
                Found::Needs(_) | Found::None => break,
            }
        }
        Ok(None)
    }

    /// The text of these whole frames, which has to be as long as the index says.
    ///
    /// # Errors
    /// As [`Objects::get`]; a fault when they do not open.
    pub async fn frames(&self, stored: Range<u64>, text: u64) -> Result<Vec<u8>, Trouble> {
        let stored = self.get(stored).await?;
        Ok(self.as_long_as(text, &stored)?)
    }

    fn as_long_as(&self, text: u64, stored: &[u8]) -> Result<Vec<u8>, Fault> {
        let caps = Caps { bytes: text, ..OURS };
        let found = match open::open_whole(self.source.layers.compression, stored, caps) {
            Ok(opened) if opened.len() as u64 == text => return Ok(opened),
            Ok(opened) => opened.len().to_string(),
            Err(fault) if fault.code == "compression.too_large" => format!("more than {text}"),
            Err(fault) => return Err(fault),
        };
        let message = format!("frames open to {found} bytes, expected {text} as the index of the file says");
        Err(Fault::new(Stage::Open, "index.wrong", message))
    }

    /// Reads what holds the text of consecutive segments: their `bytes` with the `packing` that covers them.
    ///
    /// # Errors
    /// As [`Objects::get`].
    pub async fn fetch(&self, packing: Option<&Packing>, bytes: Range<u64>) -> Result<Packed, Trouble> {
        let bytes = match packing {
            None => self.get(bytes).await?,
            Some(Packing { staged: None, bytes, .. }) => self.get(bytes.clone()).await?,
            Some(Packing { staged: Some(Staged { key, etag }), bytes, .. }) => {
                self.objects.get(key, bytes.clone(), etag).await?
            }
        };
        Ok(Packed { reader: self.clone(), bytes, packing: packing.cloned() })
    }

    /// The text of one segment as it comes, however long it is.
    ///
    /// # Errors
    /// As [`Objects::stream`].
    pub async fn segment(&self, packing: Option<&Packing>, bytes: Range<u64>) -> Result<Opened, Trouble> {
        let (start, text) = match packing {
            None => (bytes.start, self.text(bytes.start).await?),
            Some(Packing { staged: None, bytes, text, .. }) => {
                let frames = self.get(bytes.clone()).await?;
                let frames = futures_util::stream::iter([Ok(frames)]).boxed();
                (text.start, open::open(self.source.layers.compression, frames, Caps::default()))
            }
            Some(Packing { staged: Some(staged), text, .. }) => (text.start, self.staged(staged).await?),
        };
        Ok(first(behind(text, bytes.start - start), bytes.end - bytes.start))
    }

    /// The text of a staged object.
    async fn staged(&self, staged: &Staged) -> PortResult<Opened> {
        let Staged { key, etag } = staged;
        let stored = self.objects.stream(key, 0, etag).await?.map_err(Trouble::Port).boxed();
        let stored = match &self.seal {
            None => stored,
            Some(seal) => sealing::open_object(&seal.data_key, key, stored),
        };
        Ok(open::open(STAGED, stored, OURS))
    }
}

impl Packed {
    /// The text, and the offset of its first byte in the whole text.
    ///
    /// # Errors
    /// When the bytes do not open, or not to as much text as was planned.
    pub fn open(self, bytes: Range<u64>) -> Result<(Bytes, u64), Fault> {
        let Self { reader, bytes: stored, packing } = self;
        let Some(Packing { staged, text, .. }) = packing else { return Ok((stored, bytes.start)) };
        let opened = match (&staged, &reader.seal) {
            (None, _) => reader.as_long_as(text.end - text.start, &stored)?,
            (Some(_), None) => open::open_whole(STAGED, &stored, OURS)?,
            (Some(staged), Some(seal)) => {
                let plain = sealing::opened(&seal.data_key, &staged.key, &stored)?;
                open::open_whole(STAGED, &plain, OURS)?
            }
        };
        let (found, planned) = (opened.len() as u64, text.end - text.start);
        if found != planned {
            let message = format!("what was staged opens to {found} bytes, expected {planned}");
            return Err(Fault::new(Stage::Open, "source.changed", message));
        }
        Ok((opened.into(), text.start))
    }
}

impl Unsealed {
    fn open(seal: &Seal, source: &Source, master: Option<&MasterKey>) -> Result<Self, Fault> {
        let data_key = master.ok_or_else(no_master_key)?.unwrap(&seal.key, SOURCE_KEY)?;
        let head = seal.head.as_slice().try_into().unwrap_or(&[0; chunks::HEAD]);
        let key = ChunkedKey::new(&data_key, &seal.context, head)?;
        let length = chunks::plain_length(source.length.saturating_sub(Envelope::LENGTH as u64))?;
        Ok(Self { chunks: Arc::new(key), data_key, length })
    }
}

fn no_master_key() -> Fault {
    let message = "this process has no master key, expected the one under which the key of the file is kept \
                   (CARRACK_MASTER_KEY)";
    Fault::new(Stage::Open, "seal.master_key", message)
}
