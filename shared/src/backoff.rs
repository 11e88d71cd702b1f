//! How long to wait before the next try: exponential, capped, with full jitter.

use std::time::Duration;

/// Waits grow from `first` by a factor of two up to `most`.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// The longest first wait.
    pub first: Duration,
    /// The longest wait of all.
    pub most: Duration,
}

impl Backoff {
    /// The wait before retry number `attempt` (from 0); `jitter` in `0.0..=1.0` scales it ("full jitter"),
    /// so that a fleet that failed together does not come back together.
    pub fn wait(&self, attempt: u32, jitter: f64) -> Duration {
        let ceiling = self.first.saturating_mul(2_u32.saturating_pow(attempt.min(31))).min(self.most);
        ceiling.mul_f64(jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most() {
        let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(2) };
        let waits: Vec<u128> = (0..7).map(|attempt| backoff.wait(attempt, 1.0).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(backoff.wait(40, 1.0), backoff.most);
        assert_eq!(backoff.wait(3, 0.0), Duration::ZERO);
    }
}
