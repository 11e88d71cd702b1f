//! Loading rows that are merged into those of the table: the rows that the keys hold are locked and read, all records
//! of a key are merged into its row, and it is written once.
//!
//! A round first locks the rows of all its keys, in their order, as [`super::load`] does; then it goes through the
//! keys in pieces, for a row may be much larger than what a record changes in it. Keys that were taken meanwhile, and
//! records of a row that the table refuses, which are then merged one by one, go into the next round.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;

use carrack_shared::duplicates::merge::{Held, LeftOut, Merged, Merging, Write};
use carrack_shared::duplicates::{Books, Contests, Existing};
use carrack_shared::error::{ErrorKind, PortResult};
use carrack_shared::limits::MERGED_BYTES;
use carrack_shared::record::{Origin, RecordHash, Rows};
use deadpool_postgres::Transaction;
use futures_util::TryStreamExt;
use tokio_postgres::Row;

use super::bisect::{self, Over, apply, apply_over};
use super::error::failed;
use super::load::{LEFT_OUT, TRIES, Target, key_of};
use super::scan::read_cell;
use super::tables::Table;
use super::takeover::{self, Lock, Memory};

/// Keys whose rows are read at a time: few at first, for the rows may be large.
const KEYS: Range<usize> = 50..500;

/// The rows of keys, or why one cannot be read.
pub(super) struct Holders {
    rows: Rows,
    /// Whether those of all keys were read, which may be too much at a time.
    whole: bool,
    found: HashMap<String, Result<(Existing, usize), String>>,
}

impl Holders {
    /// What `keys` hold, up to [`MERGED_BYTES`].
    pub(super) async fn find(tx: &Transaction<'_>, table: &Table<'_>, keys: &[&str]) -> PortResult<Self> {
        let what = "read the rows of keys";
        let mut holders = Self { rows: nothing_of(table), whole: true, found: HashMap::new() };
        if keys.is_empty() {
            return Ok(holders);
        }
        let statement = tx.prepare(&table.held()).await.map_err(failed(what))?;
        let mut found = pin!(tx.query_raw(&statement, [keys]).await.map_err(failed(what))?);
        while let Some(row) = found.try_next().await.map_err(failed(what))? {
            if holders.rows.memory() >= MERGED_BYTES {
                // The connection passes over the others.
                holders.whole = false;
                break;
            }
            holders.add(&row)?;
        }
        Ok(holders)
    }

