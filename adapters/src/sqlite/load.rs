//! Loads the rows of a batch, key by key: who contends, who holds the key, who gets it.

use std::collections::HashMap;
use std::sync::Arc;

use carrack_shared::duplicates::merge::Merging;
use carrack_shared::duplicates::{Books, Contests, Displaced, Existing, Takeover, Verdict, decide};
use carrack_shared::fault::Reject;
use carrack_shared::record::{Position, RecordHash, Rows};
use carrack_shared::spec::{Duplicates, ImportSpec, Spec};
use carrack_shared::tally::Counted;
use rusqlite::{CachedStatement, Transaction};

use super::claim::Lease;
use super::error::{SqlResult, impossible};
use super::images::{Keeper, existing};
use super::losers::Displacer;
use super::row::{RowWriter, Written};
use super::stored::{Utf8, first_of, id};
use super::takeovers::{Claimed, Takeovers};
use super::{merge, tables};

/// An import batch, ready for the writer: rows sorted into contests, and hashed.
pub(super) struct ImportBatch {
    /// The right to commit it.
    pub lease: Lease,
    /// The accepted records.
    pub rows: Arc<Rows>,
    /// The records refused before.
    pub rejects: Vec<Reject>,
    /// Records that the filters left out.
    pub filtered: u64,
    /// Bytes of the segment.
    pub bytes: u64,
    /// What the operation is to do, where its rows go to its stage.
    pub staged: Option<Spec>,
    mode: Duplicates,
    /// How its records are merged, where they are.
    pub merging: Option<Merging>,
    /// Whether the images of rows are kept that are overwritten.
    pub images: bool,
    stored_frames: HashMap<usize, String>,
    pub contests: Contests,
    hashes: Vec<RecordHash>,
}

impl ImportBatch {
    /// Sorts and hashes.
    pub fn new(
        lease: Lease,
        import: &ImportSpec,
        rows: Arc<Rows>,
        rejects: Vec<Reject>,
        stored_frames: HashMap<usize, String>,
        (filtered, bytes): (u64, u64),
    ) -> Self {
        let (mode, images) = (import.duplicates, import.undo);
        let contests = Contests::new(&rows, mode);
        let merges = mode == Duplicates::Merge;
        let merging = merges.then(|| Merging::new(rows.data_type(), import.validate_schema));
        let hashes = (0..rows.len()).map(|row| rows.hash(row)).collect();
        Self {
            lease,
            rows,
            rejects,
            filtered,
            bytes,
            staged: None,
            mode,
            merging,
            images,
            stored_frames,
            contests,
            hashes,
        }
    }

    /// The same with hashes that are known.
    pub fn hashed(self, hashes: Vec<RecordHash>) -> Self {
        Self { hashes, ..self }
    }

    /// All rows in the order of their keys.
    pub fn in_order(&self) -> impl Iterator<Item = usize> + '_ {
        self.contests.rows()
    }

    /// The hash of a row.
    pub fn hash(&self, row: usize) -> &RecordHash {
        &self.hashes[row]
    }
}

/// Loads a batch within `tx`. A row that the table refuses is entered in the books; the contender behind it
/// gets its turn.
pub(super) fn run<'batch>(
    tx: &Transaction<'_>,
    batch: &'batch ImportBatch,
    stamp: &str,
) -> SqlResult<Books<'batch>> {
    let mut books = Books::new(&batch.rows, batch.mode, &batch.stored_frames);
    if batch.rows.is_empty() {
        return Ok(books);
    }
    if let Some(merging) = &batch.merging {
        merge::run(tx, batch, merging, stamp, &mut books)?;
        return Ok(books);
    }
    let mut loader = Loader::new(tx, batch, stamp)?;
    for group in 0..batch.contests.len() {
        let mut contenders = batch.contests.group(group);
        while let Some(row) = contenders.next() {
            match loader.contend(row)? {
                Outcome::Decided(verdict) => {
                    books.settle(row, &verdict, contenders);
                    break;
                }
                Outcome::Refused(message) => books.refuse(row, message),
            }
        }
    }
    loader.images.map_or(Ok(()), Keeper::end)?;
    Ok(books)
}

enum Outcome {
    Decided(Verdict),
    Refused(String),
}

struct Loader<'tx, 'batch> {
    batch: &'batch ImportBatch,
    operation: String,
    insert: RowWriter<'tx>,
    update: RowWriter<'tx>,
    holder: CachedStatement<'tx>,
    takeovers: Takeovers<'tx>,
    displace: Displacer<'tx>,
    images: Option<Keeper<'tx>>,
    /// The column of the holder's `_operation`.
    origin: usize,
    /// Whether the key before was taken. Taken keys come in runs (a file imported again), and looking first
    /// saves the insert that would do nothing.
    look_first: bool,
}

