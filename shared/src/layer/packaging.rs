//! What an export puts around its text: compression in frames, encryption, and split files.

use serde::{Deserialize, Serialize};

use super::blob::Blob;
use super::compression::Compression;
use super::secret::{DataKey, MasterKey};
use super::wrapping::{KdfParameters, WrappingKey};
use crate::error::{ErrorKind, PortError, PortResult};
use crate::fault::Fault;
use crate::limits::{FRAME_BYTES, FRAME_RECORDS};

/// How the files of an export are packed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Packaging {
    /// How they are compressed.
    pub compression: Compression,
    /// At which level, where it is not the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<i32>,
    /// Bytes of one file, at most, where the export is split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_bytes: Option<u64>,
    /// How they are encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal: Option<OutputSeal>,
}

/// The keys of files to be sealed, wrapped by the deployment's own key. The key that the user gave is not
/// among them: `wrapping_key` was made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputSeal {
    /// The id of the file, which all its parts share.
    pub file: Blob,
    /// Under which the content is sealed.
    pub data_key: Blob,
    /// Under which the envelopes hold the data key.
    pub wrapping_key: Blob,
    /// How that was made of the user's key.
    pub parameters: KdfParameters,
}

/// The keys of an [`OutputSeal`].
pub struct OutputKeys {
    /// See [`OutputSeal::file`].
    pub file: [u8; 16],
    /// See [`OutputSeal::data_key`].
    pub data_key: DataKey,
    /// See [`OutputSeal::wrapping_key`].
    pub wrapping_key: WrappingKey,
}

/// What a key that is missing is told to come from.
pub const ENCRYPTION: &str = "encryption";

/// What the data key of an export is bound to when it is stored.
const DATA_KEY: &[u8] = b"carrack/v1/export";

/// What the wrapping key is.
const WRAPPING_KEY: &[u8] = b"carrack/v1/export/wrapping";

impl Packaging {
    /// Whether there is none.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// How workers compress the frames of their parts. A brotli file is one stream, so it is compressed when
    /// the parts are joined.
    pub fn frames(&self) -> Compression {
        match self.compression {
            Compression::Brotli => Compression::None,
            compression => compression,
        }
    }

    /// The level of compression.
    pub fn level(&self) -> i32 {
        self.level.unwrap_or_else(|| self.compression.default_level())
    }

    /// Text bytes and records of a frame; none where a part is one frame, however large.
    pub fn frame_limits(&self) -> Option<(u64, u32)> {
        match self.split_bytes {
            // Several frames, so that files come near to their size.
            Some(bytes) => Some((FRAME_BYTES.min(bytes / 8), FRAME_RECORDS)),
            None => (self.frames() != Compression::None).then_some((FRAME_BYTES, FRAME_RECORDS)),
        }
    }
}

impl OutputSeal {
    /// Keeps the keys. The nonces must be random.
    pub fn keep(keys: &OutputKeys, master: &MasterKey, nonces: [[u8; 12]; 2]) -> Self {
        Self {
            file: Blob::new(keys.file),
            data_key: Blob::new(master.wrap(&keys.data_key, nonces[0], DATA_KEY)),
            wrapping_key: Blob::new(master.wrap(&keys.wrapping_key.as_data_key(), nonces[1], WRAPPING_KEY)),
            parameters: keys.wrapping_key.parameters(),
        }
    }

    /// The keys.
    ///
    /// # Errors
    /// `Denied` when the deployment's key is not the one that has wrapped them.
    pub fn open(&self, master: Option<&MasterKey>) -> PortResult<OutputKeys> {
        let denied = |what: String| PortError::new(ErrorKind::Denied, ENCRYPTION, what);
        let missing =
            || denied("the export is sealed, and this process has no master key (CARRACK_MASTER_KEY)".into());
        let master = master.ok_or_else(missing)?;
        let open = || -> Result<OutputKeys, Fault> {
            let wrapping_key = master.unwrap(&self.wrapping_key, WRAPPING_KEY)?;
            Ok(OutputKeys {
                file: self.file.as_slice().try_into().unwrap_or_default(),
                data_key: master.unwrap(&self.data_key, DATA_KEY)?,
                wrapping_key: WrappingKey::restored(&wrapping_key, self.parameters),
            })
        };
        open().map_err(|fault| denied(fault.message))
    }
}
