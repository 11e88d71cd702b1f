//! Keys: the data key of a file, the user's key that opens it, and the deployment's own that hides it from
//! whoever reads the database.
//!
//! None of them prints, compares, or can be written into a document; all are wiped when they go.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hkdf::Hkdf;
use hkdf::hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};
use zeroize::{Zeroize, Zeroizing};

use super::cipher::{KEY, NONCE};
use super::wrapping::{self, WRAPPED};
use crate::fault::{Fault, Stage};
use crate::limits;

/// Shows `[redacted]` in place of a secret.
macro_rules! redacted {
    ($($name:ty),+) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("[redacted]")
            }
        })+
    };
}
pub(super) use redacted;

/// The random key under which the parts of one file are sealed. All other keys only wrap it.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; KEY]>);

/// What the user gives: 32 bytes, or a passphrase.
pub struct UserKey(pub(super) UserSecret);

/// The two forms of a [`UserKey`].
pub(super) enum UserSecret {
    /// Used as the key.
    Raw(Zeroizing<[u8; KEY]>),
    /// Made into a key by Argon2id.
    Passphrase(Zeroizing<String>),
}

/// The deployment's own key. It wraps data keys, so that they can be stored.
pub struct MasterKey(Zeroizing<[u8; KEY]>);

redacted!(DataKey, UserKey, MasterKey);

/// Why a text is no key. The text is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is nothing.
    #[error("found an empty key, expected 32 bytes in hex or base64, or a passphrase")]
    Empty,
    /// It is longer than [`limits::KEY_TEXT_BYTES`].
    #[error("found a key of {0} bytes, expected at most {most}", most = limits::KEY_TEXT_BYTES)]
    TooLong(usize),
    /// A passphrase, where only a key will do.
    #[error("found neither 64 hex digits nor base64 of 32 bytes, expected one of them")]
    NotRaw,
}

impl DataKey {
    /// The key of these bytes, which must come from a source of randomness made for keys.
    pub fn new(mut bytes: [u8; KEY]) -> Self {
        let key = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        key
    }

    pub(super) fn bytes(&self) -> &[u8; KEY] {
        &self.0
    }

    /// The authentication code of `bytes`: HMAC-SHA-256 under a key of its own for each `domain`, such as
    /// `manifest`, so that a code of one kind of document is none of another.
    pub fn mac(&self, domain: &str, bytes: &[u8]) -> [u8; 32] {
        self.keyed(domain, bytes).finalize().into_bytes().into()
    }

    /// Whether `mac` is the code of `bytes`; takes as long whatever the answer is.
    pub fn verifies(&self, domain: &str, bytes: &[u8], mac: &[u8; 32]) -> bool {
        self.keyed(domain, bytes).verify_slice(mac).is_ok()
    }

    fn keyed(&self, domain: &str, bytes: &[u8]) -> Hmac<Sha256> {
        let mut key = Zeroizing::new([0; KEY]);
        self.expand(&[b"carrack/v1 mac\0", domain.as_bytes()], &mut *key);
        let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(&*key) else {
            unreachable!("HMAC takes keys of any length");
        };
        hmac.update(bytes);
        hmac
    }

    /// The salt with which the content named by `context` is sealed: always the same one, so that a part
    /// that is written again, by a worker that took over from a dead one, has the same bytes.
    ///
    /// That is safe while `context` names one content for ever: the same salt and content give the same
    /// sealed bytes, which say nothing new. It is not where another content is ever sealed under the same
    /// data key and context, such as an export that was begun anew under another snapshot, or a newer
    /// encoder: then nonces repeat, which gives both texts away and the power to forge. Where content may
    /// differ, take another data key, or name the attempt or the content's hash in `context`.
    pub fn file_salt(&self, context: &[u8]) -> [u8; 24] {
        let mut salt = [0; 24];
        self.expand(&[b"carrack/v1 salt\0", context], &mut salt);
        salt
    }

