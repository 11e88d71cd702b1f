//! How much of an operation is done, of how much, and when the rest will be.

use carrack_shared::limits::EXPORT_ROWS;
use carrack_shared::operation::{Operation, State, Totals};
use jiff::{SignedDuration, Timestamp};

/// The largest share that is said before everything is done.
const NEARLY_ALL: f64 = 0.999;

/// The share that is done, in percent with one decimal: by bytes until the plan is whole, then by records.
/// 100 only when the operation has succeeded.
pub fn percent(operation: &Operation, totals: &Totals) -> f64 {
    if matches!(operation.state, State::Succeeded | State::SucceededWithRejects) {
        return 100.0;
    }
    let share = match operation.planned_records {
        Some(0) => 1.0,
        // What is left out is done too.
        Some(records) if operation.spec.leaves_out() => {
            ratio(totals.batches * u64::from(EXPORT_ROWS), records)
        }
        Some(records) => ratio(totals.tally.read, records),
        None => ratio(totals.bytes, operation.spec.source_bytes()),
    };
    let most = match operation.state {
        State::Undone | State::PartlyUndone => 1.0,
        _ => NEARLY_ALL,
    };
    (share.min(most) * 1000.0).floor() / 10.0
}

/// Whether [`total_records`] is no estimate: once the plan is whole, or, where records may be left out that were
/// planned, at the end.
pub(super) fn is_exact(operation: &Operation) -> bool {
    let ended = operation.state.is_terminal();
    operation.planned_records.is_some() && (ended || !operation.spec.leaves_out())
}

/// All records: the planned ones, those that were not left out, or an estimate by bytes until the plan is whole.
pub(super) fn total_records(operation: &Operation, totals: &Totals) -> Option<u64> {
    if operation.spec.leaves_out() && operation.state == State::Succeeded {
        return Some(operation.tally.unwrap_or(totals.tally).read);
    }
    if operation.planned_records.is_some() {
        return operation.planned_records;
    }
    let (read, bytes) = (u128::from(totals.tally.read), u128::from(totals.bytes));
    let estimate = (read * u128::from(operation.spec.source_bytes())).checked_div(bytes)?;
    u64::try_from(estimate.max(read)).ok()
}

/// From the time that the done share took; none before anything is done and after the end.
pub(super) fn estimated_completion(operation: &Operation, percent: f64, now: Timestamp) -> Option<Timestamp> {
    if operation.state.is_terminal() || percent <= 0.0 {
        return None;
    }
    let elapsed = now.duration_since(operation.created_at).as_secs_f64().max(0.0);
    let left = elapsed * (100.0 - percent) / percent;
    now.checked_add(SignedDuration::try_from_secs_f64(left).ok()?).ok()
}

#[expect(clippy::cast_precision_loss, reason = "a share for people needs no more than 52 bits")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{at, operation, totals};
    use super::*;

    #[test]
    fn a_hundred_percent_is_said_only_of_a_success() {
        let cases = [
            (State::Running, None, totals(0, 0), 0.0),
            (State::Running, None, totals(5, 500), 50.0),
            (State::Running, None, totals(9, 1000), 99.9),
            (State::Running, Some(20), totals(5, 900), 25.0),
            (State::Running, Some(20), totals(20, 1000), 99.9),
            (State::Running, Some(0), totals(0, 0), 99.9),
            (State::Finalising, Some(20), totals(20, 1000), 99.9),
            (State::Failed, Some(20), totals(20, 1000), 99.9),
            (State::Cancelled, None, totals(1, 100), 10.0),
            (State::Undone, Some(20), totals(20, 1000), 100.0),
            (State::PartlyUndone, Some(20), totals(10, 500), 50.0),
            (State::SucceededWithRejects, Some(20), totals(20, 1000), 100.0),
        ];
        for (state, planned, totals, expected) in cases {
            let found = percent(&operation(state, planned), &totals);
            assert!((found - expected).abs() < 1e-9, "{state:?} {planned:?}: {found}, expected {expected}");
        }
    }

    #[test]
    fn totals_are_estimated_by_bytes_until_they_are_known() {
        let running = operation(State::Running, None);
        let planned = operation(State::Running, Some(33));
        for (operation, totals, expected) in [
            (&running, totals(0, 0), None),
            (&running, totals(10, 250), Some(40)),
            (&planned, totals(10, 250), Some(33)),
        ] {
            assert_eq!(total_records(operation, &totals), expected);
        }
        assert_eq!(estimated_completion(&running, 25.0, at(100)), Some(at(400)));
        assert_eq!(estimated_completion(&running, 0.0, at(100)), None);
    }
}
