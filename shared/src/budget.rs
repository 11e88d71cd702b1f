//! How many bad records an import may have before it is stopped.

use serde::{Deserialize, Serialize};

use crate::limits::BUDGET_RATE_RECORDS;
use crate::operation::Failure;
use crate::tally::Tally;

/// A share of records, in millionths: from 0.000001 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(u32);

/// Millionths of a whole.
const WHOLE: u32 = 1_000_000;

impl Rate {
    /// The rate, if it is above 0 and at most 1, to a millionth.
    pub fn new(share: f64) -> Option<Self> {
        let millionths = (share * f64::from(WHOLE)).round();
        let fits = share <= 1.0 && (1.0..=f64::from(WHOLE)).contains(&millionths);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is used where it fits"
        )]
        let whole = millionths as u32;
        fits.then_some(Self(whole))
    }

    /// In percent, for people.
    fn percent(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE / 100)
    }
}

/// What an import may have of bad records; nothing is said by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// So many rejects at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_errors: Option<u64>,
    /// At most this share of the records that were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_error_rate: Option<Rate>,
}

impl Budget {
    /// Whether nothing is said.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// Why an import that stands so has to be stopped, if it has to. A rate says little of a few records: it
    /// is looked at from [`BUDGET_RATE_RECORDS`] on, or when all were read.
    pub fn passed(&self, tally: &Tally, all_read: bool) -> Option<Failure> {
        let Tally { read, rejected, .. } = *tally;
        // What was under way then is still counted when the import ends.
        let so_far = if all_read { "" } else { " so far" };
        if let Some(most) = self.max_errors.filter(|most| rejected > *most) {
            let message =
                format!("found {rejected} rejected records{so_far}, expected at most {most} (maxErrors)");
            return Some(Failure::new("budget.errors", message));
        }
        let rate = self.max_error_rate.filter(|_| all_read || read >= BUDGET_RATE_RECORDS)?;
        let is_above = u128::from(rejected) * u128::from(WHOLE) > u128::from(read) * u128::from(rate.0);
        is_above.then(|| {
            let most = rate.percent();
            let message = format!(
                "found {rejected} of {read} records rejected{so_far}, expected at most {most} % (maxErrorRate)"
            );
            Failure::new("budget.rate", message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(read: u64, rejected: u64) -> Tally {
        Tally { read, created: read - rejected, rejected, ..Tally::default() }
    }

    #[test]
    fn a_budget_is_passed_by_one_more() {
        let errors = |most| Budget { max_errors: Some(most), max_error_rate: None };
        let rate = |share| Budget { max_errors: None, max_error_rate: Rate::new(share) };
        let both = Budget { max_errors: Some(5), max_error_rate: Rate::new(0.5) };
        let code = |budget: Budget, read, rejected, all_read| {
            budget.passed(&tally(read, rejected), all_read).map(|failure| failure.code)
        };
        for (budget, read, rejected, all_read, expected) in [
            (Budget::default(), 10, 10, true, None),
            (errors(0), 10, 0, true, None),
            (errors(0), 10, 1, false, Some("budget.errors")),
            (errors(10), 100, 10, true, None),
            (errors(10), 100, 11, false, Some("budget.errors")),
            (rate(0.02), 999, 500, false, None),
            (rate(0.02), 999, 500, true, Some("budget.rate")),
            (rate(0.02), 1_000, 20, false, None),
            (rate(0.02), 1_000, 21, false, Some("budget.rate")),
            (rate(0.02), 0, 0, true, None),
            (rate(1.0), 10, 10, true, None),
            (both, 10, 5, true, None),
            (both, 8, 5, true, Some("budget.rate")),
            (both, 8, 6, true, Some("budget.errors")),
        ] {
            let found = code(budget, read, rejected, all_read);
            assert_eq!(found.as_deref(), expected, "{budget:?}: {rejected} of {read}");
        }
    }

    #[test]
    fn rates_are_shares() {
        for (share, expected) in [
            (0.0, None),
            (0.000_000_1, None),
            (0.000_001, Some(0.0001)),
            (0.02, Some(2.0)),
            (1.0, Some(100.0)),
            (1.000_000_1, None),
            (2.0, None),
            (-0.5, None),
            (f64::NAN, None),
        ] {
            assert_eq!(Rate::new(share).map(Rate::percent), expected, "{share}");
        }
    }
}
