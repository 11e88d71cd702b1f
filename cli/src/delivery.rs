//! Where an export's content goes: a file, several files beside a manifest, or standard output.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use carrack_coordinator::join::name;
use carrack_shared::operation::OperationId;
use futures_util::TryStreamExt as _;
use tokio::io::AsyncWriteExt as _;

use crate::access::{Access, ByteStream, Download};
use crate::exit::Usage;
use crate::output::{self, Output};
use crate::place::{Fence, Place};
use crate::{console, leftovers};

/// Stands for standard output.
const STANDARD_OUTPUT: &str = "-";

/// Bytes of a header of an archive, and to which its content is filled up.
const BLOCK: usize = 512;

/// Bytes of the name of a file, at most.
const NAME_BYTES: u64 = 4096;

/// Where to.
#[derive(Debug, Clone)]
pub enum Target {
    /// Standard output, which takes one file, or an archive of several.
    StandardOutput,
    /// A file. Where the export has several they stand beside it, each with a name made of its own.
    File(Place, Fence),
    /// A folder that is there, for the files of an export that has several.
    Folder(PathBuf, Fence),
}

/// What was written.
#[derive(Debug, Default)]
pub struct Delivered {
    /// The file to begin with.
    pub first: PathBuf,
    /// Bytes of the records' files; none where they were not told apart.
    pub bytes: Option<u64>,
}

impl Target {
    /// The target that the user has named with `-o`, for an export of one file or of `several`, where that is
    /// known already.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn settle(named: &Path, several: Option<bool>, fence: &Fence) -> Result<Self, Usage> {
        if named.as_os_str() == STANDARD_OUTPUT {
            return Ok(Self::StandardOutput);
        }
        let fence = fence.clone();
        if several != Some(false) && named.is_dir() {
            // The last file to be written shows whether any can be.
            Place::settle("-o", &named.join(name::MANIFEST), &fence)?;
            return Ok(Self::Folder(named.to_path_buf(), fence));
        }
        match several {
            Some(true) if named.as_os_str().as_encoded_bytes().ends_with(b"/") => Err(Usage(format!(
                "-o: {}: found no such folder, expected one that is there",
                named.display()
            ))),
            Some(true) => {
                Place::settle("-o", &beside(named, &name::manifest(&file_name(named)?)), &fence)?;
                Ok(Self::File(Place::named_by_us(named.to_path_buf()), fence))
            }
            _ => Ok(Self::File(Place::settle("-o", named, &fence)?, fence)),
        }
    }

    /// As the user says it.
    pub fn named(&self) -> &Path {
        match self {
            Self::StandardOutput => Path::new(STANDARD_OUTPUT),
            Self::File(place, _) => place.named(),
            Self::Folder(folder, _) => folder,
        }
    }

    /// Whether standard output is taken, so that reports have to go elsewhere.
    pub fn is_standard_output(&self) -> bool {
        matches!(self, Self::StandardOutput)
    }

    /// Writes the export.
    pub async fn deliver(&self, access: &Access, id: OperationId) -> anyhow::Result<Delivered> {
        match self {
            Self::StandardOutput => {
                let Download { content, several } = access.download(id, None).await?;
                let bytes = to_standard_output(content).await?;
                Ok(Delivered { first: STANDARD_OUTPUT.into(), bytes: bytes.filter(|_| !several) })
            }
            Self::File(place, fence) => {
                let name = file_name(place.named())?;
                let Download { content, several } = access.download(id, Some(&name)).await?;
                if several {
                    let (delivered, written) = unpack(content, place.named(), fence).await?;
                    if let Some(left) = leftovers::beside(place.named(), &written) {
                        console::note(&left);
                    }
                    return Ok(delivered);
                }
                let bytes = output::fill(Output::create(place).await?, content).await?;
                Ok(Delivered { first: place.named().to_path_buf(), bytes: Some(bytes) })
            }
            Self::Folder(folder, fence) => {
                let Download { content, several } = access.download(id, None).await?;
                if !several {
                    let shown = folder.display();
                    return Err(Usage(format!(
                        "-o: {shown}: found a directory, expected the name of a file"
                    ))
                    .into());
                }
                let (delivered, _) = unpack(content, &folder.join(name::MANIFEST), fence).await?;
                Ok(delivered)
            }
        }
    }
}

