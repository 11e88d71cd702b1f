//! What stands before a sealed part: how the user's key opens it, and which part of which file it is.
//!
//! | offset | bytes | holds |
//! |---|---|---|
//! | 0 | 8 | `8f` and `CARRACK`; no text of ours begins with that byte |
//! | 8 | 1 | version, 1 |
//! | 9 | 1 | kind of key: 1 raw, 2 passphrase |
//! | 10 | 1 | Argon2id: passes; 0 for a raw key, as the next two |
//! | 11 | 1 | Argon2id: lanes |
//! | 12 | 4 | Argon2id: memory in KiB |
//! | 16 | 16 | salt of the derivation |
//! | 32 | 16 | file id |
//! | 48 | 4 | number of the part, from 1 |
//! | 52 | 4 | count of the parts |
//! | 56 | 12 | nonce of the wrapping |
//! | 68 | 48 | the data key, wrapped by AES-256-GCM; bytes 0 to 68 are authenticated with it |
//!
//! Numbers are big-endian. The length never changes, so a file gets a new key by writing its first 116 bytes
//! anew. Nothing in it is trusted before the data key is unwrapped, but for the cost of the derivation, which
//! has limits.

use super::cipher::NONCE;
use super::secret::{DataKey, UserKey};
use super::wrapping::{Cost, KdfParameters, Method, SALT, WRAPPED, WrappingKey, derive, wrong_key};
use crate::fault::{Fault, Stage};

const MAGIC: [u8; 8] = *b"\x8fCARRACK";
const VERSION: u8 = 1;
const RAW: u8 = 1;
const PASSPHRASE: u8 = 2;

/// Bytes before the wrapped key, which are authenticated with it.
const AUTHENTICATED: usize = 68;

/// Which part of which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Part {
    file: [u8; 16],
    number: u32,
    count: u32,
}

/// The header of one sealed part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    parameters: KdfParameters,
    part: Part,
    nonce: [u8; NONCE],
    wrapped: [u8; WRAPPED],
}

impl Part {
    /// A file that is not split.
    pub fn whole(file: [u8; 16]) -> Self {
        Self { file, number: 1, count: 1 }
    }

    /// Part `number` of `count`.
    ///
    /// # Errors
    /// `seal.header` unless `1 <= number <= count`.
    pub fn new(file: [u8; 16], number: u32, count: u32) -> Result<Self, Fault> {
        if number == 0 || number > count {
            return Err(header(format!("found part {number} of {count}, expected one from 1 to {count}")));
        }
        Ok(Self { file, number, count })
    }

    /// The random id of the file.
    pub fn file(&self) -> [u8; 16] {
        self.file
    }

    /// Its number, from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// What the sealed content is bound to: the content of one part opens as no other part.
    pub fn context(&self) -> [u8; 30] {
        let mut context = [0; 30];
        context[..10].copy_from_slice(b"carrack/v1");
        context[10..26].copy_from_slice(&self.file);
        context[26..].copy_from_slice(&self.number.to_be_bytes());
        context
    }
}

impl Envelope {
    /// Bytes of an envelope.
    pub const LENGTH: usize = AUTHENTICATED + WRAPPED;

    /// Whether a file that begins so is sealed. Eight bytes tell.
    pub fn recognises(head: &[u8]) -> bool {
        head.starts_with(&MAGIC)
    }

    /// The header of `part`, whose content is sealed under `data_key`. The nonce must be random.
    pub fn seal(data_key: &DataKey, key: &WrappingKey, part: Part, nonce: [u8; NONCE]) -> Self {
        let mut envelope = Self { parameters: key.parameters(), part, nonce, wrapped: [0; WRAPPED] };
        envelope.wrapped = key.wrap(&nonce, &envelope.authenticated(), data_key);
        envelope
    }

    /// The data key, by a key that was derived with [`Envelope::parameters`].
    ///
    /// # Errors
    /// `seal.wrong_key`
    pub fn open_with(&self, key: &WrappingKey) -> Result<DataKey, Fault> {
        key.unwrap(&self.nonce, &self.authenticated(), &self.wrapped).ok_or_else(|| {
            wrong_key(
                "the key does not open it, expected the one with which it was sealed, and its header unaltered",
            )
        })
    }

