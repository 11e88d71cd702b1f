//! The files of a finished export: made of its parts while they are read, in memory that does not depend on
//! the export. An export is one file, or several beside a manifest where it was to be split.

pub mod archive;
mod layout;
pub mod manifest;
pub mod name;

use std::collections::VecDeque;

use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::fault::Fault;
use carrack_shared::format::encode::{Encoder, Shape};
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::cut::{behind, first};
use carrack_shared::layer::envelope::{Envelope, Part};
use carrack_shared::layer::index::{Frame, Index};
use carrack_shared::layer::packaging::{OutputKeys, Packaging};
use carrack_shared::layer::sealed::Sealer;
use carrack_shared::layer::{Opened, Trouble, chunks, compress, sealing};
use carrack_shared::limits::SOURCES;
use carrack_shared::operation::{Operation, State, Totals};
use carrack_shared::port::Ports;
use carrack_shared::port::batches;
use carrack_shared::port::objects::ByteStream;
use carrack_shared::segment::Facts;
use carrack_shared::spec::{ExportSpec, Work};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use self::layout::{File, Layout, PartFrames, Piece};
use self::manifest::{Entry, Manifest};

/// The files of an export.
pub struct Files {
    ports: Ports,
    operation: Operation,
    export: ExportSpec,
    parts: Vec<batches::Part>,
    files: Vec<File>,
    keys: Option<OutputKeys>,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum NoFile {
    /// The operation is an import.
    #[error("operation {0} is an import, expected an export")]
    NotAnExport(String),
    /// The export has not succeeded (yet).
    #[error("the export is {}, expected succeeded", .0.as_str())]
    NotDone(State),
    /// A service failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Files {
    /// The files of an export.
    ///
    /// # Errors
    /// When the operation is not an export that has succeeded, or a service fails.
    pub async fn of(ports: &Ports, operation: &Operation) -> Result<Self, NoFile> {
        let Work::Export(export) = operation.spec.work() else {
            return Err(NoFile::NotAnExport(operation.id.to_string()));
        };
        if operation.state != State::Succeeded {
            return Err(NoFile::NotDone(operation.state));
        }
        Ok(Self::laid_out(ports, operation, export).await?)
    }

    async fn laid_out(ports: &Ports, operation: &Operation, export: &ExportSpec) -> PortResult<Self> {
        let mut parts = ports.store.parts(operation.id).await?;
        parts.retain(|part| part.effect.rows > 0);
        let encoder = encoder(export, has_extra(ports, operation).await?)?;
        let packaging = &export.packaging;
        let frames: Vec<_> =
            parts.iter().enumerate().map(|part| frames(packaging, part)).collect::<Result<_, _>>()?;
        let files = Layout::new(export.format, packaging, &encoder).files(&frames);
        if files.len() > SOURCES {
            let found = files.len();
            let message = format!(
                "the export makes {found} files, expected at most {SOURCES}, for no import takes more: split it into \
                 larger ones"
            );
            return Err(PortError::new(ErrorKind::Refused, "export", message));
        }
        let keys = packaging.seal.as_ref().map(|seal| seal.open(ports.master_key.as_deref())).transpose()?;
        let (ports, operation, export) = (ports.clone(), operation.clone(), export.clone());
        Ok(Self { ports, operation, export, parts, files, keys })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// Whether a manifest goes with them.
    pub fn is_split(&self) -> bool {
        self.export.packaging.split_bytes.is_some()
    }

    /// The name of the file where the user gives none.
    pub fn default_name(&self) -> String {
        let ExportSpec { data_type, format, packaging, .. } = &self.export;
        let sealed = if packaging.seal.is_some() { name::SEALED_ENDING } else { "" };
        let compressed = packaging.compression.ending();
        format!("{data_type}-{}.{}{compressed}{sealed}", self.operation.id, format.as_str())
    }

    /// The media type of the file.
    pub fn media_type(&self) -> &'static str {
        match (&self.keys, self.export.packaging.compression) {
            (Some(_), _) => "application/octet-stream",
            (None, Compression::Gzip) => "application/gzip",
            (None, Compression::Zstd) => "application/zstd",
            (None, Compression::Brotli) => "application/x-brotli",
            (None, Compression::None) => self.export.format.media_type(),
        }
    }

    /// Records of a file, by its number from 0.
    pub fn records(&self, number: usize) -> u64 {
        self.files.get(number).map_or(0, |file| file.records)
    }

    /// Bytes of a file, where they are known before it is written.
    pub fn bytes(&self, number: usize) -> Option<u64> {
        let packaging = &self.export.packaging;
        let file = self.files.get(number).filter(|_| packaging.compression != Compression::Brotli)?;
        Some(layout::sealed_bytes(packaging, file.bytes))
    }

    /// A file as it comes. A sealed one is sealed anew each time, so no two of them have the same bytes.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn content(&self, number: usize) -> PortResult<ByteStream> {
        let file = self.files.get(number).ok_or_else(|| internal(format!("no file number {number}")))?;
        let text = self.joined(file);
        let packed = match self.export.packaging.compression {
            Compression::Brotli => {
                compress::compress(Compression::Brotli, self.export.packaging.level(), text)
            }
            _ => text,
        };
        let sealed = match &self.keys {
            None => packed,
            Some(keys) => self.sealed(keys, number, packed).map_err(|fault| internal(fault.message))?,
        };
        Ok(sealed.map_err(Trouble::into_port).boxed())
    }

