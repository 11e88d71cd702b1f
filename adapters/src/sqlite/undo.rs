//! Undoes an import, a range of keys at a time: which keys it has touched, how each is now, and what is done.

use std::sync::Arc;

use carrack_shared::operation::{OperationId, State};
use carrack_shared::port::batches::Commit;
use carrack_shared::record::Position;
use carrack_shared::schema::DataType;
use carrack_shared::segment::KeyRange;
use carrack_shared::spec::UndoSpec;
use carrack_shared::tally::{Counted, Tally};
use carrack_shared::undo::{self, Images, Most, NotUndoable, Touched, Verdict};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, Transaction, named_params, params_from_iter};

use super::claim::Lease;
use super::commit::{refusal, write_done};
use super::error::SqlResult;
use super::images::{Image, existing};
use super::rejects::Again;
use super::row::{Guard, Written};
use super::stored::{all, execute, first, id, operation, scalar};
use super::{clock, rejects, tables};

/// Rows of the table that one step of a plan looks at, at most: those of the import may be few among many.
const WINDOW: u32 = 50_000;

/// Operations that have not ended.
const OPEN: &str = "SELECT id FROM carrack_operations WHERE state IN ('running', 'finalising', 'cancelling')";

/// Whether an operation has records of a key.
const CLAIM: &str = "SELECT 1 FROM carrack_claims WHERE operation = ?1 AND data_type = ?2 AND key = ?3";

/// A range of keys to be undone.
pub(super) struct UndoBatch {
    /// The right to commit it.
    pub lease: Lease,
    /// What is undone.
    pub spec: UndoSpec,
    /// The type of its table.
    pub data_type: Arc<DataType>,
    /// Its keys.
    pub keys: KeyRange,
}

/// The next keys behind `behind` that `parent` has touched, at most `most`.
pub(super) fn next_touched(
    connection: &Connection,
    parent: OperationId,
    data_type: &DataType,
    behind: Option<&str>,
    most: Most,
) -> SqlResult<Option<KeyRange>> {
    let (parent, name) = (id(parent), data_type.name.as_str());
    let mut behind = behind.map(str::to_owned);
    loop {
        let place = behind.as_deref().unwrap_or_default();
        let window =
            first(connection, &tables::window(data_type, behind.is_some()), (place, WINDOW), |row| {
                Ok((row.get::<_, Option<String>>(0)?, row.get::<_, u32>(1)?))
            })?;
        // Behind the table's last row there may still be keys whose rows are gone.
        let to = window.filter(|(_, count)| *count == WINDOW).and_then(|(last, _)| last);
        // Every text is below every blob.
        let bound = to.clone().map_or(Value::Blob(Vec::new()), Value::Text);
        let values = named_params! {
            ":parent": parent, ":data_type": name, ":from": place, ":to": bound, ":limit": most.rows,
            ":bytes": i64::try_from(most.bytes).unwrap_or(i64::MAX),
        };
        let found = first(connection, &tables::touched_range(data_type, behind.is_some()), values, range)?;
        if let Some(Some(found)) = found {
            return Ok(Some(found));
        }
        if to.is_none() {
            return Ok(None);
        }
        behind = to;
    }
}

fn range(row: &Row<'_>) -> SqlResult<Option<KeyRange>> {
    let (Some(from), Some(to)) = (row.get(0)?, row.get(1)?) else { return Ok(None) };
    Ok(Some(KeyRange { table: 0, from, to, first: 1, rows: row.get(2)? }))
}

/// Undoes a range of keys, once.
pub(super) fn commit(tx: &Transaction<'_>, batch: &UndoBatch) -> SqlResult<Commit> {
    if let Some(refusal) = refusal(tx, &batch.lease)? {
        return Ok(refusal);
    }
    let key_field = batch.data_type.key_field().name.as_str();
    let (mut tally, mut conflicts) = (Tally::default(), Vec::new());
    let writer = Writer::new(tx, batch)?;
    for touched in touched(tx, batch)? {
        let verdict = touched.decide(batch.spec.parent, batch.spec.force);
        let written = match verdict {
            Verdict::Remove => writer.remove(&touched.key)?,
            Verdict::Restore => writer.restore(&touched)?,
            Verdict::Leave | Verdict::Conflict => Written::Row,
        };
        let reject = match written {
            Written::Row if verdict == Verdict::Conflict => {
                Some(touched.conflict(batch.spec.parent, key_field))
            }
            Written::Row => None,
            Written::Nothing => {
                Some(touched.refused(key_field, "a trigger of the table left the row out".into()))
            }
            Written::Refused(message) => Some(touched.refused(key_field, message)),
        };
        tally.count(if reject.is_some() { Counted::Rejected } else { verdict.counted() });
        conflicts.extend(reject);
    }
    let tally = undo::settled(tally, batch.keys.rows);
    rejects::insert(tx, batch.lease.operation, batch.data_type.name.as_str(), &conflicts, Again::Fail)?;
    write_done(tx, &batch.lease, tally, 0, None, &clock::stamp(tx)?)?;
    Ok(Commit::Done(tally))
}

