//! Which compressions there are, how they are named and recognised, and how hard they may work.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::limits::{BROTLI_LEVEL, GZIP_LEVEL, ZSTD_LEVEL};

/// How a file is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952: any number of members, one behind the other.
    Gzip,
    /// RFC 7932: one stream, which has neither magic bytes nor a checksum.
    Brotli,
    /// RFC 8878: any number of frames, one behind the other.
    Zstd,
}

/// The bytes with which a gzip member begins: its magic and the only method there is.
const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];
/// The bytes with which a zstd frame begins.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The last bytes of the magic of a skippable zstd frame, whose first is 0x50 to 0x5f.
const SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// Whether bytes are the first ones of a member or frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    Yes,
    No,
    /// They are too few to tell.
    Maybe,
}

impl Compression {
    /// Every compression.
    pub const ALL: [Self; 4] = [Self::None, Self::Gzip, Self::Brotli, Self::Zstd];

    /// The name that is stored and written in options.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Brotli => "brotli",
            Self::Zstd => "zstd",
        }
    }

    /// Reads back [`Compression::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.as_str() == name)
    }

    /// The name for people, in messages.
    pub fn title(self) -> &'static str {
        match self {
            Self::None => "plain text",
            Self::Gzip => "gzip",
            Self::Brotli => "brotli",
            Self::Zstd => "zstd",
        }
    }

    /// What the name of such a file ends with, behind that of its format.
    pub fn ending(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
        }
    }

    /// What the first bytes of a file say; none says nothing, for brotli has no magic bytes.
    pub fn recognised(head: &[u8]) -> Option<Self> {
        [Self::Gzip, Self::Zstd].into_iter().find(|compression| compression.begins(head) == Begins::Yes)
    }

    /// The levels that an option may ask for. Zstd's levels above 19 need more memory than a worker has for
    /// one task, also of whoever opens the file.
    pub fn level_range(self) -> RangeInclusive<i32> {
        match self {
            Self::None => 0..=0,
            Self::Gzip => 1..=9,
            Self::Brotli => 0..=11,
            Self::Zstd => 1..=19,
        }
    }

    /// The level where none is asked for.
    pub fn default_level(self) -> i32 {
        match self {
            Self::None => 0,
            Self::Gzip => GZIP_LEVEL,
            Self::Brotli => BROTLI_LEVEL,
            Self::Zstd => ZSTD_LEVEL,
        }
    }

    /// Whether a member, frame or stream begins with `head`. Brotli begins with anything.
    pub(super) fn begins(self, head: &[u8]) -> Begins {
        let with = |magic: &[u8]| match head.len() < magic.len() {
            _ if head.iter().zip(magic).any(|(found, expected)| found != expected) => Begins::No,
            true => Begins::Maybe,
            false => Begins::Yes,
        };
        match (self, head) {
            (Self::None, _) => Begins::No,
            (_, []) => Begins::Maybe,
            (Self::Gzip, _) => with(&GZIP),
            (Self::Brotli, _) => Begins::Yes,
            (Self::Zstd, [first @ 0x50..=0x5f, ..]) => {
                with(&[*first, SKIPPABLE[0], SKIPPABLE[1], SKIPPABLE[2]])
            }
            (Self::Zstd, _) => with(&ZSTD),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_heads_stay() {
        for (compression, name, ending, level) in [
            (Compression::None, "none", "", 0),
            (Compression::Gzip, "gzip", ".gz", GZIP_LEVEL),
            (Compression::Brotli, "brotli", ".br", BROTLI_LEVEL),
            (Compression::Zstd, "zstd", ".zst", ZSTD_LEVEL),
        ] {
            assert_eq!(compression.as_str(), name);
            assert_eq!(Compression::parse(name), Some(compression));
            assert_eq!(serde_json::to_string(&compression).unwrap(), format!("\"{name}\""));
            assert_eq!(compression.ending(), ending);
            assert_eq!(compression.default_level(), level);
            assert!(compression.level_range().contains(&level), "{name}");
        }
        assert_eq!(Compression::parse("GZIP"), None);
    }

    #[test]
    fn heads_are_recognised() {
        for (head, expected) in [
            (&b"\x1f\x8b\x08\x00"[..], Some(Compression::Gzip)),
            (b"\x1f\x8b\x08", Some(Compression::Gzip)),
            (b"\x1f\x8b", None),
            (b"\x1f\x8b\x07", None),
            (b"\x28\xb5\x2f\xfd\x04", Some(Compression::Zstd)),
            (b"\x28\xb5\x2f", None),
            (b"\x50\x2a\x4d\x18", Some(Compression::Zstd)),
            (b"\x5f\x2a\x4d\x18", Some(Compression::Zstd)),
            (b"\x60\x2a\x4d\x18", None),
            (b"\x4f\x2a\x4d\x18", None),
            (b"[{}]", None),
            (b"", None),
        ] {
            assert_eq!(Compression::recognised(head), expected, "{head:02x?}");
        }
    }
}
