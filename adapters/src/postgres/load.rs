//! The general path: rows that may meet others in the table, or be refused by it.
//!
//! A round looks up what the keys hold, decides for the best contender of each key
//! ([`carrack_shared::duplicates::decide`]), and writes. Keys that were taken meanwhile, and the contenders
//! behind a refused one, go into the next round. Rounds end: a contender that the table neither takes nor
//! holds is refused after [`TRIES`].
//!
//! # Locks
//! In the first round every transaction first locks rows that are there, then inserts others, both in the
//! order of the keys; so no two can wait for each other in a circle. Later rounds break that order, so they
//! do not wait for a row: the transaction is given up and tried again, which is cheaper than the second
//! that the server takes to find a deadlock.
//!
//! Where rows that are met mostly stay as they are (all modes but overwriting), they are read without a
//! lock first, and locked and read again only where the verdict would change one.

use std::collections::HashMap;

use carrack_shared::duplicates::merge::Merging;
use carrack_shared::duplicates::{Books, Contests, Verdict, decide};
use carrack_shared::error::PortResult;
use carrack_shared::operation::OperationId;
use carrack_shared::record::{Position, RecordHash, Rows};
use carrack_shared::spec::{Duplicates, ImportSpec};
use deadpool_postgres::Transaction;

use super::bisect::{Over, Write, apply, apply_over};
use super::error::internal;
use super::merge;
use super::tables::Table;
use super::takeover::{self, Lock, Memory};

/// Rounds in which a row may find its key free and yet not be inserted.
pub(super) const TRIES: u32 = 4;

/// Why a row is refused that no statement fails for.
pub(super) const LEFT_OUT: &str =
    "the table did not keep the row, expected it to; a trigger or rule leaves it out";

/// Where the rows of a batch go.
pub(super) struct Target<'batch> {
    pub(super) tx: &'batch Transaction<'batch>,
    pub(super) table: &'batch Table<'batch>,
    pub(super) operation: OperationId,
    pub(super) mode: Duplicates,
    /// Whether the images of rows are kept that are overwritten.
    pub(super) images: bool,
    pub(super) rows: &'batch Rows,
    /// By row; empty for a COPY, which hashes as it writes.
    pub(super) hashes: &'batch [RecordHash],
}

impl Target<'_> {
    /// The name of the rows' type.
    pub(super) fn data_type(&self) -> &str {
        self.rows.data_type().name.as_str()
    }
}

/// The row of a group whose turn it is.
#[derive(Clone, Copy)]
struct Contender {
    group: usize,
    at: usize,
    row: usize,
    tries: u32,
    /// Whether the image of what its key held before the import is kept already.
    has_image: bool,
}

impl Contender {
    fn new(contests: &Contests, group: usize, at: usize) -> Option<Self> {
        contests.group(group).nth(at).map(|row| Self { group, at, row, tries: 0, has_image: false })
    }

    fn next(self, contests: &Contests) -> Option<Self> {
        Self::new(contests, self.group, self.at + 1)
    }

    fn behind(self, contests: &Contests) -> impl Iterator<Item = usize> + '_ {
        contests.group(self.group).skip(self.at + 1)
    }
}

/// Loads all rows and enters what became of each into the books. Not where they are merged.
pub(super) async fn load(target: &Target<'_>, contests: &Contests, books: &mut Books<'_>) -> PortResult<()> {
    let mut open: Vec<Contender> =
        (0..contests.len()).filter_map(|group| Contender::new(contests, group, 0)).collect();
    let mut lock = Lock::Wait;
    while !open.is_empty() {
        let mut round = Round { target, contests, books: &mut *books, again: Vec::new() };
        round.run(&open, lock).await?;
        open = round.again;
        open.sort_unstable_by_key(|contender| contender.group);
        lock = Lock::DoNotWait;
    }
    Ok(())
}

/// The same, whatever the import does with keys that are taken.
pub(super) async fn load_as(
    target: &Target<'_>,
    import: &ImportSpec,
    contests: &Contests,
    books: &mut Books<'_>,
) -> PortResult<()> {
    if import.duplicates != Duplicates::Merge {
        return load(target, contests, books).await;
    }
    let merging = Merging::new(target.rows.data_type(), import.validate_schema);
    merge::load(target, &merging, contests, books).await
}

struct Round<'round, 'batch> {
    target: &'round Target<'round>,
    contests: &'round Contests,
    books: &'round mut Books<'batch>,
    again: Vec<Contender>,
}

impl Round<'_, '_> {
    async fn run(&mut self, open: &[Contender], lock: Lock) -> PortResult<()> {
        let (mut inserts, mut writes) = (Vec::new(), Vec::new());
        if self.target.mode == Duplicates::Overwrite {
            self.sort(open, lock, &mut inserts, &mut writes).await?;
        } else {
            let mut doubtful = Vec::new();
            self.sort(open, Lock::None, &mut inserts, &mut doubtful).await?;
            let doubtful: Vec<Contender> = doubtful.into_iter().map(|(contender, _)| contender).collect();
            self.sort(&doubtful, lock, &mut inserts, &mut writes).await?;
            inserts.sort_unstable_by_key(|contender| contender.group);
        }
        self.overwrite(&writes).await?;
        self.insert(&inserts).await
    }

