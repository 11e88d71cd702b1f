//! Which rows of one batch contend for the same key, and in which order.

use std::ops::Range;

use crate::record::Rows;
use crate::spec::Duplicates;

/// The rows of a batch, grouped by key. Groups are in the order of their keys, which is the order in which
/// every transaction must take its locks; within a group the best contender comes first, where records are merged the
/// first one.
#[derive(Debug)]
pub struct Contests {
    order: Vec<u32>,
    starts: Vec<u32>,
}

impl Contests {
    /// Groups `rows` for `mode`.
    pub fn new(rows: &Rows, mode: Duplicates) -> Self {
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let mut order: Vec<u32> = (0..count).collect();
        let position = |row: u32| rows.origin(row as usize).position;
        order.sort_unstable_by(|&a, &b| {
            let by_position = match mode {
                Duplicates::Overwrite => position(b).cmp(&position(a)),
                Duplicates::Skip | Duplicates::Reject | Duplicates::Merge => position(a).cmp(&position(b)),
            };
            rows.key(a as usize).cmp(rows.key(b as usize)).then(by_position)
        });
        let mut starts = Vec::with_capacity(order.len() + 1);
        for (at, &row) in (0_u32..).zip(&order) {
            let same_key = at > 0 && rows.key(order[at as usize - 1] as usize) == rows.key(row as usize);
            if !same_key {
                starts.push(at);
            }
        }
        Self { order, starts }
    }

    /// How many different keys there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Whether no key stands twice.
    pub fn are_single(&self) -> bool {
        self.starts.len() == self.order.len()
    }

    /// The rows of group `group`, best contender first.
    pub fn group(&self, group: usize) -> impl ExactSizeIterator<Item = usize> + '_ {
        let end = self.starts.get(group + 1).map_or(self.order.len(), |&next| next as usize);
        let range: Range<usize> = self.starts[group] as usize..end;
        self.order[range].iter().map(|&row| row as usize)
    }

    /// All rows in the order of their keys.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.order.iter().map(|&row| row as usize)
    }
}
