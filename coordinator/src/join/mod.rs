//! The files of a finished export: made of its parts while they are read, in memory that does not depend on
//! the export. An export is one file, or several beside a manifest where it was to be split or has several
//! types: each file is of one type.

pub mod archive;
mod layout;
pub mod manifest;
pub mod name;
mod stored;

use std::sync::Arc;

use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::fault::Fault;
use carrack_shared::format::encode::Encoder;
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::envelope::{Envelope, Part};
use carrack_shared::layer::packaging::OutputKeys;
use carrack_shared::layer::sealed::Sealer;
use carrack_shared::layer::{Opened, Trouble, compress, sealing};
use carrack_shared::limits::SOURCES;
use carrack_shared::operation::{Operation, State};
use carrack_shared::port::Ports;
use carrack_shared::port::objects::ByteStream;
use carrack_shared::schema::ALL;
use carrack_shared::segment::Facts;
use carrack_shared::spec::{ExportSpec, Work};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use self::layout::{File, Layout, Piece};
use self::manifest::{Entry, Manifest};
use self::stored::Stored;

/// The files of an export.
pub struct Files {
    ports: Ports,
    operation: Operation,
    export: ExportSpec,
    parts: Arc<Vec<Stored>>,
    files: Vec<Placed>,
    keys: Option<OutputKeys>,
}

/// A file among the others.
struct Placed {
    file: File,
    /// The table that it is of, by its number.
    table: u32,
    /// Which of that table's files it is, from 1.
    number: usize,
    /// How many those are.
    count: usize,
}