/// The keys of the batch that the import has touched, in their order. Images are read one at a time and not
/// held: each may be as large as a record.
fn touched(tx: &Transaction<'_>, batch: &UndoBatch) -> SqlResult<Vec<Touched>> {
    let (parent, data_type) = (id(batch.spec.parent), batch.data_type.name.as_str());
    let columns = tables::column_names(&batch.data_type);
    let open = all(tx, OPEN, [], |row| Ok(row.get::<_, String>("id")?))?;
    let mut claims = tx.prepare_cached(CLAIM)?;
    let mut holder = |key: &str, now: Option<OperationId>| -> SqlResult<Option<OperationId>> {
        for open in &open {
            if now.is_some_and(|writer| id(writer) == *open) || claims.exists((open, data_type, key))? {
                return Ok(open.parse().ok());
            }
        }
        Ok(None)
    };
    let values = named_params! {
        ":parent": parent, ":data_type": data_type, ":from": batch.keys.from, ":to": batch.keys.to,
    };
    all(tx, &tables::touched(&batch.data_type), values, |row| {
        let now = match row.get::<_, Option<i64>>("_position")? {
            Some(_) => Some(existing(row, 0, None)?),
            None => None,
        };
        let over = row.get::<_, Option<String>>("over_operation")?.and_then(|found| found.parse().ok());
        let image = match row.get_ref("image")? {
            ValueRef::Blob(stored) => Some(Image::read(stored, &columns)?),
            _ => None,
        };
        let key: String = row.get("touched")?;
        Ok(Touched {
            held: holder(&key, now.map(|now| now.operation))?,
            key,
            position: Position::from_stored(row.get::<_, Option<i64>>("position")?.unwrap_or_default()),
            met: row.get("met")?,
            image: image.as_ref().map(Image::origin),
            over: match over {
                Some(operation) => Some((operation, Position::from_stored(row.get("over_position")?))),
                None => None,
            },
            now,
        })
    })
}

/// Removes and restores rows.
struct Writer<'tx> {
    tx: &'tx Transaction<'tx>,
    guard: Guard<'tx>,
    batch: &'tx UndoBatch,
    parent: String,
    columns: Vec<String>,
}

impl<'tx> Writer<'tx> {
    fn new(tx: &'tx Transaction<'_>, batch: &'tx UndoBatch) -> SqlResult<Self> {
        let guard = Guard::new(tx, &batch.data_type)?;
        let (parent, columns) = (id(batch.spec.parent), tables::column_names(&batch.data_type));
        Ok(Self { tx, guard, batch, parent, columns })
    }

    fn remove(&self, key: &str) -> SqlResult<Written> {
        let mut statement = self.tx.prepare_cached(&tables::delete(&self.batch.data_type))?;
        self.guard.run(|| statement.execute([key]))
    }

    fn restore(&self, touched: &Touched) -> SqlResult<Written> {
        let data_type = &*self.batch.data_type;
        let sql = "SELECT i.image FROM carrack_claims AS c JOIN carrack_images AS i ON i.id = c.image
                   WHERE c.operation = ?1 AND c.data_type = ?2 AND c.key = ?3";
        let values = (&self.parent, data_type.name.as_str(), &touched.key);
        let image: Vec<u8> = scalar(self.tx, sql, values)?;
        let image = Image::read(&image, &self.columns)?;
        let sql = match touched.now {
            Some(_) => tables::update(data_type),
            None => tables::insert(data_type),
        };
        let mut statement = self.tx.prepare_cached(&sql)?;
        self.guard.run(|| statement.execute(params_from_iter(image.values())))
    }
}

/// Takes the images of the import that is to be undone, so that they stay until the undo ends.
pub(super) fn hold_images(tx: &Transaction<'_>, parent: OperationId) -> SqlResult<Result<(), NotUndoable>> {
    let sql = "SELECT * FROM carrack_operations WHERE id = ?1";
    let found = first(tx, sql, [id(parent)], |row| {
        let images = row.get::<_, Option<String>>("images")?;
        Ok((operation(row)?, images.as_deref().and_then(Images::parse)))
    })?;
    let Some((found, images)) = found else { return Ok(Err(NotUndoable::Unknown(parent))) };
    if let Err(reason) = undo::check(&found, images) {
        return Ok(Err(reason));
    }
    execute(tx, "UPDATE carrack_operations SET images = 'undoing' WHERE id = ?1", [id(parent)])?;
    Ok(Ok(()))
}

/// Lets go of the images, and says how the import stands now. Those of one that is undone are of no more use.
pub(super) fn settle_parent(
    tx: &Transaction<'_>,
    parent: OperationId,
    state: Option<State>,
) -> SqlResult<()> {
    let sql = "UPDATE carrack_operations SET state = coalesce(?2, state), epoch = epoch + 1,
                   images = iif(?2 = 'undone', 'forgetting', 'kept')
               WHERE id = ?1 AND images = 'undoing'";
    execute(tx, sql, (id(parent), state.map(State::as_str)))?;
    Ok(())
}