/// A reader that has gone away, such as `head`, wants no more of it.
pub async fn to_standard_output(mut content: ByteStream) -> anyhow::Result<Option<u64>> {
    let mut out = tokio::io::stdout();
    let mut written = 0;
    while let Some(bytes) = content.try_next().await? {
        match out.write_all(&bytes).await {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(None),
            done => done.context("standard output")?,
        }
        written += bytes.len() as u64;
    }
    match out.flush().await {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(None),
        done => done.context("standard output").map(|()| Some(written)),
    }
}

fn file_name(path: &Path) -> Result<String, Usage> {
    let name = path.file_name().and_then(|name| name.to_str()).map(ToOwned::to_owned);
    name.ok_or_else(|| Usage(format!("-o: {}: expected the name of a file, in UTF-8", path.display())))
}

fn beside(path: &Path, name: &str) -> PathBuf {
    path.with_file_name(name)
}

/// Writes the files of an archive beside `named`; answers their names too. The manifest comes last: where it is,
/// all are.
async fn unpack(
    content: ByteStream,
    named: &Path,
    fence: &Fence,
) -> anyhow::Result<(Delivered, HashSet<String>)> {
    let mut archive = Archive { content, held: bytes::Bytes::new() };
    let (mut delivered, mut before, mut written) = (Delivered::default(), 0, HashSet::new());
    while let Some((name, length)) = archive.entry().await? {
        if name.contains(['/', '\\']) || name.starts_with('.') {
            bail!("found the file name {name:?} in the answer, expected one without folders");
        }
        let path = beside(named, &name);
        let place = Place::settle("-o", &path, fence)?;
        let mut output = Output::create(&place).await?;
        let mut left = length;
        while left > 0 {
            let piece = archive.take(left).await?;
            left -= piece.len() as u64;
            output.write(&piece).await?;
        }
        output.finish().await?;
        archive.skip_padding(length).await?;
        delivered = Delivered { first: path, bytes: Some(before) };
        before += length;
        written.insert(name);
    }
    Ok((delivered, written))
}

/// A tar archive as it comes.
struct Archive {
    content: ByteStream,
    held: bytes::Bytes,
}

impl Archive {
    /// The next file's name and length; none at the end.
    async fn entry(&mut self) -> anyhow::Result<Option<(String, u64)>> {
        let Some((header, length)) = self.header().await? else { return Ok(None) };
        if !header.entry_type().is_gnu_longname() {
            return Ok(Some((text(header.path_bytes().into_owned())?, length)));
        }
        // The name is too long for the header, and stands before it.
        if length > NAME_BYTES {
            bail!("found the name of a file of {length} bytes, expected at most {NAME_BYTES}");
        }
        let mut name = self.exactly(length).await?;
        self.skip_padding(length).await?;
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
        let Some((_, length)) = self.header().await? else {
            bail!("the answer ends behind the name of a file")
        };
        Ok(Some((text(name)?, length)))
    }

    /// The next header, and the length that it says; none at the end.
    async fn header(&mut self) -> anyhow::Result<Option<(tar::Header, u64)>> {
        let block = self.exactly(BLOCK as u64).await?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = tar::Header::from_byte_slice(&block);
        let sum: u32 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| match at {
                // The sum is made with blanks in its own place.
                148..156 => 0x20,
                _ => u32::from(*byte),
            })
            .sum();
        if header.cksum().ok() != Some(sum) {
            bail!("the answer is no archive of files, or a damaged one");
        }
        Ok(Some((header.clone(), header.size().context("the length of a file")?)))
    }

    /// So many bytes, which are few.
    async fn exactly(&mut self, bytes: u64) -> anyhow::Result<Vec<u8>> {
        let mut taken = Vec::new();
        while (taken.len() as u64) < bytes {
            taken.extend_from_slice(&self.take(bytes - taken.len() as u64).await?);
        }
        Ok(taken)
    }

    /// The next bytes, at least one and at most so many.
    async fn take(&mut self, at_most: u64) -> anyhow::Result<bytes::Bytes> {
        while self.held.is_empty() {
            let Some(piece) = self.content.try_next().await? else {
                bail!("the answer ends inside the archive");
            };
            self.held = piece;
        }
        let taken = usize::try_from(at_most).unwrap_or(usize::MAX).min(self.held.len());
        Ok(self.held.split_to(taken))
    }

    /// Skips what an entry of this length is filled up with.
    async fn skip_padding(&mut self, length: u64) -> anyhow::Result<()> {
        self.exactly(length.next_multiple_of(BLOCK as u64) - length).await.map(drop)
    }
}

fn text(name: Vec<u8>) -> anyhow::Result<String> {
    String::from_utf8(name).context("the name of a file")
}
