//! The files of an export as one stream: a tar archive (POSIX ustar, and GNU's entries for long names), the
//! manifest behind them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use carrack_shared::error::{PortError, PortResult};
use carrack_shared::port::objects::ByteStream;
use futures_util::stream::{self, try_unfold};
use futures_util::{StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};

use super::manifest::{Entry, hex};
use super::{Files, internal};

/// Bytes to which every entry is filled up.
const BLOCK: usize = 512;

/// What the archive ends with: two blocks of zeros.
const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The media type of the archive.
pub const MEDIA_TYPE: &str = "application/x-tar";

/// The archive, with files named after what the user calls the export, if that is known.
pub fn tar(files: Files, named: Option<&str>) -> ByteStream {
    let state = (Arc::new(files), named.map(ToOwned::to_owned), 0, Vec::new());
    let entries = try_unfold(state, |(files, named, number, mut told)| async move {
        if number < files.count() {
            let (entry, bytes) = file(&files, named.as_deref(), number).await?;
            told.push(entry);
            return Ok::<_, PortError>(Some((bytes, (files, named, number + 1, told))));
        }
        if number > files.count() {
            return Ok(None);
        }
        let entries = told.iter().map(|entry: &Told| lock(entry).clone());
        let text = Bytes::from(files.manifest(entries.collect()).text());
        let head = header(&files.manifest_name(named.as_deref()), text.len() as u64)?;
        let last = [head, text.clone(), padding(text.len() as u64), Bytes::from_static(&END)];
        Ok(Some((stream::iter(last.map(Ok)).boxed(), (files, named, number + 1, told))))
    });
    entries.try_flatten().boxed()
}

type Told = Arc<Mutex<Entry>>;

fn lock(told: &Told) -> MutexGuard<'_, Entry> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One file, and what the manifest will say of it once it has been read to its end.
async fn file(files: &Files, named: Option<&str>, number: usize) -> PortResult<(Told, ByteStream)> {
    let (bytes, content) = files.sized(number).await?;
    let name = files.name(number, named);
    let head = header(&name, bytes)?;
    let data_type = files.type_in_manifest(number);
    let entry = Entry { name, data_type, bytes, records: files.records(number), sha256: String::new() };
    let told = Arc::new(Mutex::new(entry));
    let telling = Arc::clone(&told);
    let hashed = try_unfold((content, Sha256::new()), move |(mut content, mut hasher)| {
        let telling = Arc::clone(&telling);
        async move {
            let Some(piece) = content.next().await.transpose()? else {
                lock(&telling).sha256 = hex(&hasher.finalize());
                return Ok(None);
            };
            hasher.update(&piece);
            Ok(Some((piece, (content, hasher))))
        }
    });
    let body = stream::iter([Ok(head)]).chain(hashed).chain(stream::iter([Ok(padding(bytes))]));
    Ok((told, body.boxed()))
}

/// What stands before the content of an entry.
fn header(name: &str, bytes: u64) -> PortResult<Bytes> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes);
    header.set_mode(0o644);
    // The content follows from elsewhere. A name that is too long for the header gets an entry of its own.
    let mut head = tar::Builder::new(Vec::new());
    let written = head.append_data(&mut header, name, std::io::empty());
    written.map_err(|error| internal(format!("{name}: {error}")))?;
    Ok(Bytes::copy_from_slice(head.get_ref()))
}

fn padding(bytes: u64) -> Bytes {
    let missing = bytes.next_multiple_of(BLOCK as u64) - bytes;
    Bytes::from_static(&END[..usize::try_from(missing).unwrap_or_default()])
}
