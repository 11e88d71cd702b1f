//! When to stop asking a server that does not answer: after a failure nobody asks for a while, then one
//! caller tries, and only its success lets the others in again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use carrack_shared::backoff::Backoff;

/// How long nobody asks: short enough that progress is fresh soon after a restart, long enough that workers
/// spend no noticeable time on a server that is frozen.
const PAUSES: Backoff = Backoff { first: Duration::from_millis(500), most: Duration::from_secs(5) };

/// The least share of a pause that jitter leaves.
const LEAST_SHARE: f64 = 0.5;

/// Lets callers through while the server answers.
#[derive(Default)]
pub struct Circuit {
    trouble: Mutex<Option<Trouble>>,
}

#[derive(Clone, Copy)]
struct Trouble {
    failures: u32,
    until: Instant,
}

impl Circuit {
    /// Whether to ask now. In trouble, one caller per pause is let through.
    pub fn admits(&self, now: Instant) -> bool {
        let mut trouble = self.lock();
        match trouble.as_mut() {
            None => true,
            Some(trouble) if now < trouble.until => false,
            Some(trouble) => {
                // Until this caller knows better, the others keep out.
                trouble.until = now + pause(trouble.failures);
                true
            }
        }
    }

    /// The server answered.
    pub fn succeeded(&self) {
        *self.lock() = None;
    }

    /// The server did not answer. Answers whether that is news.
    pub fn failed(&self, now: Instant) -> bool {
        let mut trouble = self.lock();
        let failures = trouble.map_or(0, |trouble| trouble.failures.saturating_add(1));
        *trouble = Some(Trouble { failures, until: now + pause(failures) });
        failures == 0
    }

    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        // Holders only assign, so that a poisoned lock guards a whole value.
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pause(failures: u32) -> Duration {
    PAUSES.wait(failures, rand::random_range(LEAST_SHARE..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_tries_after_each_pause() {
        let circuit = Circuit::default();
        let mut now = Instant::now();
        assert!(circuit.admits(now) && circuit.admits(now));
        assert!(circuit.failed(now), "news");
        for failures in 0..10 {
            assert!(!circuit.admits(now), "right after failure {failures}");
            now += PAUSES.wait(failures, 1.0);
            assert!(circuit.admits(now), "after the pause");
            assert!(!circuit.admits(now), "only one tries");
            assert!(!circuit.failed(now), "no news");
        }
        circuit.succeeded();
        assert!(circuit.admits(now) && circuit.admits(now));
    }
}
