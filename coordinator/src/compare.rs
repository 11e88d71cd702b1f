//! Comparing two sets of records: one is imported into a store of its own, and the other one verified against it, by
//! the keys alone.

use carrack_shared::document::{Mistake, quoted};
use carrack_shared::operation::Operation;
use carrack_shared::port::Ports;
use carrack_shared::schema::TEMPLATES;
use carrack_shared::spec::{Duplicates, ImportSpec, Spec, Verifies};

use crate::options::Options;
use crate::start::{self, Input, StartError};
use crate::types::Types;

/// The import of the first set. Of records with one key the first counts; values have to fit their columns, and nothing
/// else is asked of them.
///
/// # Errors
/// When the request is wrong or an input cannot be read.
pub async fn first(
    ports: &Ports,
    inputs: &[Input],
    data_type: Option<&str>,
    options: &Options,
) -> Result<Spec, StartError> {
    if let (Some(name), None) = (data_type, &options.template)
        && Types::known(ports).await?.asked(name).is_err()
    {
        let found = quoted(name);
        let detail =
            format!("found {found}, whose template is not known here, expected it as a file in --template");
        return Err(Mistake::new("dataType", detail).into());
    }
    let spec = start::import_spec(ports, inputs, data_type, &judged_by_nothing(options)).await?;
    if spec.data_type() == TEMPLATES {
        let detail = "found templates, expected a type whose records are compared by their keys: export both sides as \
                      NDJSON and compare the files";
        return Err(Mistake::new("dataType", detail).into());
    }
    Ok(spec)
}

/// The comparison of the second set with the first one, which was imported.
///
/// # Errors
/// When the request is wrong or an input cannot be read.
pub async fn second(
    ports: &Ports,
    inputs: &[Input],
    first: &Operation,
    options: &Options,
) -> Result<Spec, StartError> {
    let data_type = Some(first.spec.data_type());
    let spec = start::import_spec(ports, inputs, data_type, &judged_by_nothing(options)).await?;
    let verifies = Verifies { parent: first.id, started_at: first.created_at, by_key: true, stopped: false };
    let import = spec.as_import().map(|import| ImportSpec { verifies: Some(verifies), ..import.clone() });
    Ok(import.map_or(spec, Spec::import))
}

fn judged_by_nothing(options: &Options) -> Options {
    Options { duplicates: Duplicates::Skip, validate_schema: false, undo: false, ..options.clone() }
}