    /// Whether it is known what a key holds.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.whole || self.found.contains_key(key)
    }

    fn add(&mut self, row: &Row) -> PortResult<()> {
        let existing = takeover::read_existing(row)?;
        let mut cells = Vec::with_capacity(self.rows.width());
        for slot in 0..self.rows.width() {
            match read_cell(row, slot, &mut self.rows) {
                Ok(cell) => cells.push(cell),
                // What its user has written there by hand.
                Err(error) if error.kind == ErrorKind::Refused => {
                    let key = row.try_get("_key").map_err(failed("read a key"))?;
                    self.found.insert(key, Err(error.message));
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.rows.push(Origin { position: existing.position, frame: 0..0 }, &cells);
        let last = self.rows.len() - 1;
        let key = String::from_utf8_lossy(self.rows.key(last)).into_owned();
        self.found.insert(key, Ok((existing, last)));
        Ok(())
    }

    /// What a key holds; why that cannot be read.
    pub(super) fn of(&self, key: &str) -> Result<Option<Held<'_>>, String> {
        match self.found.get(key) {
            None => Ok(None),
            Some(Ok((existing, row))) => Ok(Some(Held { existing: *existing, rows: &self.rows, row: *row })),
            Some(Err(reason)) => Err(reason.clone()),
        }
    }
}

fn nothing_of(table: &Table<'_>) -> Rows {
    Rows::new(Arc::new(table.data_type.clone()), bytes::Bytes::new(), 0, 0)
}

/// Records of one key that are to be merged: all together, or one after the other.
struct Pending {
    records: Vec<usize>,
    singly: bool,
    tries: u32,
}

impl Pending {
    /// Those that are merged in this round.
    fn now(&self) -> &[usize] {
        if self.singly { &self.records[..1] } else { &self.records }
    }
}

/// Merges all rows and enters what became of each into the books.
pub(super) async fn load(
    target: &Target<'_>,
    merging: &Merging,
    contests: &Contests,
    books: &mut Books<'_>,
) -> PortResult<()> {
    let group = |group| Pending { records: contests.group(group).collect(), singly: false, tries: 0 };
    let mut open: Vec<Pending> = (0..contests.len()).map(group).collect();
    let mut lock = Lock::Wait;
    while !open.is_empty() {
        let mut round = Round { target, merging, books: &mut *books, again: Vec::new() };
        round.run(open, lock).await?;
        open = round.again;
        lock = Lock::DoNotWait;
    }
    Ok(())
}

/// The records of a key, merged.
struct Outcome {
    pending: Pending,
    merged: Merged,
    left_out: Vec<(usize, LeftOut)>,
    /// Its number in the rows to be written.
    row: Option<usize>,
    /// Whether the image of what the key held before the import is kept already.
    has_image: bool,
}

struct Round<'round, 'batch> {
    target: &'round Target<'round>,
    merging: &'round Merging,
    books: &'round mut Books<'batch>,
    again: Vec<Pending>,
}

impl Round<'_, '_> {
    async fn run(&mut self, open: Vec<Pending>, lock: Lock) -> PortResult<()> {
        let target = self.target;
        let key = |pending: &Pending| key_of(target.rows, pending.records[0]);
        let keys = open.iter().map(key).collect::<PortResult<Vec<_>>>()?;
        let locked = takeover::existing(target.tx, target.table, &keys, lock).await?;
        let (mut open, mut at_a_time) = (VecDeque::from(open), KEYS.start);
        while !open.is_empty() {
            let piece: Vec<Pending> = open.drain(..at_a_time.min(open.len())).collect();
            let taken = piece.len();
            let unread = self.piece(piece, &locked).await?;
            at_a_time = if unread.is_empty() { KEYS.end.min(2 * at_a_time) } else { taken - unread.len() };
            unread.into_iter().rev().for_each(|pending| open.push_front(pending));
        }
        Ok(())
    }

    /// Answers those whose rows were not read, because the others take so much; never all.
    async fn piece(
        &mut self,
        open: Vec<Pending>,
        locked: &HashMap<String, Existing>,
    ) -> PortResult<Vec<Pending>> {
        let Target { tx, table, operation, rows, .. } = *self.target;
        let key = |pending: &Pending| key_of(rows, pending.records[0]);
        let keys = open.iter().map(key).collect::<PortResult<Vec<_>>>()?;
        let known: Vec<&str> = keys.iter().copied().filter(|key| locked.contains_key(*key)).collect();
        let holders = Holders::find(tx, table, &known).await?;
        let mut remembered = takeover::remembered(tx, operation, self.target.data_type(), &keys).await?;
        let mut out = nothing_of(table);
        let (mut merged, mut unread) = (Vec::with_capacity(open.len()), Vec::new());
        for (pending, key) in open.into_iter().zip(keys) {
            if locked.contains_key(key) && !holders.knows(key) {
                unread.push(pending);
                continue;
            }
            let held = match holders.of(key) {
                Ok(held) => held,
                Err(reason) => {
                    pending.records.iter().for_each(|&record| self.books.refuse(record, reason.clone()));
                    continue;
                }
            };
            let claimed = remembered.remove(key);
            let has_image = claimed.as_ref().is_some_and(|claimed| claimed.has_image);
            let mut fold = self.merging.begin(operation, held, claimed.as_ref().map(|claimed| &claimed.what));
            let records = pending.now().iter().copied();
            let left_out: Vec<_> =
                records.filter_map(|record| Some((record, fold.add(rows, record)?))).collect();
            match fold.end(&mut out) {
                Some(whole) => {
                    let row = (whole.write != Write::Keep).then(|| out.len() - 1);
                    merged.push(Outcome { pending, merged: whole, left_out, row, has_image });
                }
                None => self.settled(pending, &left_out),
            }
        }
        self.write(merged, &out).await?;
        Ok(unread)
    }

    async fn write(&mut self, merged: Vec<Outcome>, out: &Rows) -> PortResult<()> {
        let hashes: Vec<RecordHash> = (0..out.len()).map(|row| out.hash(row)).collect();
        let target = Target { rows: out, hashes: &hashes, ..*self.target };
        let rows = |write| {
            let of_kind = merged.iter().filter(move |one| one.merged.write == write);
            of_kind.filter_map(|one| {
                Some(Over { row: one.row?, counted: one.merged.counted.1, has_image: one.has_image })
            })
        };
        let updated = apply_over(&target, rows(Write::Update)).await?;
        let inserted: Vec<usize> = rows(Write::Insert).map(|over| over.row).collect();
        let inserted = apply(&target, bisect::Write::Insert, &inserted).await?;
        let (batch, mut memory) = (self.target.rows, Memory::default());
        for mut one in merged {
            let of_kind = if one.merged.write == Write::Insert { &inserted } else { &updated };
            let refused = one.row.and_then(|row| of_kind.refused.get(&row).cloned());
            let taken = one.row.map(|row| of_kind.taken.get(&out.origin(row).position).copied());
            // What is kept as it is need not be written.
            if let Some(image) = taken.unwrap_or(Some(None)) {
                let first = one.pending.records[0];
                self.books.merge(first, &one.merged);
                if let Some(remembered) = &one.merged.remembered {
                    memory.remember(key_of(batch, first)?, remembered.clone(), image);
                }
                self.settled(one.pending, &one.left_out);
            } else if refused.is_none() && one.merged.write == Write::Insert && one.pending.tries + 1 < TRIES
            {
                // Somebody else has inserted the key meanwhile.
                one.pending.tries += 1;
                self.again.push(one.pending);
            } else {
                self.refused(one.pending, refused.unwrap_or_else(|| LEFT_OUT.to_owned()));
            }
        }
        memory.store(self.target.tx, self.target.operation, self.target.data_type()).await
    }

    /// Enters what was left out; what is left of its key has its turn next.
    fn settled(&mut self, mut pending: Pending, left_out: &[(usize, LeftOut)]) {
        for &(record, why) in left_out {
            self.books.leave_out(record, self.merging.faults(self.target.rows, record, why));
        }
        if pending.singly && pending.records.len() > 1 {
            pending.records.remove(0);
            self.again.push(Pending { tries: 0, ..pending });
        }
    }

    /// One of the records is why the row is refused: the others are merged as if it were not there.
    fn refused(&mut self, mut pending: Pending, reason: String) {
        match pending.now() {
            [one] => {
                self.books.refuse(*one, reason);
                self.settled(Pending { singly: true, ..pending }, &[]);
            }
            _ => {
                pending.singly = true;
                self.again.push(Pending { tries: 0, ..pending });
            }
        }
    }
}