    /// The data key, by the user's key. With a passphrase it costs a derivation: of many parts, derive once
    /// for each [`Envelope::parameters`] and use [`Envelope::open_with`].
    ///
    /// # Errors
    /// `seal.wrong_key`
    pub fn open(&self, key: &UserKey) -> Result<DataKey, Fault> {
        self.open_with(&derive(key, &self.parameters)?)
    }

    /// The same part and data key under another key; the content stays as it is. The nonce must be random.
    ///
    /// # Errors
    /// `seal.wrong_key` if `old` does not open it.
    pub fn rewrap(&self, old: &WrappingKey, new: &WrappingKey, nonce: [u8; NONCE]) -> Result<Self, Fault> {
        Ok(Self::seal(&self.open_with(old)?, new, self.part, nonce))
    }

    /// How the user's key becomes the one that opens it.
    pub fn parameters(&self) -> KdfParameters {
        self.parameters
    }

    /// Which part it says it is: true once the data key is out.
    pub fn part(&self) -> Part {
        self.part
    }

    /// Its bytes.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..AUTHENTICATED].copy_from_slice(&self.authenticated());
        bytes[AUTHENTICATED..].copy_from_slice(&self.wrapped);
        bytes
    }

    fn authenticated(&self) -> [u8; AUTHENTICATED] {
        let (kind, cost) = match self.parameters.method {
            Method::Raw => (RAW, Cost { memory_kib: 0, passes: 0, lanes: 0 }),
            Method::Passphrase(cost) => (PASSPHRASE, cost),
        };
        let mut bytes = [0; AUTHENTICATED];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&[VERSION, kind, cost.passes, cost.lanes]);
        bytes[12..16].copy_from_slice(&cost.memory_kib.to_be_bytes());
        bytes[16..32].copy_from_slice(&self.parameters.salt);
        bytes[32..48].copy_from_slice(&self.part.file);
        bytes[48..52].copy_from_slice(&self.part.number.to_be_bytes());
        bytes[52..56].copy_from_slice(&self.part.count.to_be_bytes());
        bytes[56..].copy_from_slice(&self.nonce);
        bytes
    }

    /// Reads the envelope at the beginning of `bytes`; what follows it does not matter.
    ///
    /// # Errors
    /// `seal.header` where it is none that we know, or asks for more than the limits allow; `seal.truncated`
    /// where it ends too early.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let known = bytes.len().min(MAGIC.len());
        if bytes[..known] != MAGIC[..known] {
            return Err(header("found another beginning, expected that of a sealed file".to_owned()));
        }
        let mut reader = Reader { rest: bytes, length: bytes.len() };
        reader.take::<8>()?;
        let [version] = reader.take()?;
        if version != VERSION {
            return Err(header(format!("found version {version} of the header, expected {VERSION}")));
        }
        let [kind, passes, lanes] = reader.take()?;
        let method = method(kind, Cost { memory_kib: reader.number()?, passes, lanes })?;
        let parameters = KdfParameters { salt: reader.take::<SALT>()?, method };
        let part = Part::new(reader.take()?, reader.number()?, reader.number()?)?;
        Ok(Self { parameters, part, nonce: reader.take()?, wrapped: reader.take()? })
    }
}

fn method(kind: u8, cost: Cost) -> Result<Method, Fault> {
    match kind {
        RAW if cost == (Cost { memory_kib: 0, passes: 0, lanes: 0 }) => Ok(Method::Raw),
        RAW => Err(header("found the cost of a passphrase with a raw key, expected none".to_owned())),
        PASSPHRASE => cost.check().map(|()| Method::Passphrase(cost)),
        _ => Err(header(format!("found the kind of key {kind}, expected {RAW} or {PASSPHRASE}"))),
    }
}

fn header(message: String) -> Fault {
    Fault::new(Stage::Open, "seal.header", message)
}

/// Takes one field after another.
struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let Some((field, rest)) = self.rest.split_first_chunk() else {
            let (length, expected) = (self.length, Envelope::LENGTH);
            let message =
                format!("found the end of the file at byte {length}, expected a header of {expected}");
            return Err(Fault::new(Stage::Open, "seal.truncated", message));
        };
        self.rest = rest;
        Ok(*field)
    }

    fn number(&mut self) -> Result<u32, Fault> {
        self.take().map(u32::from_be_bytes)
    }
}
