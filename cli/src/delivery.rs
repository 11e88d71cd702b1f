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

/// Where to.
#[derive(Debug, Clone)]
pub enum Target {
    /// Standard output, which takes one file.
    StandardOutput,
    /// A file. The parts of a split export stand beside it, with its name and their number.
    File(Place, Fence),
}

impl Target {
    /// The target that the user has named with `-o`, for an export that is to be split or not.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn settle(named: &Path, split: bool, fence: &Fence) -> Result<Self, Usage> {
        if named.as_os_str() == STANDARD_OUTPUT {
            return match split {
                true => Err(Usage("-o: found - with --split, expected the name of a file".into())),
                false => Ok(Self::StandardOutput),
            };
        }
        let fence = fence.clone();
        match split {
            false => Ok(Self::File(Place::settle("-o", named, &fence)?, fence)),
            // The last file to be written shows whether any can be.
            true => {
                Place::settle("-o", &beside(named, &name::manifest(&file_name(named)?)), &fence)?;
                Ok(Self::File(Place::named_by_us(named.to_path_buf()), fence))
            }
        }
    }

    /// As the user says it.
    pub fn named(&self) -> &Path {
        match self {
            Self::StandardOutput => Path::new(STANDARD_OUTPUT),
            Self::File(place, _) => place.named(),
        }
    }

    /// Whether standard output is taken, so that reports have to go elsewhere.
    pub fn is_standard_output(&self) -> bool {
        matches!(self, Self::StandardOutput)
    }

    /// Writes the export; answers the file to begin with.
    pub async fn deliver(&self, access: &Access, id: OperationId) -> anyhow::Result<PathBuf> {
        match self {
            Self::StandardOutput => {
                let Download { content, split } = access.download(id, None).await?;
                if split {
                    bail!("the export is split, expected -o with the name of a file");
                }
                to_standard_output(content).await?;
                Ok(STANDARD_OUTPUT.into())
            }
            Self::File(place, fence) => {
                let name = file_name(place.named())?;
                let Download { content, split } = access.download(id, Some(&name)).await?;
                if split {
                    let written = unpack(content, place.named(), fence).await?;
                    if let Some(left) = leftovers::beside(place.named(), &written) {
                        console::note(&left);
                    }
                    return Ok(beside(place.named(), &name::manifest(&name)));
                }
                output::fill(Output::create(place).await?, content).await?;
                Ok(place.named().to_path_buf())
            }
        }
    }
}

/// A reader that has gone away, such as `head`, wants no more of it.
async fn to_standard_output(mut content: ByteStream) -> anyhow::Result<()> {
    let mut out = tokio::io::stdout();
    while let Some(bytes) = content.try_next().await? {
        match out.write_all(&bytes).await {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.context("standard output")?,
        }
    }
    match out.flush().await {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output"),
    }
}

fn file_name(path: &Path) -> Result<String, Usage> {
    let name = path.file_name().and_then(|name| name.to_str()).map(ToOwned::to_owned);
    name.ok_or_else(|| Usage(format!("-o: {}: expected the name of a file, in UTF-8", path.display())))
}

fn beside(path: &Path, name: &str) -> PathBuf {
    path.with_file_name(name)
}

/// Writes the files of an archive beside `named`; answers their names. The manifest comes last: where it is, all
/// are.
async fn unpack(content: ByteStream, named: &Path, fence: &Fence) -> anyhow::Result<HashSet<String>> {
    let mut archive = Archive { content, held: bytes::Bytes::new() };
    let mut written = HashSet::new();
    while let Some((name, length)) = archive.entry().await? {
        if name.contains(['/', '\\']) || name.starts_with('.') {
            bail!("found the file name {name:?} in the answer, expected one without folders");
        }
        let place = Place::settle("-o", &beside(named, &name), fence)?;
        let mut output = Output::create(&place).await?;
        let mut left = length;
        while left > 0 {
            let piece = archive.take(left).await?;
            left -= piece.len() as u64;
            output.write(&piece).await?;
        }
        output.finish().await?;
        archive.skip(length.next_multiple_of(BLOCK as u64) - length).await?;
        written.insert(name);
    }
    Ok(written)
}

/// A tar archive as it comes.
struct Archive {
    content: ByteStream,
    held: bytes::Bytes,
}

impl Archive {
    /// The next file's name and length; none at the end.
    async fn entry(&mut self) -> anyhow::Result<Option<(String, u64)>> {
        let mut block = Vec::with_capacity(BLOCK);
        while block.len() < BLOCK {
            block.extend_from_slice(&self.take((BLOCK - block.len()) as u64).await?);
        }
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
        let name = String::from_utf8(header.path_bytes().into_owned()).context("the name of a file")?;
        Ok(Some((name, header.size().context("the length of a file")?)))
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

    async fn skip(&mut self, mut bytes: u64) -> anyhow::Result<()> {
        while bytes > 0 {
            bytes -= self.take(bytes).await?.len() as u64;
        }
        Ok(())
    }
}
