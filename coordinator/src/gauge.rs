//! How far an operation is, read cheaply and never going backwards: from the progress cache, from the
//! database where the cache has nothing to say, and at most once a second for each operation.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use carrack_shared::error::PortResult;
use carrack_shared::operation::{Operation, OperationId, State, Totals};
use carrack_shared::port::Ports;
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::schema::ALL;
use carrack_shared::spec::Work;

use crate::report::{self, ERRORS_SHOWN, Progress};
use crate::{clock, join};

/// How old a reading may be.
const FRESH: Duration = Duration::from_secs(1);

/// Readings that are kept. Beyond that all but the fresh ones are dropped; they can be read again.
const KEPT: usize = 4096;

/// Where readings come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From the progress cache, and from the database while the cache is lost.
    Cache,
    /// From the database: for a process whose progress cache the workers cannot reach.
    Database,
}

/// Reads progress for any number of watchers.
pub struct Gauge {
    ports: Ports,
    origin: Origin,
    readings: Mutex<HashMap<OperationId, Reading>>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    generation: u32,
    state: State,
    totals: Totals,
    percent: f64,
}

impl Gauge {
    /// A gauge that has read nothing yet.
    pub fn new(ports: Ports, origin: Origin) -> Self {
        Self { ports, origin, readings: Mutex::default() }
    }

    /// The progress of an operation, without its errors.
    ///
    /// # Errors
    /// When the database fails. A failing cache is not an error.
    pub async fn progress(&self, operation: &Operation) -> PortResult<Progress> {
        let reading = self.reading(operation).await?;
        let mut progress = report::progress(operation, &reading.totals, reading.percent, clock::now());
        if operation.spec.data_type() == ALL && operation.state.is_terminal() {
            progress.by_type = report::by_type(operation, &self.ports.store.sources(operation.id).await?);
        }
        let told = matches!(operation.state, State::Succeeded | State::SucceededWithRejects);
        if told && operation.spec.as_import().is_some() && !operation.spec.only_looks() {
            let dry_run = self.ports.store.predicted(operation).await?;
            progress.prediction = dry_run.and_then(|dry_run| report::prediction(operation, &dry_run));
        }
        Ok(progress)
    }

    /// The progress of an operation with its first errors, where the user wants them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn progress_with_errors(&self, operation: &Operation) -> PortResult<Progress> {
        let mut progress = self.progress(operation).await?;
        if progress.rejected > 0 && report::lists_errors(operation) {
            let rejects = self.ports.store.rejects(operation.id, &RejectPage::first(ERRORS_SHOWN)).await?;
            progress.errors = report::errors(operation, &rejects);
        }
        progress.verification = report::verification(operation).map(Box::new);
        Ok(progress)
    }

    /// The whole report of an operation.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report(
        &self,
        operation: &Operation,
        download: Option<String>,
    ) -> PortResult<report::Report> {
        let mut progress = self.progress(operation).await?;
        progress.verification = report::verification(operation).map(Box::new);
        let rejects = match progress.rejected {
            0 => Vec::new(),
            _ => self.ports.store.rejects(operation.id, &RejectPage::first(ERRORS_SHOWN)).await?,
        };
        let workers = self.ports.store.workers(operation.id).await?;
        let mut report =
            report::Report { workers, ..report::report(operation, progress, &rejects, download) };
        if let Work::Export(export) = operation.spec.work()
            && operation.state == State::Succeeded
        {
            (report.files, report.file_types) = join::file_names(&self.ports, operation, export).await?;
        }
        Ok(report)
    }

    async fn reading(&self, operation: &Operation) -> PortResult<Reading> {
        let last = self.last(operation);
        let ended = operation.state.is_terminal();
        if let Some(last) = last.filter(|last| last.is_good_for(operation.state)) {
            return Ok(last);
        }
        let mut totals = match self.origin {
            Origin::Cache if runs(operation.state) => self.cached_totals(operation).await?,
            _ => self.ports.store.totals(operation.id).await?,
        };
        let mut bytes_are_known = true;
        if matches!(operation.state, State::Succeeded | State::SucceededWithRejects) {
            let whole = self.whole_bytes(operation).await?;
            bytes_are_known = whole.is_some();
            totals.bytes = whole.unwrap_or(totals.bytes);
        }
        let mut reading = Reading {
            at: Instant::now(),
            generation: operation.generation,
            state: operation.state,
            percent: report::percent(operation, &totals),
            totals,
        };
        if let Some(last) = last
            && !ended
        {
            reading = not_behind(last, reading);
        }
        if bytes_are_known {
            self.keep(operation.id, reading);
        }
        Ok(reading)
    }

    /// The bytes of the files: batches leave out what stands between records, and before and after them. None
    /// where they are only known when the files are written.
    async fn whole_bytes(&self, operation: &Operation) -> PortResult<Option<u64>> {
        match operation.spec.work() {
            Work::Import(_) => Ok(Some(operation.spec.source_bytes())),
            Work::Export(export) => join::file_bytes(&self.ports, operation, export).await,
            Work::Undo(_) => Ok(Some(0)),
        }
    }

    async fn cached_totals(&self, operation: &Operation) -> PortResult<Totals> {
        let id = operation.id;
        match self.ports.progress.read(operation.into()).await {
            Ok(Some(totals)) => Ok(totals),
            // A coordinator fills it again soon.
            Ok(None) => self.ports.store.totals(id).await,
            Err(error) => {
                tracing::debug!(operation = %id, error = error.chain(), "progress cache not readable");
                self.ports.store.totals(id).await
            }
        }
    }

    fn last(&self, operation: &Operation) -> Option<Reading> {
        let readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        readings.get(&operation.id).filter(|last| last.generation == operation.generation).copied()
    }

    fn keep(&self, id: OperationId, reading: Reading) {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        if readings.len() >= KEPT {
            readings.retain(|_, reading| reading.at.elapsed() < FRESH);
        }
        readings.insert(id, reading);
    }
}

