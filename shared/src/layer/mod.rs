//! What stands around the text of a source or an export, in the order in which it is put on: its encoding,
//! compression with the index of its frames, encryption, and split files.

pub mod blob;
pub mod chunks;
pub mod cipher;
mod codec;
pub mod compress;
pub mod compression;
pub mod cut;
pub mod derived;
pub mod encoding;
pub mod envelope;
pub mod index;
pub mod key_text;
mod member;
pub mod open;
pub mod packaging;
pub mod sealed;
pub mod sealing;
pub mod secret;
pub mod source;
pub mod wrapping;

use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::error::{ErrorKind, PortError};
use crate::fault::Fault;

/// Why layers could not be opened: the service that reads, or the bytes themselves.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The service that reads; its kind tells whether trying again can help.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The bytes, which will be the same the next time.
    #[error("{}: {}", .0.code, .0.message)]
    Fault(Fault),
}

impl Trouble {
    /// As a port's error, where only those can be told: a fault is a change of what was read before.
    pub fn into_port(self) -> PortError {
        match self {
            Self::Port(error) => error,
            Self::Fault(fault) => PortError::new(ErrorKind::Changed, "layer", fault.message),
        }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Bytes behind a layer, as they come.
pub type Opened = BoxStream<'static, Result<Bytes, Trouble>>;