    /// Decides, settles what needs no writing, and sorts the rest by what it needs.
    async fn sort(
        &mut self,
        open: &[Contender],
        lock: Lock,
        inserts: &mut Vec<Contender>,
        writes: &mut Vec<(Contender, Verdict)>,
    ) -> PortResult<()> {
        for (contender, verdict) in self.decide(open, lock).await? {
            match verdict {
                Verdict::Insert => inserts.push(contender),
                Verdict::Taken | Verdict::Lose { .. } => self.settle(contender, &verdict),
                Verdict::Replace { .. } | Verdict::Keep { .. } => writes.push((contender, verdict)),
            }
        }
        Ok(())
    }

    async fn decide(&self, open: &[Contender], lock: Lock) -> PortResult<Vec<(Contender, Verdict)>> {
        let Target { tx, table, operation, mode, hashes, .. } = *self.target;
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let keys = open.iter().map(|contender| self.key(contender.row)).collect::<PortResult<Vec<_>>>()?;
        let existing = takeover::existing(tx, table, &keys, lock).await?;
        let takeovers = match mode {
            Duplicates::Overwrite => takeover::find(tx, operation, self.target.data_type(), &keys).await?,
            Duplicates::Reject | Duplicates::Skip | Duplicates::Merge => HashMap::new(),
        };
        let verdicts = open.iter().zip(keys).map(|(&contender, key)| {
            let (position, hash) = (self.position(contender.row), hashes[contender.row]);
            let claimed = takeovers.get(key);
            let takeover = claimed.map(|claimed| &claimed.what);
            let verdict = decide(mode, operation, position, hash, existing.get(key), takeover);
            (Contender { has_image: claimed.is_some_and(|claimed| claimed.has_image), ..contender }, verdict)
        });
        Ok(verdicts.collect())
    }

    async fn overwrite(&mut self, writes: &[(Contender, Verdict)]) -> PortResult<()> {
        let replaces = |verdict: &Verdict| matches!(verdict, Verdict::Replace { .. });
        let rows = writes.iter().filter_map(|(contender, verdict)| match verdict {
            Verdict::Replace { counted, .. } => {
                Some(Over { row: contender.row, counted: *counted, has_image: contender.has_image })
            }
            _ => None,
        });
        let mut applied = apply_over(self.target, rows).await?;
        let mut memory = Memory::default();
        for (contender, verdict) in writes {
            let position = self.position(contender.row);
            let taken = applied.taken.get(&position).copied();
            if replaces(verdict) && taken.is_none() {
                let reason = applied.refused.remove(&contender.row).unwrap_or_else(|| LEFT_OUT.to_owned());
                self.refuse(*contender, reason);
                continue;
            }
            let (displaced, takeover) = match *verdict {
                Verdict::Replace { displaced, takeover, .. } => (displaced, takeover),
                Verdict::Keep { displaced, takeover } => (displaced, Some(takeover)),
                Verdict::Insert | Verdict::Taken | Verdict::Lose { .. } => (None, None),
            };
            memory.note(
                key_of(self.target.rows, contender.row)?,
                position,
                displaced,
                takeover,
                taken.flatten(),
            );
            self.settle(*contender, verdict);
        }
        memory.store(self.target.tx, self.target.operation, self.target.data_type()).await
    }

    async fn insert(&mut self, inserts: &[Contender]) -> PortResult<()> {
        let rows: Vec<usize> = inserts.iter().map(|contender| contender.row).collect();
        let mut applied = apply(self.target, Write::Insert, &rows).await?;
        for &contender in inserts {
            if applied.taken.contains_key(&self.position(contender.row)) {
                self.settle(contender, &Verdict::Insert);
            } else if let Some(reason) = applied.refused.remove(&contender.row) {
                self.refuse(contender, reason);
            } else if contender.tries + 1 < TRIES {
                // Somebody else has inserted the key meanwhile.
                self.again.push(Contender { tries: contender.tries + 1, ..contender });
            } else {
                self.refuse(contender, LEFT_OUT.to_owned());
            }
        }
        Ok(())
    }

    fn settle(&mut self, contender: Contender, verdict: &Verdict) {
        self.books.settle(contender.row, verdict, contender.behind(self.contests));
    }

    /// Enters a refused row; the next contender of its key has its turn.
    fn refuse(&mut self, contender: Contender, reason: String) {
        self.books.refuse(contender.row, reason);
        self.again.extend(contender.next(self.contests));
    }

    fn key(&self, row: usize) -> PortResult<&str> {
        key_of(self.target.rows, row)
    }

    fn position(&self, row: usize) -> Position {
        self.target.rows.origin(row).position
    }
}

/// The key of a row as text, which accepted records are.
pub(super) fn key_of(rows: &Rows, row: usize) -> PortResult<&str> {
    std::str::from_utf8(rows.key(row))
        .map_err(|error| internal("an accepted key that is not text").because(error))
}
