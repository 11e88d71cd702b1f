//! What a user asked for, fully resolved and never changed again: the versioned document stored with the
//! operation.

mod export;
mod import;
mod types;
mod undo;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::filter::Filter;
use crate::operation::{Operation, OperationId};
use crate::schema::{self, DataType};
use crate::task::Lane;

pub use export::ExportSpec;
pub use import::{Duplicates, ErrorHandling, ImportSpec, Retry, Source, TemplateOrigin, Verifies};
pub use types::{OwnTypes, UnknownType};
pub use undo::UndoSpec;

/// The stored document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "version")]
pub enum Spec {
    /// The first form.
    #[serde(rename = "1")]
    V1(Work),
}

/// The work of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// Files into a table.
    Import(ImportSpec),
    /// A table into a file.
    Export(ExportSpec),
    /// Tables as they were before an import.
    Undo(UndoSpec),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_no(flag: &bool) -> bool {
    !*flag
}

impl Spec {
    /// The document of an import.
    pub fn import(spec: ImportSpec) -> Self {
        Self::V1(Work::Import(spec))
    }

    /// The document of an export.
    pub fn export(spec: ExportSpec) -> Self {
        Self::V1(Work::Export(spec))
    }

    /// The document of the undo of `parent`; none if it is not an import.
    ///
    /// # Errors
    /// When one of its types is not known here.
    pub fn undo(parent: &Operation, force: bool) -> Result<Option<Self>, UnknownType> {
        let Some(import) = parent.spec.as_import() else { return Ok(None) };
        let data_types = parent.spec.tables()?.iter().map(|table| table.name.as_str().to_owned()).collect();
        Ok(Some(Self::V1(Work::Undo(UndoSpec {
            parent: parent.id,
            force,
            data_type: import.data_type.clone(),
            data_types,
            types: import.types.clone(),
        }))))
    }

    /// The work.
    pub fn work(&self) -> &Work {
        let Self::V1(work) = self;
        work
    }

