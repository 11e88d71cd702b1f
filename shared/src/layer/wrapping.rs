//! How a data key is wrapped by another key, and how that one is made of what the user gives.
//!
//! A raw key goes through HKDF-SHA-256 with the salt, a passphrase through Argon2id. The latter takes about
//! 140 ms and 64 MiB by default: derive once for all parts that have the same parameters, and not on a
//! thread that others wait for.

use argon2::{Algorithm, Argon2, Params, Version};
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::cipher::{Cipher, KEY, NONCE, TAG};
use super::secret::{DataKey, UserKey, UserSecret, redacted};
use crate::fault::{Fault, Stage};
use crate::limits;

/// Bytes of the salt.
pub const SALT: usize = 16;

/// Bytes of a wrapped data key: the key and the tag.
pub const WRAPPED: usize = KEY + TAG;

/// How a user's key becomes a [`WrappingKey`]; it stands in the header of every sealed part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KdfParameters {
    /// Random, one for all parts of an export.
    pub salt: [u8; SALT],
    /// By the kind of key.
    pub method: Method,
}

/// What is done with the user's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// 32 bytes: HKDF-SHA-256.
    Raw,
    /// A passphrase: Argon2id, version 1.3.
    Passphrase(Cost),
}

/// What Argon2id costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cost {
    /// Memory in KiB, at least 8 for each lane.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u8,
    /// Lanes in it.
    pub lanes: u8,
}

impl Cost {
    /// What Carrack takes where it seals.
    pub const DEFAULT: Self = Self {
        memory_kib: limits::PASSPHRASE_KIB,
        passes: limits::PASSPHRASE_PASSES,
        lanes: limits::PASSPHRASE_LANES,
    };

    /// Refuses what Argon2id does not take, and what would cost a reader more than the limits allow.
    ///
    /// # Errors
    /// `seal.header`
    pub fn check(self) -> Result<(), Fault> {
        let least = 8 * u32::from(self.lanes);
        for (name, found, least, most) in [
            ("lanes", u32::from(self.lanes), 1, u32::from(limits::PASSPHRASE_LANES_MAX)),
            ("passes", u32::from(self.passes), 1, u32::from(limits::PASSPHRASE_PASSES_MAX)),
            ("KiB of memory", self.memory_kib, least, limits::PASSPHRASE_KIB_MAX),
        ] {
            if !(least..=most).contains(&found) {
                let message = format!("the header asks for {found} {name}, expected {least} to {most}");
                return Err(Fault::new(Stage::Open, "seal.header", message));
            }
        }
        Ok(())
    }
}

impl KdfParameters {
    /// Those with which Carrack seals under `key`.
    pub fn new(key: &UserKey, salt: [u8; SALT]) -> Self {
        let method = if key.is_passphrase() { Method::Passphrase(Cost::DEFAULT) } else { Method::Raw };
        Self { salt, method }
    }
}

/// A key that wraps data keys, and how it was made.
pub struct WrappingKey {
    key: Zeroizing<[u8; KEY]>,
    parameters: KdfParameters,
}

redacted!(WrappingKey);

impl WrappingKey {
    /// How it was made.
    pub fn parameters(&self) -> KdfParameters {
        self.parameters
    }

    /// The key, to be wrapped itself.
    pub(super) fn as_data_key(&self) -> DataKey {
        DataKey::new(*self.key)
    }

    /// What [`WrappingKey::as_data_key`] was.
    pub(super) fn restored(key: &DataKey, parameters: KdfParameters) -> Self {
        Self { key: Zeroizing::new(*key.bytes()), parameters }
    }

    pub(super) fn wrap(&self, nonce: &[u8; NONCE], context: &[u8], data_key: &DataKey) -> [u8; WRAPPED] {
        wrap(&self.key, nonce, context, data_key)
    }

    pub(super) fn unwrap(
        &self,
        nonce: &[u8; NONCE],
        context: &[u8],
        wrapped: &[u8; WRAPPED],
    ) -> Option<DataKey> {
        unwrap(&self.key, nonce, context, wrapped)
    }
}

/// Makes the wrapping key of a user's key.
///
/// # Errors
/// `seal.wrong_key` where the parameters are for the other kind of key, `seal.header` where they are out of
/// bounds.
pub fn derive(key: &UserKey, parameters: &KdfParameters) -> Result<WrappingKey, Fault> {
    let mut derived = Zeroizing::new([0; KEY]);
    match (&key.0, parameters.method) {
        (UserSecret::Raw(key), Method::Raw) => {
            let expander = Hkdf::<Sha256>::new(Some(&parameters.salt), &**key);
            let Ok(()) = expander.expand(b"carrack/v1 wrapping key", &mut *derived) else {
                unreachable!("32 bytes are one hash");
            };
        }
        (UserSecret::Passphrase(phrase), Method::Passphrase(cost)) => {
            stretch(phrase, &parameters.salt, cost, &mut derived)?;
        }
        (UserSecret::Raw(_), Method::Passphrase(_)) => {
            return Err(wrong_key(
                "found a key of 32 bytes, expected the passphrase with which it was sealed",
            ));
        }
        (UserSecret::Passphrase(_), Method::Raw) => {
            return Err(wrong_key(
                "found a passphrase, expected the key of 32 bytes with which it was sealed",
            ));
        }
    }
    Ok(WrappingKey { key: derived, parameters: *parameters })
}

fn stretch(phrase: &str, salt: &[u8; SALT], cost: Cost, out: &mut [u8; KEY]) -> Result<(), Fault> {
    cost.check()?;
    Params::new(cost.memory_kib, cost.passes.into(), cost.lanes.into(), Some(KEY))
        .map(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
        .and_then(|argon2| argon2.hash_password_into(phrase.as_bytes(), salt, out))
        .map_err(|error| {
            let message = format!("no key could be made of the passphrase as the header asks: {error}");
            Fault::new(Stage::Open, "seal.header", message)
        })
}

pub(super) fn wrong_key(message: &str) -> Fault {
    Fault::new(Stage::Open, "seal.wrong_key", message)
}

/// The data key under `key`, bound to `context`.
pub(super) fn wrap(
    key: &[u8; KEY],
    nonce: &[u8; NONCE],
    context: &[u8],
    data_key: &DataKey,
) -> [u8; WRAPPED] {
    let mut wrapped = [0; WRAPPED];
    let (bytes, tag) = wrapped.split_at_mut(KEY);
    bytes.copy_from_slice(data_key.bytes());
    tag.copy_from_slice(&Cipher::new(key).seal(nonce, context, bytes));
    wrapped
}

/// The data key in `wrapped`; none if it was wrapped under another key or context.
pub(super) fn unwrap(
    key: &[u8; KEY],
    nonce: &[u8; NONCE],
    context: &[u8],
    wrapped: &[u8; WRAPPED],
) -> Option<DataKey> {
    let (bytes, tag) = wrapped.split_first_chunk::<KEY>()?;
    let mut bytes = Zeroizing::new(*bytes);
    Cipher::new(key).open(nonce, context, &mut *bytes, tag.try_into().ok()?).ok()?;
    Some(DataKey::new(*bytes))
}