    /// HKDF-Expand with SHA-512 (RFC 5869, section 2.3), under the data key; `info` is given in pieces.
    pub(super) fn expand(&self, info: &[&[u8]], out: &mut [u8]) {
        // HMAC pads its key with zeros up to 128 bytes, so those behind the key change nothing. The library
        // takes no key that is shorter than a hash.
        let mut padded = Zeroizing::new([0; 64]);
        padded[..KEY].copy_from_slice(self.bytes());
        let Ok(expander) = Hkdf::<Sha512>::from_prk(&*padded) else {
            unreachable!("64 bytes are as long as a hash");
        };
        let Ok(()) = expander.expand_multi_info(info, out) else {
            unreachable!("HKDF gives 16,320 bytes, expected less than {}", out.len());
        };
    }
}

impl UserKey {
    /// The key that `text` holds: exactly 64 hex digits, or base64 (of either alphabet, padded or not) of
    /// exactly 32 bytes, are the key; everything else is a passphrase. One line end at the end is not part
    /// of it, for files have one.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = line(text)?;
        Ok(Self(match raw(text) {
            Some(key) => UserSecret::Raw(key),
            None => UserSecret::Passphrase(Zeroizing::new(text.to_owned())),
        }))
    }

    /// Whether it is a passphrase, which costs time and memory to make a key of.
    pub fn is_passphrase(&self) -> bool {
        matches!(self.0, UserSecret::Passphrase(_))
    }
}

impl MasterKey {
    /// The key that `text` holds, in hex or base64 as for [`UserKey::parse`]. A passphrase is refused: the
    /// master key is not stretched, so it must not be guessable.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        raw(line(text)?).map(Self).ok_or(KeyError::NotRaw)
    }

    /// The data key, wrapped so that it may be stored: the nonce, the key, the tag. Only the same `context`
    /// (such as the operation's id) unwraps it. The nonce must be random.
    pub fn wrap(&self, data_key: &DataKey, nonce: [u8; NONCE], context: &[u8]) -> Vec<u8> {
        let mut wrapped = nonce.to_vec();
        wrapped.extend_from_slice(&wrapping::wrap(&self.0, &nonce, context, data_key));
        wrapped
    }

    /// The data key in `wrapped`.
    ///
    /// # Errors
    /// `seal.master_key`: it was wrapped under another key or for another context, or was altered.
    pub fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<DataKey, Fault> {
        let parts = wrapped.split_first_chunk::<NONCE>();
        let parts = parts.and_then(|(nonce, rest)| Some((nonce, <&[u8; WRAPPED]>::try_from(rest).ok()?)));
        parts.and_then(|(nonce, rest)| wrapping::unwrap(&self.0, nonce, context, rest)).ok_or_else(|| {
            let message =
                "the master key does not open the stored data key, expected the one that wrapped it";
            Fault::new(Stage::Open, "seal.master_key", message)
        })
    }
}

/// The text without its line end, if it can be a key at all.
fn line(text: &str) -> Result<&str, KeyError> {
    let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    match text.len() {
        0 => Err(KeyError::Empty),
        length if length > limits::KEY_TEXT_BYTES => Err(KeyError::TooLong(length)),
        _ => Ok(text),
    }
}

const EITHER_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const ALPHABETS: [GeneralPurpose; 2] = [
    GeneralPurpose::new(&alphabet::STANDARD, EITHER_PADDING),
    GeneralPurpose::new(&alphabet::URL_SAFE, EITHER_PADDING),
];