    /// The types whose tables are read or written, each once.
    ///
    /// # Errors
    /// When one is not known here.
    pub fn tables(&self) -> Result<Vec<Arc<DataType>>, UnknownType> {
        let (types, mut names) = match self.work() {
            Work::Export(export) => (&export.types, export.names()),
            Work::Undo(undo) => (&undo.types, undo.data_types.iter().map(String::as_str).collect()),
            Work::Import(import) => {
                let own = import.sources.iter().filter_map(|source| source.data_type.as_deref());
                let one = (import.data_type != schema::ALL).then_some(import.data_type.as_str());
                (&import.types, own.chain(one).collect())
            }
        };
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| types.named(name)).collect()
    }

    /// The number of a type's table among [`Spec::tables`], from 0.
    pub fn table_number(&self, name: &str) -> usize {
        let number = |tables: Vec<Arc<DataType>>| tables.iter().position(|table| table.name.as_str() == name);
        self.tables().ok().and_then(number).unwrap_or_default()
    }

    /// Whether the type of this name is among those of [`Spec::tables`].
    pub fn is_about(&self, name: &str) -> bool {
        self.tables().is_ok_and(|tables| tables.iter().any(|table| table.name.as_str() == name))
    }

    /// The data type's name, or `all`.
    pub fn data_type(&self) -> &str {
        match self.work() {
            Work::Import(import) => &import.data_type,
            Work::Export(export) => &export.data_type,
            Work::Undo(undo) => &undo.data_type,
        }
    }

    /// The import, if it is one.
    pub fn as_import(&self) -> Option<&ImportSpec> {
        match self.work() {
            Work::Import(import) => Some(import),
            Work::Export(_) | Work::Undo(_) => None,
        }
    }

    /// The undo, if it is one.
    pub fn as_undo(&self) -> Option<&UndoSpec> {
        match self.work() {
            Work::Undo(undo) => Some(undo),
            Work::Export(_) | Work::Import(_) => None,
        }
    }

    /// Where its tasks go.
    pub fn lane(&self) -> Lane {
        match self.work() {
            Work::Import(_) | Work::Undo(_) => Lane::Import,
            Work::Export(_) => Lane::Export,
        }
    }

    /// Which records it is about, where not all are.
    pub fn filter(&self) -> Option<&Filter> {
        let filter = match self.work() {
            Work::Import(import) => &import.filter,
            Work::Export(export) => &export.filter,
            Work::Undo(_) => return None,
        };
        Some(filter).filter(|filter| !filter.is_empty())
    }

    /// Whether it may leave records out, uncounted, that were planned.
    pub fn leaves_out(&self) -> bool {
        self.as_import().is_none() && self.filter().is_some()
    }

    /// Whether the rows of its batches go to a stage.
    pub fn is_staged(&self) -> bool {
        self.as_import().is_some_and(ImportSpec::is_staged)
    }

    /// Whether all of its records are to be loaded, or none.
    pub fn is_all_or_nothing(&self) -> bool {
        self.is_staged() && !self.is_dry_run()
    }

    /// Whether nothing of it is to be done.
    pub fn is_dry_run(&self) -> bool {
        self.as_import().is_some_and(|import| import.dry_run)
    }

    /// What it verifies, if it is a verification.
    pub fn verifies(&self) -> Option<Verifies> {
        self.as_import().and_then(|import| import.verifies)
    }

    /// The operation whose rejects it reads, of a retry.
    pub fn retries(&self) -> Option<OperationId> {
        self.as_import().and_then(|import| import.retry).map(|retry| retry.parent)
    }

    /// Whether no table changes.
    pub fn only_looks(&self) -> bool {
        self.is_dry_run() || self.verifies().is_some()
    }

    /// SHA-256 of what decides on what becomes of each record: a dry run and the real one have the same one, also
    /// where their files were sent twice, and where their batches or the way of telling errors differ.
    pub fn outcome_sha256(&self) -> [u8; 32] {
        let mut same = self.clone();
        let Self::V1(Work::Import(import)) = &mut same else { return self.sha256() };
        import.dry_run = false;
        import.undo = true;
        import.batch_size = 0;
        import.error_handling = ErrorHandling::Lenient;
        for source in &mut import.sources {
            source.key.clear();
        }
        same.sha256()
    }

    /// Whether it keeps what an undo needs.
    pub fn keeps_images(&self) -> bool {
        self.as_import().is_some_and(|import| import.undo) && !self.only_looks()
    }

    /// Bytes of all sources.
    pub fn source_bytes(&self) -> u64 {
        self.as_import().map_or(0, |import| import.sources.iter().map(|source| source.length).sum())
    }

    /// SHA-256 of the document: two operations with the same one do the same to the same input.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(serde_json::to_vec(self).unwrap_or_default()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::format::Format;
    use crate::format::reading::Reading;
    use crate::layer::packaging::Packaging;
    use crate::layer::source::Layers;
    use crate::schema::Identifier;

    #[test]
    fn the_stored_form_stays() {
        let spec = Spec::import(ImportSpec {
            template: None,
            data_type: "contexts".into(),
            types: OwnTypes::default(),
            format: Format::Csv,
            reading: Reading::default(),
            batch_size: 100,
            error_handling: ErrorHandling::SkipErrors,
            duplicates: Duplicates::Overwrite,
            validate_schema: true,
            dry_run: false,
            include_metadata: true,
            undo: true,
            mapping: None,
            budget: Budget::default(),
            retry: None,
            verifies: None,
            filter: Filter::default(),
            type_evidence: None,
            remarks: Vec::new(),
            sources: vec![Source {
                name: "a.csv".into(),
                key: "k".into(),
                etag: "e".into(),
                length: 9,
                data_type: None,
                layers: Layers::default(),
            }],
        });
        let golden = concat!(
            r#"{"version":"1","kind":"import","data_type":"contexts","format":"csv","batch_size":100,"#,
            r#""error_handling":"skip-errors","duplicates":"overwrite","validate_schema":true,"#,
            r#""sources":[{"name":"a.csv","key":"k","etag":"e","length":9}]}"#
        );
        assert_eq!(serde_json::to_string(&spec).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Spec>(golden).unwrap(), spec);
        assert_eq!(spec.source_bytes(), 9);
        let Spec::V1(Work::Import(mut import)) = spec else { panic!("an import") };
        import.reading.delimiter = Some(b';');
        import.include_metadata = false;
        import.undo = false;
        import.filter = Filter::read(&serde_json::json!({ "tags": ["x"] })).unwrap();
        let chosen = golden.replace(r#""csv","#, r#""csv","reading":{"delimiter":";"},"#).replace(
            r#""validate_schema":true,"#,
            r#""validate_schema":true,"include_metadata":false,"undo":false,"filter":{"tags":["x"]},"#,
        );
        assert_eq!(serde_json::to_string(&Spec::import(import)).unwrap(), chosen);
    }

    #[test]
    fn types_are_those_of_the_sources_or_of_the_export() {
        let pets = DataType {
            name: Identifier::new("pets").unwrap(),
            ..(*schema::built_in("sessions").unwrap()).clone()
        };
        let export = ExportSpec {
            data_type: schema::ALL.into(),
            data_types: vec!["sessions".into(), "pets".into()],
            types: OwnTypes(vec![pets]),
            format: Format::Json,
            include_metadata: true,
            include_binary_data: false,
            filter: Filter::default(),
            template: None,
            packaging: Packaging::default(),
        };
        let name = |found: &DataType| found.name.as_str().to_owned();
        assert_eq!([0, 1].map(|table| name(&export.type_of(table).unwrap())), ["sessions", "pets"]);
        assert_eq!(export.type_of(2), Err(UnknownType("all".into())));
        let spec = Spec::export(export);
        assert_eq!(
            spec.tables().unwrap().iter().map(|found| name(found)).collect::<Vec<_>>(),
            ["pets", "sessions"]
        );
        let stored = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<Spec>(&stored).unwrap(), spec);
        assert!(!stored.contains("binary"), "as it was stored before there was binary content: {stored}");
        let Spec::V1(Work::Export(export)) = spec else { panic!("an export") };
        let spec = Spec::export(ExportSpec { include_binary_data: true, ..export });
        let with = stored
            .replace(r#""include_metadata":true"#, r#""include_metadata":true,"include_binary_data":true"#);
        assert_eq!(serde_json::to_string(&spec).unwrap(), with);
        assert_eq!(serde_json::from_str::<Spec>(&with).unwrap(), spec);
        assert!(!spec.leaves_out());
        let Spec::V1(Work::Export(export)) = spec else { panic!("an export") };
        let filter = Filter::read(&serde_json::json!({ "types": ["b", "a"] })).unwrap();
        let spec = Spec::export(ExportSpec { filter, ..export });
        let filtered = with.replace(
            r#""include_binary_data":true"#,
            r#""include_binary_data":true,"filter":{"types":["a","b"]}"#,
        );
        assert_eq!(serde_json::to_string(&spec).unwrap(), filtered);
        assert_eq!(serde_json::from_str::<Spec>(&filtered).unwrap(), spec);
        assert!(spec.leaves_out());
    }
}