impl<'tx, 'batch> Loader<'tx, 'batch> {
    fn new(tx: &'tx Transaction<'_>, batch: &'batch ImportBatch, stamp: &str) -> SqlResult<Self> {
        let data_type = batch.rows.data_type();
        let operation = id(batch.lease.operation);
        let writer = |sql: &str| RowWriter::new(tx, sql, data_type, &operation, stamp);
        // With images whole rows are looked up, so that none is looked up twice.
        let images = batch.images && batch.mode == Duplicates::Overwrite;
        let (holder, origin) = match images {
            true => (tables::row(data_type), data_type.fields.len() + 1),
            false => (tables::holder(data_type), 0),
        };
        Ok(Self {
            batch,
            insert: writer(&tables::insert(data_type))?,
            update: writer(&tables::update(data_type))?,
            holder: tx.prepare_cached(&holder)?,
            takeovers: Takeovers::new(tx, &operation, data_type.name.as_str())?,
            displace: Displacer::new(tx, &operation, data_type.name.as_str())?,
            images: images.then(|| Keeper::new(tx, &operation)).transpose()?,
            origin,
            operation,
            look_first: false,
        })
    }

    /// Tries to give its key to `row`.
    fn contend(&mut self, row: usize) -> SqlResult<Outcome> {
        let key = self.batch.rows.key(row);
        let mut existing = if self.look_first { self.holder_of(key)? } else { None };
        if existing.is_none() {
            match self.insert.write(&self.batch.rows, row, &self.batch.hashes[row])? {
                Written::Row => {
                    self.look_first = false;
                    return Ok(Outcome::Decided(Verdict::Insert));
                }
                Written::Refused(message) => return Ok(Outcome::Refused(message)),
                Written::Nothing => existing = self.holder_of(key)?,
            }
        }
        let Some(existing) = existing else { return Ok(left_out()) };
        self.look_first = true;
        self.challenge(row, &existing)
    }

    /// Contends for a key that is taken.
    fn challenge(&mut self, row: usize, existing: &Existing) -> SqlResult<Outcome> {
        let (rows, hash) = (&self.batch.rows, self.batch.hashes[row]);
        let (key, position) = (rows.key(row), rows.origin(row).position);
        let claimed = self.takeover_of(key)?;
        let has_image = claimed.as_ref().is_some_and(|claimed| claimed.has_image);
        let takeover = claimed.map(|claimed| claimed.what);
        let (mode, operation) = (self.batch.mode, self.batch.lease.operation);
        let verdict = decide(mode, operation, position, hash, Some(existing), takeover.as_ref());
        match &verdict {
            Verdict::Insert => return Err(impossible("a taken key was decided to be free")),
            Verdict::Replace { counted, displaced, takeover } => {
                // The row as it is before the first record of this operation goes over it.
                let was_there = *counted != Counted::Created && existing.operation != operation;
                let images = self.images.as_mut().filter(|_| was_there && !has_image);
                match self.update.write(rows, row, &hash)? {
                    Written::Row => {}
                    Written::Refused(message) => return Ok(Outcome::Refused(message)),
                    Written::Nothing => return Ok(left_out()),
                }
                let image = images.map(Keeper::keep).transpose()?;
                self.remember(key, position, displaced.as_ref(), takeover.as_ref(), image)?;
            }
            Verdict::Keep { displaced, takeover } => {
                self.remember(key, position, displaced.as_ref(), Some(takeover), None)?;
            }
            Verdict::Taken | Verdict::Lose { .. } => {}
        }
        Ok(Outcome::Decided(verdict))
    }

    fn holder_of(&mut self, key: &[u8]) -> SqlResult<Option<Existing>> {
        let (own, operation) = (self.operation.as_bytes(), self.batch.lease.operation);
        first_of(&mut self.holder, [Utf8(key)], |row| {
            let ours = row.get_ref(self.origin)?.as_bytes().is_ok_and(|found| found == own);
            let known = ours.then_some(operation);
            if let (Some(images), false) = (&mut self.images, ours) {
                images.take(row)?;
            }
            existing(row, self.origin, known)
        })
    }

    /// Only overwriting leaves any.
    fn takeover_of(&mut self, key: &[u8]) -> SqlResult<Option<Claimed<Takeover>>> {
        if self.batch.mode != Duplicates::Overwrite {
            return Ok(None);
        }
        self.takeovers.find(key)
    }

    fn remember(
        &mut self,
        key: &[u8],
        winner: Position,
        displaced: Option<&Displaced>,
        takeover: Option<&Takeover>,
        image: Option<i64>,
    ) -> SqlResult<()> {
        if let Some(displaced) = displaced {
            self.displace.note(key, displaced, winner)?;
        }
        if let Some(takeover) = takeover {
            self.takeovers.store(key, takeover, None, image)?;
        }
        Ok(())
    }
}

/// Why a row is refused that no statement fails for.
pub(super) const LEFT_OUT: &str = "a trigger of the table left the row out";

fn left_out() -> Outcome {
    Outcome::Refused(LEFT_OUT.to_owned())
}
