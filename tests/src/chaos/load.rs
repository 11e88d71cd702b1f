//! The input of the rounds and what must become of it.

use std::path::PathBuf;

use anyhow::Context;
use tempfile::TempDir;

use super::case::Case;
use super::wrap::{KEY, Wrap};
use crate::generate::{Expected, Generator, Recipe, Shape};

/// Of a hundred records.
const BAD_PERCENT: u32 = 2;
const DUPLICATE_PERCENT: u32 = 2;

/// Stands beside the loads.
const KEY_FILE: &str = "file.key";

/// The same records in every layout and wrap that was asked for.
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
    /// What that is wrapped in.
    pub wrap: Wrap,
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

    /// The file of a case, written if it is the first of its kind.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of(&mut self, case: Case) -> anyhow::Result<&Load> {
        let Case { shape, wrap, .. } = case;
        if let Some(at) = self.made.iter().position(|load| (load.shape, load.wrap) == (shape, wrap)) {
            return Ok(&self.made[at]);
        }
        let ending = match shape {
            Shape::JsonArray => "json",
            Shape::Ndjson => "ndjson",
            Shape::Csv => "csv",
        };
        let file = self.folder.path().join(format!("contexts.{ending}{}", wrap.ending()));
        let mut text = Vec::new();
        let expected = self.generator.write(shape, &mut text)?;
        std::fs::write(&file, wrap.pack(shape, text, self.batch_size)?)?;
        std::fs::write(self.folder.path().join(KEY_FILE), KEY)?;
        let (generator, batch_size) = (self.generator.clone(), self.batch_size);
        self.made.push(Load { file, shape, wrap, generator, expected, batch_size });
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
        let mut args: Vec<String> = args.into_iter().chain(case.option()).map(str::to_owned).collect();
        if self.wrap == Wrap::Sealed {
            let key = self.file.with_file_name(KEY_FILE);
            args.extend(["--key".to_owned(), format!("file:{}", key.display())]);
        }
        Ok(args)
    }
}
