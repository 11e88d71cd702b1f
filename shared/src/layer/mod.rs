//! The layers around the text of a file, in the order in which they are put on: compression, encryption,
//! split files.

pub mod chunks;
pub mod cipher;
pub mod envelope;
pub mod sealed;
pub mod secret;
pub mod wrapping;