/// Bytes of a noted number, at most.
const NOTED_BYTES: u64 = 20;

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
        let packaging = &export.packaging;
        let mut files = Vec::new();
        for table in (0..).take(export.names().len()) {
            let encoder = encoder(export, table, has_extra(ports, operation, table).await?)?;
            let of_table = parts.iter().enumerate().filter(|(_, part)| part.table == table);
            let frames: Vec<_> =
                of_table.map(|part| stored::frames(packaging, part)).collect::<Result<_, _>>()?;
            let laid_out = Layout::new(export.format, packaging, &encoder).files(&frames);
            let count = laid_out.len();
            let place = |(number, file)| Placed { file, table, number, count };
            files.extend((1..).zip(laid_out).map(place));
        }
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
        let parts = Arc::new(parts.into_iter().map(|part| Stored::new(part.effect)).collect());
        Ok(Self { ports, operation, export, parts, files, keys })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// Whether a manifest goes with them.
    pub fn has_manifest(&self) -> bool {
        self.is_split() || self.has_types()
    }

    fn is_split(&self) -> bool {
        self.export.packaging.split_bytes.is_some()
    }

    /// Whether each file says of which type it is.
    fn has_types(&self) -> bool {
        self.export.data_type == ALL
    }

    /// The name of the export where the user gives none.
    pub fn default_name(&self) -> String {
        format!("{}-{}{}", self.export.data_type, self.operation.id, self.endings())
    }

    fn endings(&self) -> String {
        let ExportSpec { format, packaging, .. } = &self.export;
        let sealed = if packaging.seal.is_some() { name::SEALED_ENDING } else { "" };
        format!(".{}{}{sealed}", format.as_str(), packaging.compression.ending())
    }

    /// The name of a file, by its number from 0, of an export that the user calls so, if it is known how.
    pub fn name(&self, number: usize, named: Option<&str>) -> String {
        let whole = || named.map_or_else(|| self.default_name(), ToOwned::to_owned);
        let Some(placed) = self.files.get(number) else { return whole() };
        let name = match (self.type_in_manifest(number), named) {
            (None, _) => whole(),
            (Some(data_type), None) => name::plain(&data_type) + &self.endings(),
            (Some(data_type), Some(named)) => name::of_type(named, &data_type),
        };
        if self.is_split() { name::part(&name, placed.number, placed.count) } else { name }
    }

    /// The name of their manifest.
    pub fn manifest_name(&self, named: Option<&str>) -> String {
        match named {
            None if self.has_types() => name::MANIFEST.to_owned(),
            None => name::manifest(&self.default_name()),
            Some(named) => name::manifest(named),
        }
    }

    /// The type of a file, by its number from 0, where not all have the same one.
    pub fn type_in_manifest(&self, number: usize) -> Option<String> {
        let table = self.files.get(number).filter(|_| self.has_types())?.table;
        self.export.names().get(table as usize).map(|name| (*name).to_owned())
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
        self.files.get(number).map_or(0, |placed| placed.file.records)
    }

    /// Bytes of a file, where they are known before it is written.
    pub fn bytes(&self, number: usize) -> Option<u64> {
        let packaging = &self.export.packaging;
        let placed = self.files.get(number).filter(|_| packaging.compression != Compression::Brotli)?;
        Some(layout::sealed_bytes(packaging, placed.file.bytes))
    }

    /// A file as it comes. A sealed one is sealed anew each time, so no two of them have the same bytes.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn content(&self, number: usize) -> PortResult<ByteStream> {
        let placed = self.files.get(number).ok_or_else(|| internal(format!("no file number {number}")))?;
        let text = self.joined(&placed.file);
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
        let (objects, key) = (&self.ports.objects, self.kept(number));
        let meta = match objects.head(&key).await? {
            Some(meta) => meta,
            None => objects.put(&key, self.content(number)?).await?,
        };
        Ok((meta.length, objects.stream(&key, 0, &meta.etag).await?))
    }

    /// A file as it comes, with its length where that is known before: nobody should have to wait for the first
    /// byte until the last one is compressed. Where it is not, it is noted when the file has been read.
    ///
    /// # Errors
    /// As [`Files::sized`].
    pub async fn streamed(&self, number: usize) -> PortResult<(Option<u64>, ByteStream)> {
        let (length, content) = (self.bytes(number), self.content(number)?);
        if self.known_bytes(number).await?.is_some() {
            return Ok((length, content));
        }
        let (objects, key) = (self.ports.objects.clone(), self.noted(number));
        let counted = stream::try_unfold((content, 0), move |(mut content, bytes)| {
            let (objects, key) = (objects.clone(), key.clone());
            async move {
                let Some(piece) = content.try_next().await? else {
                    let text = stream::iter([Ok(Bytes::from(u64::to_string(&bytes)))]).boxed();
                    objects.put(&key, text).await?;
                    return Ok(None);
                };
                let bytes = bytes + piece.len() as u64;
                Ok(Some((piece, (content, bytes))))
            }
        });
        Ok((None, counted.boxed()))
    }

    /// Bytes of a file, if they are known by now.
    async fn known_bytes(&self, number: usize) -> PortResult<Option<u64>> {
        if let Some(bytes) = self.bytes(number) {
            return Ok(Some(bytes));
        }
        let objects = &self.ports.objects;
        if let Some(kept) = objects.head(&self.kept(number)).await? {
            return Ok(Some(kept.length));
        }
        let key = self.noted(number);
        let Some(noted) = objects.head(&key).await? else { return Ok(None) };
        let text = objects.get(&key, 0..noted.length.min(NOTED_BYTES), &noted.etag).await?;
        Ok(std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()))
    }

    /// The object that tells the length of a file which was read and not kept.
    fn noted(&self, number: usize) -> String {
        self.kept(number) + "-bytes"
    }

    /// The object in which a file is kept whose length is only known when it is written.
    fn kept(&self, number: usize) -> String {
        format!("exports/{}/{}/file-{number}", self.operation.id, self.operation.generation)
    }

    /// Bytes of all files; none as long as one is not written whose length is only known then.
    async fn all_bytes(&self) -> PortResult<Option<u64>> {
        let mut sum = 0;
        for number in 0..self.count() {
            let Some(bytes) = self.known_bytes(number).await? else { return Ok(None) };
            sum += bytes;
        }
        Ok(Some(sum))
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
        let parts = Arc::clone(&self.parts);
        stream::iter(file.pieces.clone().into_iter().map(Ok))
            .and_then(move |piece| {
                let (objects, data_key, parts) = (objects.clone(), data_key.clone(), Arc::clone(&parts));
                async move {
                    match piece {
                        Piece::Own(bytes) => Ok(stream::iter([Ok(Bytes::from(bytes))]).boxed()),
                        Piece::Part(part, range) => parts[part].read(&*objects, data_key, range).await,
                    }
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

/// The bytes of the files of an export that has succeeded. Those of a brotli file are known once it was
/// written, and none until then.
///
/// # Errors
/// When a service fails.
pub async fn file_bytes(
    ports: &Ports,
    operation: &Operation,
    export: &ExportSpec,
) -> PortResult<Option<u64>> {
    Files::laid_out(ports, operation, export).await?.all_bytes().await
}

/// The names of the files of an export that has succeeded and makes several, where the user gives none, and
/// what each of them holds, where they differ in it.
///
/// # Errors
/// When a service fails.
pub async fn file_names(
    ports: &Ports,
    operation: &Operation,
    export: &ExportSpec,
) -> PortResult<(Vec<String>, Vec<String>)> {
    let files = Files::laid_out(ports, operation, export).await?;
    if !files.has_manifest() {
        return Ok((Vec::new(), Vec::new()));
    }
    let numbers = 0..files.count();
    let names = numbers.clone().map(|number| files.name(number, None)).collect();
    Ok((names, numbers.filter_map(|number| files.type_in_manifest(number)).collect()))
}

/// The encoder with which the parts of a table were written.
fn encoder(export: &ExportSpec, table: u32, has_extra: bool) -> PortResult<Encoder> {
    let (data_type, shape) = export.written(table, has_extra)?;
    Ok(Encoder::new(export.format, &data_type, shape))
}

/// Whether the export's planner met fields outside the schema in a table. The workers went by the same facts.
async fn has_extra(ports: &Ports, operation: &Operation, table: u32) -> PortResult<bool> {
    let facts = ports.store.facts(operation.id, table).await?;
    Ok(matches!(facts, Some(Facts::Table(table)) if table.has_extra))
}

fn internal(message: String) -> PortError {
    PortError::new(ErrorKind::Internal, "carrack", message)
}
