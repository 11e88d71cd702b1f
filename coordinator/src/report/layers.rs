//! What the files of an operation are wrapped in. Keys are no part of it.

use carrack_shared::format::Format;
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::encoding::Encoding;
use carrack_shared::layer::packaging::Packaging;
use carrack_shared::layer::source::Layers;
use serde::Serialize;

/// A file of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceShown {
    /// What the user calls it.
    pub name: String,
    /// What it holds, inside everything else.
    pub format: Format,
    /// What is around it.
    #[serde(flatten)]
    pub layers: LayersShown,
}

/// Layers; those that are not there are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayersShown {
    /// Where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// How it is compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// The level that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression_level: Option<i32>,
    /// Whether it is encrypted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
    /// Bytes of one file, at most, where it is split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_size_bytes: Option<u64>,
}

impl LayersShown {
    /// Those of a source.
    pub fn of_source(layers: &Layers) -> Self {
        Self {
            encoding: (layers.encoding != Encoding::Utf8).then_some(layers.encoding),
            compression: compressed(layers.compression),
            encrypted: layers.seal.is_some(),
            ..Self::default()
        }
    }

    /// Those of an export.
    pub fn of_export(packaging: &Packaging) -> Self {
        Self {
            compression: compressed(packaging.compression),
            compression_level: packaging.level,
            encrypted: packaging.seal.is_some(),
            max_size_bytes: packaging.split_bytes,
            ..Self::default()
        }
    }
}

fn compressed(compression: Compression) -> Option<Compression> {
    (compression != Compression::None).then_some(compression)
}

#[cfg(test)]
mod tests {
    use super::*;
    use carrack_shared::layer::blob::Blob;
    use carrack_shared::layer::source::Seal;

    #[test]
    fn what_is_there_is_shown_and_no_key_is() {
        let blob = || Blob::new([7; 4]);
        let seal = Seal { context: blob(), head: blob(), key: blob() };
        let source = |encoding, compression, seal| {
            serde_json::to_string(&LayersShown::of_source(&Layers { encoding, compression, seal })).unwrap()
        };
        let export = |packaging| serde_json::to_string(&LayersShown::of_export(&packaging)).unwrap();
        let split = Packaging { split_bytes: Some(4096), ..Packaging::default() };
        let small = Packaging { compression: Compression::Zstd, level: Some(19), ..Packaging::default() };
        for (found, expected) in [
            (source(Encoding::Utf8, Compression::None, None), "{}"),
            (source(Encoding::Utf8, Compression::Gzip, None), r#"{"compression":"gzip"}"#),
            (
                source(Encoding::Windows1252, Compression::Brotli, Some(seal)),
                r#"{"encoding":"windows-1252","compression":"brotli","encrypted":true}"#,
            ),
            (export(Packaging::default()), "{}"),
            (export(split), r#"{"maxSizeBytes":4096}"#),
            (export(small), r#"{"compression":"zstd","compressionLevel":19}"#),
        ] {
            assert_eq!(found, expected);
        }
    }
}
