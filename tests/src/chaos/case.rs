//! What a round imports, and how: by its seed, so that nine rounds in a row try everything.

use std::fmt;

use carrack_shared::spec::Duplicates;

use crate::generate::Shape;

const MODES: [Duplicates; 3] = [Duplicates::Reject, Duplicates::Skip, Duplicates::Overwrite];
const SHAPES: [Shape; 3] = [Shape::JsonArray, Shape::Ndjson, Shape::Csv];

/// The layout of the file, and what becomes of its duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// The layout.
    pub shape: Shape,
    /// The mode.
    pub duplicates: Duplicates,
}

impl Case {
    /// The case of a seed: three from a multiple of three have all modes and all layouts, any nine in a row all pairs.
    pub fn of(seed: u64) -> Self {
        let pick = |number: u64| usize::try_from(number % 3).unwrap_or_default();
        Self { shape: SHAPES[pick(seed + seed / 3)], duplicates: MODES[pick(seed)] }
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
        write!(f, "{shape}, {}", self.option().unwrap_or("duplicates rejected"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nine_seeds_in_a_row_have_all_pairs_and_three_every_mode_and_layout() {
        for seed in 0..20 {
            let pairs: HashSet<String> = (seed..).take(9).map(|seed| Case::of(seed).to_string()).collect();
            assert_eq!(pairs.len(), 9);
            let three: Vec<Case> = (seed / 3 * 3..).take(3).map(Case::of).collect();
            let shapes: HashSet<Shape> = three.iter().map(|case| case.shape).collect();
            let modes: HashSet<_> = three.iter().map(|case| case.option()).collect();
            assert_eq!((shapes.len(), modes.len()), (3, 3), "{three:?}");
        }
        assert_eq!(Case::of(0), Case { shape: Shape::JsonArray, duplicates: Duplicates::Reject });
    }
}
