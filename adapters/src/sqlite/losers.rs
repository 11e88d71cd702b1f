//! Records that won a key and lost it to a later batch, and who holds the key in the end.
//!
//! Every loss is written down with the record that won. A key changes hands only from one record to a
//! better one, so its final holder is the best winner that was ever written down for it; the data table
//! need not be asked, and may be changed by others meanwhile.

use carrack_shared::duplicates::Displaced;
use carrack_shared::fault::Reject;
use carrack_shared::operation::OperationId;
use carrack_shared::port::finalising::{Loser, Loss};
use carrack_shared::record::Position;
use carrack_shared::segment::Segment;
use carrack_shared::spec::{Duplicates, Spec};
use rusqlite::{CachedStatement, Connection, Transaction, named_params};

use super::error::{SqlResult, impossible};
use super::extent;
use super::stored::{Utf8, all, execute, first, id, integer};

/// Notes displaced records of an operation, of one type.
pub(super) struct Displacer<'tx> {
    operation: String,
    data_type: String,
    statement: CachedStatement<'tx>,
}

impl<'tx> Displacer<'tx> {
    pub fn new(tx: &'tx Transaction<'_>, operation: &str, data_type: &str) -> SqlResult<Self> {
        let statement = tx.prepare_cached(
            "INSERT INTO carrack_displaced (operation, data_type, position, counted, key, winner)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        Ok(Self { operation: operation.to_owned(), data_type: data_type.to_owned(), statement })
    }

    /// Notes that a record has lost its key to `winner`.
    pub fn note(&mut self, key: &[u8], displaced: &Displaced, winner: Position) -> SqlResult<()> {
        let Displaced { position, counted } = displaced;
        self.statement.execute((
            &self.operation,
            &self.data_type,
            position.stored(),
            counted.as_str(),
            Utf8(key),
            winner.stored(),
        ))?;
        Ok(())
    }
}

/// Which of two records holds a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyRule {
    /// The one with the lower position.
    First,
    /// The one with the higher position.
    Last,
}

impl KeyRule {
    /// The rule of an operation.
    pub fn of(spec: &Spec) -> Self {
        match spec.as_import().map(|import| import.duplicates) {
            Some(Duplicates::Overwrite) => Self::Last,
            _ => Self::First,
        }
    }
}

/// Displaced records that are not rejects yet, in the order of the input.
pub(super) fn open(
    connection: &Connection,
    operation: OperationId,
    rule: KeyRule,
    limit: u32,
) -> SqlResult<Vec<Loser>> {
    let sql = "SELECT d.position, d.key, d.refused, d.lacks,
                   (SELECT iif(:last, max(w.winner), min(w.winner)) FROM carrack_displaced AS w
                    WHERE w.operation = d.operation AND w.data_type = d.data_type AND w.key = d.key) AS winner
               FROM carrack_displaced AS d INDEXED BY carrack_displaced_open
               WHERE d.operation = :operation AND NOT d.settled ORDER BY d.position LIMIT :limit";
    let values =
        named_params! { ":operation": id(operation), ":last": rule == KeyRule::Last, ":limit": limit };
    all(connection, sql, values, |row| {
        let position = Position::from_stored(row.get("position")?);
        let winner = row.get::<_, Option<i64>>("winner")?.map(Position::from_stored);
        Ok(Loser {
            position,
            key: row.get("key")?,
            loss: Loss::of(row.get("lacks")?, row.get("refused")?, winner),
            segment: segment(connection, operation, position)?,
        })
    })
}

/// The segment in which a record stands.
fn segment(connection: &Connection, operation: OperationId, position: Position) -> SqlResult<Segment> {
    let sql = "SELECT b.* FROM carrack_operations AS o
               JOIN carrack_batches AS b ON b.operation = o.id AND b.generation = o.generation
               WHERE o.id = ?1 AND b.source = ?2 AND b.first_record <= ?3
               ORDER BY b.first_record DESC LIMIT 1";
    let values = (id(operation), position.source(), integer(position.record()));
    let found = first(connection, sql, values, extent::segment)?;
    found.ok_or_else(|| impossible(format!("record {position:?} of {operation} stands in no segment")))
}

/// Notes that displaced records have become rejects.
pub(super) fn settle(tx: &Transaction<'_>, operation: OperationId, rejects: &[Reject]) -> SqlResult<()> {
    let sql = "UPDATE carrack_displaced SET settled = 1 WHERE operation = ?1 AND position = ?2";
    let (mut statement, operation) = (tx.prepare_cached(sql)?, id(operation));
    for reject in rejects {
        statement.execute((&operation, reject.position.stored()))?;
    }
    Ok(())
}

/// Names the final winner in the rejects of keys that changed hands after the reject was written.
pub(super) fn name_winners(tx: &Transaction<'_>, operation: OperationId, rule: KeyRule) -> SqlResult<()> {
    let sql = "UPDATE carrack_rejects AS r SET winner = final.winner
               FROM (SELECT data_type, key, iif(:last, max(winner), min(winner)) AS winner
                     FROM carrack_displaced WHERE operation = :operation GROUP BY data_type, key) AS final
               WHERE r.operation = :operation AND r.data_type = final.data_type AND r.key = final.key AND r.winner IS NOT NULL
                 AND r.winner <> final.winner";
    let values = named_params! { ":operation": id(operation), ":last": rule == KeyRule::Last };
    execute(tx, sql, values)?;
    Ok(())
}
