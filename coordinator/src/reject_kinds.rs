//! What is wrong with the rejects of an operation: how many have each fault, and where the first of them is.

use carrack_shared::error::PortResult;
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::Ports;
use carrack_shared::port::rejects::RejectKind;
use serde::{Deserialize, Serialize};

use crate::reject_lines::{grouped, place};
use crate::report::source_name;

/// Kinds that are told. Names of fields come from the input, so there may be any number of them.
pub const KINDS: u32 = 100;

/// The rejects of an operation, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectSummary {
    /// The operation.
    pub operation_id: OperationId,
    /// All rejects.
    pub rejected: u64,
    /// What is wrong with them, the most frequent first. A record that has several faults is counted for each.
    pub kinds: Vec<Kind>,
    /// Whether there are more than [`KINDS`].
    pub more_kinds: bool,
}

/// Rejects that have the same fault in the same field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kind {
    /// The code of the fault.
    pub code: String,
    /// The field, where the fault belongs to one.
    pub field: Option<String>,
    /// How many records have it.
    pub count: u64,
    /// The first of them.
    pub first: First,
}

/// A record as an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct First {
    /// The file's name.
    pub file: String,
    /// Number of the record in its file, from 1.
    pub record: u64,
    /// Line of its first byte, from 1.
    pub line: u64,
    /// Where it stands, as [`place`] writes it.
    pub position: String,
}

impl Kind {
    fn new(operation: &Operation, kind: RejectKind) -> Self {
        let first = First {
            file: source_name(operation, kind.first.source()).to_owned(),
            record: kind.first.record(),
            line: kind.first_line,
            position: place(kind.first),
        };
        Self { code: kind.code, field: kind.field, count: kind.records, first }
    }

    /// The kind as people read it: `1,204 × date.invalid in "createdAt", e.g. line 19 of legacy.csv`.
    pub fn sentence(&self) -> String {
        let field = self.field.as_ref().map(|field| format!(" in {field:?}")).unwrap_or_default();
        let First { file, line, .. } = &self.first;
        format!("{} × {}{field}, e.g. line {} of {file}", grouped(self.count), self.code, grouped(*line))
    }
}

/// Counts the rejects of an operation.
///
/// # Errors
/// When the database fails.
pub async fn summary(ports: &Ports, operation: &Operation) -> PortResult<RejectSummary> {
    let mut kinds = ports.store.reject_kinds(operation.id, KINDS + 1).await?;
    let more_kinds = kinds.len() > KINDS as usize;
    kinds.truncate(KINDS as usize);
    let rejected = match operation.tally {
        Some(tally) => tally.rejected,
        None => ports.store.totals(operation.id).await?.tally.rejected,
    };
    let kinds = kinds.into_iter().map(|kind| Kind::new(operation, kind)).collect();
    Ok(RejectSummary { operation_id: operation.id, rejected, kinds, more_kinds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_how_many_what_and_where() {
        let first = First { file: "legacy.csv".into(), record: 17, line: 1019, position: "1:17".into() };
        let kind = |field: Option<&str>| Kind {
            code: "date.invalid".into(),
            field: field.map(Into::into),
            count: 1204,
            first: first.clone(),
        };
        for (field, expected) in [
            (Some("createdAt"), "1,204 × date.invalid in \"createdAt\", e.g. line 1,019 of legacy.csv"),
            (None, "1,204 × date.invalid, e.g. line 1,019 of legacy.csv"),
        ] {
            assert_eq!(kind(field).sentence(), expected);
        }
    }
}
