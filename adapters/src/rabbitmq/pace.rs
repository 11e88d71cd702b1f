//! How soon a broken connection is made anew: at once after a single failure, later and later after
//! failures in a row, and never by a whole fleet at the same moment.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use carrack_shared::backoff::Backoff;

/// Waits before the next connection.
const PAUSES: Backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(5) };

/// A failure so long after the last one is a first failure again.
const CALM: Duration = Duration::from_secs(15);

/// The failures so far.
#[derive(Default)]
pub struct Pace {
    last: Mutex<Option<Failure>>,
}

#[derive(Clone, Copy)]
struct Failure {
    at: Instant,
    in_a_row: u32,
    next: Instant,
}

impl Pace {
    /// Waits until it is time for the next connection.
    pub async fn wait(&self) {
        let next = self.last.lock().unwrap_or_else(PoisonError::into_inner).map(|failure| failure.next);
        if let Some(next) = next {
            tokio::time::sleep_until(next.into()).await;
        }
    }

    /// Notes a failure; `jitter` in `0.0..=1.0` is drawn by the caller.
    pub fn failed(&self, now: Instant, jitter: f64) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let in_a_row =
            last.filter(|last| now < last.at + CALM).map_or(0, |last| last.in_a_row.saturating_add(1));
        *last = Some(Failure { at: now, in_a_row, next: now + PAUSES.wait(in_a_row, jitter) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_slow_down_and_calm_forgets_them() {
        let pace = Pace::default();
        let mut now = Instant::now();
        for expected_ms in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            pace.failed(now, 1.0);
            let next = pace.last.lock().unwrap().unwrap().next;
            assert_eq!((next - now).as_millis(), expected_ms);
            now = next;
        }
        now += CALM;
        pace.failed(now, 1.0);
        assert_eq!(pace.last.lock().unwrap().unwrap().next - now, PAUSES.first);
    }
}
