//! Loads the rows of a batch whose records are merged, key by key: the row that is there is read, all records of the
//! key are merged into it, and it is written once.

use std::sync::Arc;

use bytes::Bytes;
use carrack_shared::duplicates::merge::{Held, Merged, Merging, Write};
use carrack_shared::duplicates::{Books, Existing, Verdict};
use carrack_shared::record::{Origin, Rows};
use carrack_shared::schema::DataType;
use carrack_shared::tally::Counted;
use rusqlite::{CachedStatement, Transaction};

use super::error::{SqlResult, Trouble};
use super::images::{Keeper, existing};
use super::load::{ImportBatch, LEFT_OUT};
use super::row::{RowWriter, Written};
use super::stored::{Utf8, id};
use super::takeovers::Takeovers;
use super::{scan, tables};

/// Loads a batch within `tx`.
pub(super) fn run(
    tx: &Transaction<'_>,
    batch: &ImportBatch,
    merging: &Merging,
    stamp: &str,
    books: &mut Books<'_>,
) -> SqlResult<()> {
    let mut merger = Merger::new(tx, batch, merging, stamp)?;
    for group in 0..batch.contests.len() {
        let records: Vec<usize> = batch.contests.group(group).collect();
        if let Some(reason) = merger.merge(&records, books)? {
            // One of them is why: the others are merged as if it were not there.
            match &records[..] {
                [one] => books.refuse(*one, reason),
                several => {
                    for &record in several {
                        if let Some(reason) = merger.merge(&[record], books)? {
                            books.refuse(record, reason);
                        }
                    }
                }
            }
        }
    }
    merger.images.map_or(Ok(()), Keeper::end)
}

struct Merger<'tx, 'batch> {
    batch: &'batch ImportBatch,
    merging: &'batch Merging,
    rows: Holders<'tx>,
    insert: RowWriter<'tx>,
    update: RowWriter<'tx>,
    takeovers: Takeovers<'tx>,
    images: Option<Keeper<'tx>>,
    /// Whether the key before was taken: taken keys come in runs.
    look_first: bool,
}

impl<'tx, 'batch> Merger<'tx, 'batch> {
    fn new(
        tx: &'tx Transaction<'_>,
        batch: &'batch ImportBatch,
        merging: &'batch Merging,
        stamp: &str,
    ) -> SqlResult<Self> {
        let (data_type, operation) = (batch.rows.data_type(), id(batch.lease.operation));
        let writer = |sql: &str| RowWriter::new(tx, sql, data_type, &operation, stamp);
        Ok(Self {
            batch,
            merging,
            rows: Holders::new(tx, data_type)?,
            insert: writer(&tables::insert(data_type))?,
            update: writer(&tables::update(data_type))?,
            takeovers: Takeovers::new(tx, &operation, data_type.name.as_str())?,
            images: batch.images.then(|| Keeper::new(tx, &operation)).transpose()?,
            look_first: false,
        })
    }

    /// Merges records of one key; if their row is refused, answers why and has changed nothing.
    fn merge(&mut self, records: &[usize], books: &mut Books<'_>) -> SqlResult<Option<String>> {
        let rows = &*self.batch.rows;
        let &[first, ..] = records else { return Ok(None) };
        if let ([one], false, true) = (records, self.look_first, self.merging.is_plain())
            && !self.merging.is_patch(rows, *one)
        {
            match self.insert.write(rows, *one, self.batch.hash(*one))? {
                Written::Row => {
                    books.settle(*one, &Verdict::Insert, std::iter::empty());
                    return Ok(None);
                }
                Written::Refused(reason) => return Ok(Some(reason)),
                Written::Nothing => {}
            }
        }
        let key = rows.key(first);
        let held = match self.rows.find(key, self.images.as_mut())? {
            Ok(held) => held,
            Err(reason) => return Ok(Some(reason)),
        };
        self.look_first = held.is_some();
        let claimed = self.takeovers.remembered(key)?;
        let has_image = claimed.as_ref().is_some_and(|claimed| claimed.has_image);
        let remembered = claimed.map(|claimed| claimed.what);
        let row = held.as_ref().map(|(existing, rows)| Held { existing: *existing, rows, row: 0 });
        let mut fold = self.merging.begin(self.batch.lease.operation, row, remembered.as_ref());
        let left_out: Vec<_> =
            records.iter().filter_map(|&record| Some((record, fold.add(rows, record)?))).collect();
        let mut out = Rows::new(Arc::clone(rows.data_type()), Bytes::new(), 0, 0);
        if let Some(merged) = fold.end(&mut out) {
            let is_own = row.is_some_and(|row| row.existing.operation == self.batch.lease.operation);
            let image = match self.write(!has_image && !is_own, &merged, &out)? {
                Ok(image) => image,
                Err(reason) => return Ok(Some(reason)),
            };
            books.merge(first, &merged);
            if let Some(remembered) = &merged.remembered {
                self.takeovers.store(key, &remembered.takeover, Some(&remembered.marks), image)?;
            }
        }
        for (record, why) in left_out {
            books.leave_out(record, self.merging.faults(rows, record, why));
        }
        Ok(None)
    }

    /// Writes the row, and answers the image of the one that was there, if that was kept; if the table refuses it, why.
    fn write(&mut self, keep: bool, merged: &Merged, out: &Rows) -> SqlResult<Result<Option<i64>, String>> {
        let written = match merged.write {
            Write::Keep => return Ok(Ok(None)),
            Write::Insert => self.insert.write(out, 0, &out.hash(0))?,
            Write::Update => self.update.write(out, 0, &out.hash(0))?,
        };
        // The row as it was before the first record of this operation changes it.
        let was_there = merged.write == Write::Update && merged.counted.1 != Counted::Created;
        let images = self.images.as_mut().filter(|_| keep && was_there);
        Ok(match written {
            Written::Row => Ok(images.map(Keeper::keep).transpose()?),
            Written::Nothing => Err(LEFT_OUT.to_owned()),
            Written::Refused(reason) => Err(reason),
        })
    }
}

/// Looks up the rows of keys.
pub(super) struct Holders<'tx> {
    data_type: Arc<DataType>,
    statement: CachedStatement<'tx>,
}

/// A row, and who has written it; or why it cannot be read.
pub(super) type Holder = Result<Option<(Existing, Rows)>, String>;

impl<'tx> Holders<'tx> {
    pub fn new(tx: &'tx Transaction<'_>, data_type: &Arc<DataType>) -> SqlResult<Self> {
        let statement = tx.prepare_cached(&tables::row(data_type))?;
        Ok(Self { data_type: Arc::clone(data_type), statement })
    }

    /// The row of a key, whose image is taken, too.
    pub fn find(&mut self, key: &[u8], images: Option<&mut Keeper<'_>>) -> SqlResult<Holder> {
        let mut found = self.statement.query([Utf8(key)])?;
        let Some(row) = found.next()? else { return Ok(Ok(None)) };
        let mut rows = Rows::new(Arc::clone(&self.data_type), Bytes::new(), 0, 0);
        let cells = match scan::cells(&mut rows, row) {
            Ok(cells) => cells,
            // What its user has written there by hand.
            Err(Trouble::Port(error)) => return Ok(Err(error.message)),
            Err(trouble) => return Err(trouble),
        };
        if let Some(images) = images {
            images.take(row)?;
        }
        let existing = existing(row, self.data_type.fields.len() + 1, None)?;
        let origin = Origin { position: existing.position, frame: 0..0 };
        rows.push(origin, &cells);
        Ok(Ok(Some((existing, rows))))
    }
}
