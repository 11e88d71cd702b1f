//! The benchmark's input, generated once per size and kept under `target/bench`.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use crate::generate::{Generator, Recipe, Shape};
use crate::services;

/// The same records in both formats.
#[derive(Debug, Clone)]
pub struct Data {
    /// Records.
    pub records: u64,
    /// As CSV with a header row.
    pub csv: PathBuf,
    /// As one JSON array.
    pub json: PathBuf,
}

impl Data {
    /// Bytes of a file of it.
    pub fn bytes(path: &PathBuf) -> u64 {
        std::fs::metadata(path).map_or(0, |metadata| metadata.len())
    }
}

/// Writes the files where they are missing.
pub(super) fn prepare(records: u64) -> anyhow::Result<Data> {
    let folder = services::workspace().join("target/bench");
    std::fs::create_dir_all(&folder)?;
    let make = |shape: Shape, ending: &str| -> anyhow::Result<PathBuf> {
        let path = folder.join(format!("contexts-{records}.{ending}"));
        if !path.exists() {
            let draft = path.with_extension("draft");
            Generator::new(Recipe::new(records)).write(shape, BufWriter::new(File::create(&draft)?))?;
            std::fs::rename(&draft, &path)?;
        }
        Ok(path)
    };
    Ok(Data { records, csv: make(Shape::Csv, "csv")?, json: make(Shape::JsonArray, "json")? })
}
