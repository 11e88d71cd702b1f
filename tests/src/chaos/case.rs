//! What a round imports, and how: by its seed, so that twelve rounds in a row try all modes with all layouts.

use std::fmt;

use carrack_shared::spec::Duplicates;

use super::wrap::Wrap;
use crate::generate::Shape;

const MODES: [Duplicates; 4] =
    [Duplicates::Reject, Duplicates::Skip, Duplicates::Overwrite, Duplicates::Merge];
const SHAPES: [Shape; 3] = [Shape::JsonArray, Shape::Ndjson, Shape::Csv];

/// The layout of the file, what it is wrapped in, and what becomes of its duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// The layout.
    pub shape: Shape,
    /// What it is wrapped in.
    pub wrap: Wrap,
    /// The mode.
    pub duplicates: Duplicates,
}

impl Case {
    /// The case of a seed: any three in a row have every layout, any four every mode, any twelve all pairs of them;
    /// four from a multiple of four have every wrap, 48 from a multiple of 48 everything.
    pub fn of(seed: u64) -> Self {
        let pick = |number: u64, of: u64| usize::try_from(number % of).unwrap_or_default();
        let (shape, wrap) = (SHAPES[pick(seed, 3)], Wrap::ALL[pick(seed + seed / 12, 4)]);
        Self { shape, wrap, duplicates: MODES[pick(seed, 4)] }
    }

    /// The option of `carrack import`; the default mode has none.
    pub(super) fn option(self) -> Option<&'static str> {
        match self.duplicates {
            Duplicates::Reject => None,
            Duplicates::Skip => Some("--skip-duplicates"),
            Duplicates::Overwrite => Some("--overwrite"),
            Duplicates::Merge => Some("--merge"),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = match self.shape {
            Shape::JsonArray => "JSON array",
            Shape::Ndjson => "NDJSON",
            Shape::Csv => "CSV",
        };
        write!(f, "{shape}, {:?}, {}", self.wrap, self.option().unwrap_or("duplicates rejected"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn cases(seed: u64, count: usize) -> impl Iterator<Item = Case> {
        (seed..).take(count).map(Case::of)
    }

    #[test]
    fn twelve_seeds_in_a_row_have_all_pairs_and_four_every_mode_and_wrap() {
        for seed in 0..60 {
            let pairs: HashSet<_> = cases(seed, 12).map(|case| (case.shape, case.option())).collect();
            let modes: HashSet<_> = cases(seed, 4).map(Case::option).collect();
            let shapes: HashSet<Shape> = cases(seed, 3).map(|case| case.shape).collect();
            let wraps: HashSet<_> = cases(seed / 4 * 4, 4).map(|case| case.wrap).collect();
            let all: HashSet<String> = cases(seed / 48 * 48, 48).map(|case| case.to_string()).collect();
            let found = (pairs.len(), modes.len(), shapes.len(), wraps.len(), all.len());
            assert_eq!(found, (12, 4, 3, 4, 48), "{seed}");
        }
        assert_eq!(
            Case::of(0),
            Case { shape: Shape::JsonArray, wrap: Wrap::Plain, duplicates: Duplicates::Reject }
        );
    }
}
