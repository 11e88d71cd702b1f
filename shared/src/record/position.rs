//! Where does a record stand in the input of its operation?

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a record stands in an operation's input: source number, then record number. Ordered as a
/// sequential run would meet the records.
///
/// Stored as one integer: 23 bits of source, 40 bits of record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(i64);

impl Position {
    const RECORD_BITS: u32 = 40;

    /// The record `record` (from 1) of the source `source` (from 0).
    pub fn new(source: u32, record: u64) -> Self {
        debug_assert!(record < 1 << Self::RECORD_BITS && u64::from(source) < 1 << 23);
        Self((i64::from(source) << Self::RECORD_BITS) | (record as i64))
    }

    /// Reads back [`Position::stored`].
    pub fn from_stored(value: i64) -> Self {
        Self(value)
    }

    /// The integer that databases store.
    pub fn stored(self) -> i64 {
        self.0
    }

    /// Number of the source, from 0.
    pub fn source(self) -> u32 {
        u32::try_from(self.0 >> Self::RECORD_BITS).unwrap_or_default()
    }

    /// Number of the record in its source, from 1.
    pub fn record(self) -> u64 {
        u64::try_from(self.0 & ((1 << Self::RECORD_BITS) - 1)).unwrap_or_default()
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source(), self.record())
    }
}
