//! Verifying an import: its sources are read again as it has read them, and their records compared with its tables.

use carrack_shared::budget::Budget;
use carrack_shared::error::{PortError, PortResult};
use carrack_shared::operation::{Operation, State};
use carrack_shared::port::Ports;
use carrack_shared::port::operations::Idempotency;
use carrack_shared::spec::{Duplicates, ErrorHandling, ImportSpec, Source, Spec, Verifies, Work};

use crate::start::{self, StartError, Started};

/// Why an import is not verified.
#[derive(Debug, thiserror::Error)]
pub enum NotVerified {
    /// It cannot be, as it stands.
    #[error("{0}")]
    Conflict(String),
    /// The verification cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl From<PortError> for NotVerified {
    fn from(error: PortError) -> Self {
        Self::Start(error.into())
    }
}

/// What is to be done to verify an import.
///
/// # Errors
/// When it cannot be verified, or its sources are not what they were.
pub async fn spec(ports: &Ports, parent: &Operation) -> Result<Spec, NotVerified> {
    let import = verifiable(parent).map_err(NotVerified::Conflict)?;
    for source in &import.sources {
        unchanged(ports, source).await?.map_err(|what| {
            NotVerified::Conflict(format!("operation {} cannot be verified: {what}", parent.id))
        })?;
    }
    Ok(Spec::import(ImportSpec {
        // Rejects are no differences, however many there were.
        error_handling: match import.error_handling {
            ErrorHandling::SkipErrors => ErrorHandling::SkipErrors,
            ErrorHandling::Strict | ErrorHandling::Lenient => ErrorHandling::Lenient,
        },
        budget: Budget::default(),
        retry: None,
        undo: false,
        verifies: Some(Verifies {
            parent: parent.id,
            started_at: parent.created_at,
            by_key: false,
            stopped: was_stopped(parent),
        }),
        ..import.clone()
    }))
}

/// Creates the verification of an import.
///
/// # Errors
/// When it cannot be started.
pub async fn create(
    ports: &Ports,
    owner: &str,
    parent: &Operation,
    spec: Spec,
    idempotency: Option<Idempotency>,
) -> Result<Started, NotVerified> {
    match start::create(ports, owner, spec, idempotency).await {
        Err(StartError::TypeChanged(name)) => Err(NotVerified::Conflict(format!(
            "the data type {name} got new fields since operation {}, so its rows are not as it has left them",
            parent.id
        ))),
        other => Ok(other?),
    }
}

/// The import of an operation that can be verified.
fn verifiable(parent: &Operation) -> Result<&ImportSpec, String> {
    let id = parent.id;
    let found = match parent.spec.work() {
        Work::Import(import) if import.dry_run => "a dry run",
        Work::Import(import) if import.verifies.is_some() => "a verification",
        Work::Import(import) if import.is_of_templates() => {
            return Err(format!(
                "operation {id} has imported templates, expected an import of records into a table; `carrack \
                 templates list` shows the templates there are"
            ));
        }
        Work::Import(import) if import.duplicates == Duplicates::Merge => {
            return Err(format!(
                "operation {id} has merged its records into rows (merge: true), which have more than its files say, \
                 expected an import of whole rows; a dry run of the same import tells which rows it would change now"
            ));
        }
        Work::Import(import) => {
            return match parent.state {
                State::Undone => {
                    Err(format!("operation {id} was undone, expected an import that is in its table"))
                }
                state if !state.is_terminal() => Err(format!(
                    "operation {id} is {}, expected it to have ended; cancel it or wait for its end",
                    state.as_str()
                )),
                _ => Ok(import),
            };
        }
        Work::Export(_) => "an export",
        Work::Undo(_) => "an undo",
    };
    Err(format!("operation {id} is {found}, expected an import"))
}

/// Whether an import has not come to all its records. It is known of one that was undone in part, too.
fn was_stopped(parent: &Operation) -> bool {
    let read = parent.tally.map_or(0, |tally| tally.read);
    parent.planned_records.is_none_or(|planned| read < planned)
}

/// What became of a source, if it is not as it was.
async fn unchanged(ports: &Ports, source: &Source) -> PortResult<Result<(), String>> {
    let (name, length, etag) = (&source.name, source.length, &source.etag);
    Ok(match ports.objects.head(&source.key).await? {
        None => {
            let key = &source.key;
            Err(format!("{name}: found nothing at {key}, expected the {length} bytes that were imported"))
        }
        Some(found) if found.length != length => Err(format!(
            "{name}: found {} bytes, expected the {length} bytes that were imported",
            found.length
        )),
        Some(found) if found.etag != *etag => Err(format!(
            "{name}: found version {}, expected version {etag}, which was imported: the file was written since",
            found.etag
        )),
        Some(_) => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use carrack_shared::tally::Tally;

    use super::*;
    use crate::report::fixture::operation;

    #[test]
    fn an_import_that_has_not_come_to_all_its_records_was_stopped() {
        let read = |read| Some(Tally { read, ..Tally::default() });
        for (planned, tally, stopped) in [
            (Some(3), read(3), false),
            (Some(0), read(0), false),
            (Some(3), read(2), true),
            (None, read(3), true),
            (Some(3), None, true),
        ] {
            for state in [State::Succeeded, State::Cancelled, State::Failed, State::PartlyUndone] {
                let parent = Operation { tally, ..operation(state, planned) };
                assert_eq!(was_stopped(&parent), stopped, "{state:?}, {planned:?} planned, {tally:?}");
            }
        }
    }

    #[test]
    fn only_imports_that_have_ended_and_stand_are_verified() {
        for (state, expected) in [
            (State::Succeeded, None),
            (State::SucceededWithRejects, None),
            (State::Cancelled, None),
            (State::PartlyUndone, None),
            (State::Running, Some("is running, expected it to have ended")),
            (State::Undone, Some("was undone, expected an import that is in its table")),
        ] {
            let found = operation(state, Some(3));
            let told = verifiable(&found).err();
            assert_eq!(told.is_some(), expected.is_some(), "{told:?}");
            assert!(told.unwrap_or_default().contains(expected.unwrap_or_default()), "{state:?}");
        }
        for (dry_run, verifies, expected) in [
            (true, None, "is a dry run, expected an import"),
            (false, Some(()), "is a verification, expected an import"),
        ] {
            let mut found = operation(State::Succeeded, Some(3));
            let (parent, started_at) = (found.id, found.created_at);
            let Spec::V1(Work::Import(import)) = &mut found.spec else { unreachable!() };
            import.dry_run = dry_run;
            import.verifies =
                verifies.map(|()| Verifies { parent, started_at, by_key: false, stopped: false });
            assert!(verifiable(&found).is_err_and(|told| told.contains(expected)));
        }
        let mut merged = operation(State::Succeeded, Some(3));
        let Spec::V1(Work::Import(import)) = &mut merged.spec else { unreachable!() };
        import.duplicates = Duplicates::Merge;
        assert!(verifiable(&merged).is_err_and(|told| told.contains("expected an import of whole rows")));
    }
}
