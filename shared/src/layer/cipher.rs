//! AES-256-GCM with nonces of 96 bits and tags of 128: the one door to the cipher. It works in place, and
//! what does not authenticate is never decrypted.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};

use super::secret::redacted;

/// Bytes of a key.
pub const KEY: usize = 32;
/// Bytes of a nonce. The same one twice under one key gives both texts away, and the power to forge.
pub const NONCE: usize = 12;
/// Bytes of the tag behind what is sealed.
pub const TAG: usize = 16;

/// The cipher under one key; the key schedule is wiped when it goes.
pub struct Cipher(Aes256Gcm);

redacted!(Cipher);

/// What was found is not what was sealed under this key, nonce and context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAuthentic;

impl Cipher {
    /// The cipher under `key`.
    pub fn new(key: &[u8; KEY]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    /// Encrypts `bytes` where they stand; the tag that is answered authenticates them and the `context`.
    pub fn seal(&self, nonce: &[u8; NONCE], context: &[u8], bytes: &mut [u8]) -> [u8; TAG] {
        match self.0.encrypt_inout_detached(nonce.into(), context, bytes.into()) {
            Ok(tag) => tag.into(),
            Err(_) => unreachable!("AES-GCM takes 64 GiB, expected less than {}", bytes.len()),
        }
    }

    /// Decrypts `bytes` where they stand, after they have been authenticated; else they stay as they are.
    pub fn open(
        &self,
        nonce: &[u8; NONCE],
        context: &[u8],
        bytes: &mut [u8],
        tag: &[u8; TAG],
    ) -> Result<(), NotAuthentic> {
        self.0
            .decrypt_inout_detached(nonce.into(), context, bytes.into(), tag.into())
            .map_err(|_| NotAuthentic)
    }
}