impl Reading {
    /// Whether it can be shown again of an operation that now is in this state. A change of state makes every
    /// reading old: the answer to a cancel has every batch that came before it.
    fn is_good_for(&self, state: State) -> bool {
        self.state == state && (state.is_terminal() || self.at.elapsed() < FRESH)
    }
}

/// Whether batches may commit. Later the database has the last word: after a cancel the cache may still miss
/// a batch, and at the end it is forgotten.
fn runs(state: State) -> bool {
    state == State::Running
}

/// The new reading, unless it is behind the last one: a cache that lost something or answered late.
fn not_behind(last: Reading, new: Reading) -> Reading {
    let totals = if new.totals.batches < last.totals.batches { last.totals } else { new.totals };
    Reading { totals, percent: new.percent.max(last.percent), ..new }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carrack_shared::tally::Tally;

    fn reading(batches: u64, percent: f64) -> Reading {
        Reading {
            at: Instant::now(),
            generation: 1,
            state: State::Running,
            totals: Totals { tally: Tally::default(), bytes: batches, batches },
            percent,
        }
    }

    #[test]
    fn a_reading_is_old_when_the_state_has_changed() {
        let stale = Instant::now().checked_sub(FRESH).unwrap();
        for (read, now, fresh, aged) in [
            (State::Running, State::Running, true, false),
            (State::Running, State::Cancelling, false, false),
            (State::Cancelling, State::Cancelled, false, false),
            (State::Succeeded, State::Succeeded, true, true),
        ] {
            let reading = Reading { state: read, ..reading(1, 1.0) };
            assert_eq!(reading.is_good_for(now), fresh, "{read:?} {now:?}");
            assert_eq!(Reading { at: stale, ..reading }.is_good_for(now), aged, "{read:?} {now:?}");
        }
        let cached: Vec<_> = State::ALL.into_iter().filter(|state| runs(*state)).collect();
        assert_eq!(cached, [State::Running]);
    }

    #[test]
    fn a_watch_never_goes_backwards() {
        for (last, new, expected) in [
            ((1, 10.0), (2, 20.0), (2, 20.0)),
            ((2, 20.0), (1, 10.0), (2, 20.0)),
            ((2, 20.0), (3, 19.0), (3, 20.0)),
        ] {
            let found = not_behind(reading(last.0, last.1), reading(new.0, new.1));
            assert_eq!((found.totals.batches, found.percent), expected);
        }
    }
}
