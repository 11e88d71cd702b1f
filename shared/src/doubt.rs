//! Errors that are said to be for good, and are believed when they stay.
//!
//! A server that is being restored or taken over says strange things: that a table or a file is not there, that a
//! request makes no sense. What ends an operation has to be true for a while.

use std::time::{Duration, Instant};

use crate::error::PortError;

/// Since when somebody meets nothing but errors for good.
#[derive(Debug, Default)]
pub struct Doubt {
    since: Option<Instant>,
}

impl Doubt {
    /// Whether this error, met `now`, is one for good, and so were all that were met since at least `patience`.
    pub fn is_over(&mut self, error: &PortError, now: Instant, patience: Duration) -> bool {
        if !error.is_permanent() {
            self.since = None;
            return false;
        }
        now.duration_since(*self.since.get_or_insert(now)) >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind::{Internal, Refused, Unavailable};

    #[expect(clippy::disallowed_methods, reason = "some instant: there is no other way to make one")]
    fn tests_clock() -> Instant {
        Instant::now()
    }

    #[test]
    fn only_errors_for_good_that_stay_are_believed() {
        let (mut doubt, mut now) = (Doubt::default(), tests_clock());
        let mut is_over = |kind, seconds| {
            now += Duration::from_secs(seconds);
            doubt.is_over(&PortError::new(kind, "postgresql", "no"), now, Duration::from_secs(30))
        };
        assert!(!is_over(Internal, 0));
        assert!(!is_over(Refused, 29));
        assert!(is_over(Internal, 1));
        assert!(!is_over(Unavailable, 1), "it may pass");
        assert!(!is_over(Internal, 1), "from here on anew");
        assert!(!is_over(Internal, 29));
        assert!(is_over(Refused, 1));
    }
}
