//! The input of the rounds and what must become of it.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use anyhow::Context;
use tempfile::TempDir;

use super::case::Case;
use crate::generate::{Expected, Generator, Recipe, Shape};

/// Of a hundred records.
const BAD_PERCENT: u32 = 2;
const DUPLICATE_PERCENT: u32 = 2;

/// The same records in every layout that was asked for.
pub struct Loads {
    folder: TempDir,
    generator: Generator,
    batch_size: u32,
    made: Vec<Load>,
}

/// A file of them.
pub struct Load {
    /// The file.
    pub file: PathBuf,
    /// Its layout.
    pub shape: Shape,
    /// Makes its records.
    pub generator: Generator,
    /// What an import must find.
    pub expected: Expected,
    /// Records per batch.
    pub batch_size: u32,
}

impl Loads {
    /// So many records, two of a hundred bad and two with the key of another one.
    ///
    /// # Errors
    /// When there is no temporary folder.
    pub fn new(records: u64, batch_size: u32) -> anyhow::Result<Self> {
        let recipe =
            Recipe { bad_percent: BAD_PERCENT, duplicate_percent: DUPLICATE_PERCENT, ..Recipe::new(records) };
        let (folder, generator) = (tempfile::tempdir()?, Generator::new(recipe));
        Ok(Self { folder, generator, batch_size, made: Vec::new() })
    }

    /// The file of a case, written if it is the first of its layout.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of(&mut self, case: Case) -> anyhow::Result<&Load> {
        let shape = case.shape;
        if let Some(at) = self.made.iter().position(|load| load.shape == shape) {
            return Ok(&self.made[at]);
        }
        let ending = match shape {
            Shape::JsonArray => "json",
            Shape::Ndjson => "ndjson",
            Shape::Csv => "csv",
        };
        let file = self.folder.path().join(format!("contexts.{ending}"));
        let expected = self.generator.write(shape, BufWriter::new(File::create(&file)?))?;
        let (generator, batch_size) = (self.generator.clone(), self.batch_size);
        self.made.push(Load { file, shape, generator, expected, batch_size });
        self.made.last().context("the file that was just written")
    }
}

impl Load {
    /// Batches of the import.
    pub(super) fn batches(&self) -> u64 {
        self.expected.records.div_ceil(self.batch_size.into())
    }

    /// The arguments of the import.
    pub(super) fn import(&self, case: Case) -> anyhow::Result<Vec<String>> {
        let file = self.file.to_str().context("a path that is not text")?;
        let batch_size = self.batch_size.to_string();
        let args = [
            "import",
            file,
            "--type",
            "contexts",
            "--batch-size",
            &batch_size,
            "--rejects",
            "rejects.ndjson",
            "--json",
        ];
        Ok(args.into_iter().chain(case.option()).map(str::to_owned).collect())
    }
}
