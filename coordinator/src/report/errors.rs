//! The rejects that a document lists, and how it shows each.

use carrack_shared::fault::{Frame, Reject, Stage};
use carrack_shared::operation::Operation;
use carrack_shared::spec::ErrorHandling;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Rejects that a document lists. All of them are in the NDJSON of the operation's rejects.
pub const ERRORS_SHOWN: u32 = 20;

/// Bytes of a rejected record that a document repeats.
const DATA_BYTES: usize = 4 * 1024;

/// A reject, as documents list it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorEntry {
    /// Number of the record in its file, from 1.
    pub record: u64,
    /// The file.
    pub file: String,
    /// The field, where the fault belongs to one.
    pub field: Option<String>,
    /// The stable code.
    pub code: String,
    /// What was found and expected.
    pub error: String,
    /// The same, by the name that the guide gives it in `validationErrors`.
    pub message: String,
    /// The record as it stood in the file: as JSON where it is JSON, as text otherwise; none if it is
    /// longer than 4 KiB or not UTF-8.
    pub data: Option<Box<RawValue>>,
}

/// The entries of these rejects; none where the user asked to skip errors.
pub fn errors<'a>(operation: &Operation, rejects: impl IntoIterator<Item = &'a Reject>) -> Vec<ErrorEntry> {
    if !lists_errors(operation) {
        return Vec::new();
    }
    rejects.into_iter().map(|reject| entry(operation, reject)).collect()
}

/// Whether documents of this operation list its errors.
pub fn lists_errors(operation: &Operation) -> bool {
    operation.spec.as_undo().is_some()
        || operation.spec.as_import().is_some_and(|import| import.error_handling != ErrorHandling::SkipErrors)
}

/// The name of the source with this number; for an undo, which has none, the type of its rows.
pub fn source_name(operation: &Operation, source: u32) -> &str {
    if let Some(undo) = operation.spec.as_undo() {
        return &undo.data_type;
    }
    let sources = operation.spec.as_import().map_or(&[][..], |import| &import.sources);
    sources.get(source as usize).map_or("", |source| &source.name)
}

/// Whether the schema refused the record.
pub(super) fn is_validation(reject: &Reject) -> bool {
    reject.faults.first().is_some_and(|fault| fault.stage == Stage::Validate)
}

fn entry(operation: &Operation, reject: &Reject) -> ErrorEntry {
    let fault = reject.faults.first();
    let message = fault.map(|fault| fault.message.clone()).unwrap_or_default();
    ErrorEntry {
        record: reject.position.record(),
        file: source_name(operation, reject.position.source()).to_owned(),
        field: fault.and_then(|fault| fault.field.clone()),
        code: fault.map(|fault| fault.code.to_string()).unwrap_or_default(),
        error: message.clone(),
        message,
        data: data(reject),
    }
}

fn data(reject: &Reject) -> Option<Box<RawValue>> {
    let Frame::Inline(bytes) = &reject.frame else { return None };
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= DATA_BYTES)?;
    let as_json = |text: &str| RawValue::from_string(text.to_owned()).ok();
    as_json(text.trim())
        .filter(|json| json.get().starts_with('{'))
        .or_else(|| as_json(&serde_json::to_string(text).ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{operation, reject};
    use super::*;
    use carrack_shared::operation::State;
    use carrack_shared::spec::{Spec, Work};

    #[test]
    fn skipped_errors_are_counted_and_not_listed() {
        let mut quiet = operation(State::SucceededWithRejects, Some(3));
        let Spec::V1(Work::Import(import)) = &mut quiet.spec else { unreachable!() };
        import.error_handling = ErrorHandling::SkipErrors;
        assert!(errors(&quiet, &[reject(Stage::Load, b"x")]).is_empty());
    }
}