    /// A file with its length, for those who have to say it first. Where that is only known when the file is
    /// written, it is written into an object and kept.
    ///
    /// # Errors
    /// As [`Files::content`], and when it cannot be stored.
    pub async fn sized(&self, number: usize) -> PortResult<(u64, ByteStream)> {
        if let Some(bytes) = self.bytes(number) {
            return Ok((bytes, self.content(number)?));
        }
        let (objects, operation) = (&self.ports.objects, &self.operation);
        let key = format!("exports/{}/{}/file-{number}", operation.id, operation.generation);
        let meta = match objects.head(&key).await? {
            Some(meta) => meta,
            None => objects.put(&key, self.content(number)?).await?,
        };
        Ok((meta.length, objects.stream(&key, 0, &meta.etag).await?))
    }

    /// The manifest, once the files are written.
    pub fn manifest(&self, files: Vec<Entry>) -> Manifest {
        let manifest = Manifest {
            carrack_manifest: 1,
            export_id: self.operation.id.as_uuid(),
            data_type: self.export.data_type.clone(),
            format: self.export.format,
            compression: self.export.packaging.compression,
            encrypted: self.keys.is_some(),
            records: files.iter().map(|file| file.records).sum(),
            files,
            mac: None,
        };
        match &self.keys {
            None => manifest,
            Some(keys) => manifest.sealed(&keys.data_key),
        }
    }

    /// The pieces of a file, one behind the other.
    fn joined(&self, file: &File) -> Opened {
        let objects = self.ports.objects.clone();
        let data_key = self.keys.as_ref().map(|keys| keys.data_key.clone());
        let pieces: VecDeque<_> = file
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Own(bytes) => (Bytes::from(bytes.clone()), None),
                Piece::Part(part, range) => {
                    (Bytes::new(), Some((self.parts[*part].effect.clone(), range.clone())))
                }
            })
            .collect();
        stream::iter(pieces.into_iter().map(Ok))
            .and_then(move |(own, part)| {
                let (objects, data_key) = (objects.clone(), data_key.clone());
                async move {
                    let Some((effect, range)) = part else { return Ok(stream::iter([Ok(own)]).boxed()) };
                    let from = if data_key.is_some() { 0 } else { range.start };
                    let stored =
                        objects.stream(&effect.key, from, &effect.etag).await?.map_err(Trouble::Port).boxed();
                    let content = match data_key {
                        Some(key) => behind(sealing::open_object(&key, &effect.key, stored), range.start),
                        None => stored,
                    };
                    Ok::<Opened, Trouble>(first(content, range.end - range.start))
                }
            })
            .try_flatten()
            .boxed()
    }

    fn sealed(&self, keys: &OutputKeys, number: usize, content: Opened) -> Result<Opened, Fault> {
        let counted = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let part = Part::new(keys.file, counted(number + 1), counted(self.files.len()))?;
        let envelope = Envelope::seal(&keys.data_key, &keys.wrapping_key, part, rand::random());
        let sealer = Sealer::new(&keys.data_key, &part.context(), rand::random());
        let head = stream::iter([Ok(Bytes::from(envelope.encode().to_vec()))]);
        Ok(head.chain(sealing::seal(sealer, content)).boxed())
    }
}

/// The bytes of the files of an export that has succeeded. Those of a brotli file are known when it is
/// written; until then what is told are its parts'.
///
/// # Errors
/// When a service fails.
pub async fn file_bytes(
    ports: &Ports,
    operation: &Operation,
    export: &ExportSpec,
    totals: &Totals,
) -> PortResult<u64> {
    let files = Files::laid_out(ports, operation, export).await?;
    let bytes: Option<u64> = (0..files.count()).map(|number| files.bytes(number)).sum();
    Ok(bytes.unwrap_or(totals.bytes))
}

/// The frames of a part. One that was written in one go is one frame.
fn frames(packaging: &Packaging, (number, part): (usize, &batches::Part)) -> PortResult<PartFrames> {
    let effect = &part.effect;
    let wrong = || internal(format!("the frames of part {} of an export cannot be read", part.batch));
    if packaging.frame_limits().is_some() {
        let index = Index::decode(&effect.frames).ok_or_else(wrong)?;
        return Ok(PartFrames { number, frames: index.frames });
    }
    let stored = match packaging.seal {
        Some(_) => chunks::plain_length(effect.bytes).map_err(|_| wrong())?,
        None => effect.bytes,
    };
    let records = u32::try_from(effect.rows).unwrap_or(u32::MAX);
    Ok(PartFrames { number, frames: vec![Frame { stored, text: stored, records, lines: 0 }] })
}

/// The encoder with which the parts of this export were written.
fn encoder(export: &ExportSpec, has_extra: bool) -> PortResult<Encoder> {
    let data_type = export.type_of(0)?;
    let shape = Shape { metadata: export.include_metadata, extra: has_extra };
    Ok(Encoder::new(export.format, &data_type, shape))
}

/// Whether the export's planner met fields outside the schema. The workers went by the same facts.
async fn has_extra(ports: &Ports, operation: &Operation) -> PortResult<bool> {
    let facts = ports.store.facts(operation.id, 0).await?;
    Ok(matches!(facts, Some(Facts::Table(table)) if table.has_extra))
}

fn internal(message: String) -> PortError {
    PortError::new(ErrorKind::Internal, "carrack", message)
}