/// The 32 bytes that the text spells in hex or base64.
fn raw(text: &str) -> Option<Zeroizing<[u8; KEY]>> {
    let mut key = Zeroizing::new([0; KEY]);
    match text.len() {
        64 => {
            for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                *byte = 16 * nibble(digits[0])? + nibble(digits[1])?;
            }
            Some(key)
        }
        43 | 44 => {
            // The decoder wants room for whole groups: 33 bytes.
            let mut room = Zeroizing::new([0; 33]);
            let length =
                ALPHABETS.iter().find_map(|alphabet| alphabet.decode_slice(text, &mut *room).ok())?;
            key.copy_from_slice(room.get(..length).filter(|bytes| bytes.len() == KEY)?);
            Some(key)
        }
        _ => None,
    }
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_passphrases() {
        let bytes: [u8; KEY] = std::array::from_fn(|at| u8::try_from(at * 7 + 1).unwrap());
        let (hex, standard) = (
            "01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3da",
            "AQgPFh0kKzI5QEdOVVxjanF4f4aNlJuiqbC3vsXM09o=",
        );
        let zero = "A".repeat(43);
        for (text, expected) in [
            (hex.to_owned(), Ok(Some(bytes))),
            (hex.to_uppercase(), Ok(Some(bytes))),
            (format!("{hex}\n"), Ok(Some(bytes))),
            (format!("{hex}\r\n"), Ok(Some(bytes))),
            (standard.to_owned(), Ok(Some(bytes))),
            (standard.trim_end_matches('=').to_owned(), Ok(Some(bytes))),
            (zero.clone(), Ok(Some([0; KEY]))),
            (format!("{zero}="), Ok(Some([0; KEY]))),
            (format!("{}8", "/".repeat(42)), Ok(Some([0xff; KEY]))),
            (format!("{}8", "_".repeat(42)), Ok(Some([0xff; KEY]))),
            // The last digit has bits that belong to no byte.
            (format!("{}B", &zero[1..]), Ok(None)),
            (format!("{hex}\n\n"), Ok(None)),
            (format!(" {hex}"), Ok(None)),
            (hex[1..].to_owned(), Ok(None)),
            (format!("+{}", &hex[1..]), Ok(None)),
            (format!("{}é", &hex[2..]), Ok(None)),
            (format!("{}+/-_", &zero[4..]), Ok(None)),
            ("correct horse battery staple".to_owned(), Ok(None)),
            (" ".to_owned(), Ok(None)),
            ("é".repeat(32), Ok(None)),
            ("x".repeat(limits::KEY_TEXT_BYTES), Ok(None)),
            ("x".repeat(limits::KEY_TEXT_BYTES + 1), Err(KeyError::TooLong(limits::KEY_TEXT_BYTES + 1))),
            (String::new(), Err(KeyError::Empty)),
            ("\n".to_owned(), Err(KeyError::Empty)),
            ("\r\n".to_owned(), Err(KeyError::Empty)),
        ] {
            let found = UserKey::parse(&text).map(|key| match key.0 {
                UserSecret::Raw(key) => Some(*key),
                UserSecret::Passphrase(_) => None,
            });
            assert_eq!(found, expected, "{text:?}");
            let master = MasterKey::parse(&text).map(|key| *key.0);
            assert_eq!(master, expected.and_then(|key| key.ok_or(KeyError::NotRaw)), "{text:?}");
        }
    }

    #[test]
    fn a_master_key_opens_what_it_wrapped() {
        let [mine, other] = ["11", "22"].map(|byte| MasterKey::parse(&byte.repeat(KEY)).unwrap());
        let wrapped = mine.wrap(&DataKey::new([7; KEY]), [9; NONCE], b"operation 1");
        assert_eq!(wrapped.len(), NONCE + WRAPPED);
        assert_eq!(mine.unwrap(&wrapped, b"operation 1").unwrap().bytes(), &[7; KEY]);
        let altered = |at: usize| wrapped.iter().enumerate().map(|(i, b)| b ^ u8::from(i == at)).collect();
        for (key, wrapped, context) in [
            (&other, wrapped.clone(), "operation 1"),
            (&mine, wrapped.clone(), "operation 2"),
            (&mine, wrapped[1..].to_vec(), "operation 1"),
            (&mine, Vec::new(), "operation 1"),
            (&mine, altered(0), "operation 1"),
            (&mine, altered(NONCE), "operation 1"),
            (&mine, altered(NONCE + WRAPPED - 1), "operation 1"),
        ] {
            assert_eq!(key.unwrap(&wrapped, context.as_bytes()).unwrap_err().code, "seal.master_key");
        }
    }

    #[test]
    fn codes_and_salts_are_of_their_own_domain() {
        let (key, other) = (DataKey::new([1; KEY]), DataKey::new([2; KEY]));
        let mac = key.mac("manifest", b"x");
        assert!(key.verifies("manifest", b"x", &mac));
        assert!(!key.verifies("index", b"x", &mac));
        assert!(!key.verifies("manifest", b"y", &mac));
        assert!(!other.verifies("manifest", b"x", &mac));
        assert_eq!(key.file_salt(b"a"), key.file_salt(b"a"));
        assert_ne!(key.file_salt(b"a"), key.file_salt(b"b"));
        assert_ne!(key.file_salt(b"a"), other.file_salt(b"a"));
    }
}
