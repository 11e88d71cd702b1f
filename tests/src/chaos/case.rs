//! What a round imports, and how: by its seed, so that nine rounds in a row try everything.

use std::fmt;

use carrack_shared::spec::Duplicates;

use super::wrap::Wrap;
use crate::generate::Shape;

const MODES: [Duplicates; 3] = [Duplicates::Reject, Duplicates::Skip, Duplicates::Overwrite];
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
    /// The case of a seed: three from a multiple of three have all modes and all layouts, any nine in a row all pairs
    /// of them, any four in a row every wrap, any 36 in a row everything.
    pub fn of(seed: u64) -> Self {
        let pick = |number: u64| usize::try_from(number % 3).unwrap_or_default();
        let wrap = Wrap::ALL[usize::try_from(seed % 4).unwrap_or_default()];
        Self { shape: SHAPES[pick(seed + seed / 3)], wrap, duplicates: MODES[pick(seed)] }
    }

    /// The option of `carrack import`; the default mode has none.
    pub(super) fn option(self) -> Option<&'static str> {
        match self.duplicates {
            Duplicates::Reject => None,
            Duplicates::Skip => Some("--skip-duplicates"),
            Duplicates::Overwrite => Some("--overwrite"),
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

    #[test]
    fn nine_seeds_in_a_row_have_all_pairs_and_three_every_mode_and_layout() {
        for seed in 0..20 {
            let cases = |count| (seed..).take(count).map(Case::of);
            let pairs: HashSet<_> = cases(9).map(|case| (case.shape, case.option())).collect();
            let wraps: HashSet<_> = cases(4).map(|case| case.wrap).collect();
            let all: HashSet<String> = cases(36).map(|case| case.to_string()).collect();
            assert_eq!((pairs.len(), wraps.len(), all.len()), (9, 4, 36));
            let three: Vec<Case> = (seed / 3 * 3..).take(3).map(Case::of).collect();
            let shapes: HashSet<Shape> = three.iter().map(|case| case.shape).collect();
            let modes: HashSet<_> = three.iter().map(|case| case.option()).collect();
            assert_eq!((shapes.len(), modes.len()), (3, 3), "{three:?}");
        }
        assert_eq!(
            Case::of(0),
            Case { shape: Shape::JsonArray, wrap: Wrap::Plain, duplicates: Duplicates::Reject }
        );
    }
}
