//! Publishing the stage of an operation that loads all of its records or none: one transaction, the winners of
//! their keys in the order of the keys, loaded as batches are ([`super::load`]), so that everything which loading
//! leaves behind, publishing leaves, too.
//!
//! The writer does nothing else meanwhile, also for other processes. A cancel that this process is asked for waits
//! for it, but is seen between two pieces.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use carrack_shared::limits::{PUBLISHED_BYTES, PUBLISHED_ROWS};
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::staging::Publication;
use carrack_shared::record::{Origin, Position, RecordHash, Rows};
use carrack_shared::schema::DataType;
use carrack_shared::spec::ImportSpec;
use carrack_shared::staging::{Decision, Refused, Tried};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::claim::Lease;
use super::error::{SqlResult, impossible};
use super::load::{self, ImportBatch};
use super::stored::{execute, first, id, json};
use super::{clock, scan, stage, tables};

/// Operations that somebody wants to cancel.
#[derive(Debug, Default)]
pub(super) struct Stopping(Mutex<HashSet<OperationId>>);

impl Stopping {
    /// Notes that an operation is to be cancelled, or that it was.
    pub fn note(&self, operation: OperationId, wanted: bool) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted {
            noted.insert(operation)
        } else {
            noted.remove(&operation)
        };
    }

    /// Whether it is to be cancelled.
    pub fn is_noted(&self, operation: OperationId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&operation)
    }
}

/// Publishes; `is_stopping` says whether somebody wants to cancel the operation.
pub(super) fn run(
    connection: &mut Connection,
    operation: &Operation,
    epoch: i64,
    is_stopping: impl Fn() -> bool,
) -> SqlResult<Publication> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match published(&tx, operation, epoch)? {
        None => return Ok(Publication::NotOurs),
        Some(true) => return Ok(Publication::Done),
        Some(false) => {}
    }
    let decision = stage::decided(&tx, operation.id)?;
    let mut decision =
        decision.ok_or_else(|| impossible("a stage to be published that was not decided on"))?;
    let (mut refused, mut raced) = (Vec::new(), false);
    let stamp = clock::stamp(&tx)?;
    for (data_type, decided) in stage::types(&operation.spec)?.iter().zip(&mut decision.types) {
        let Some(tried) = publish_type(&tx, operation, data_type, &stamp, &is_stopping)? else {
            return Ok(Publication::NotOurs);
        };
        raced |= tried.raced;
        decided.came_to(&tried);
        refused.extend(tried.refused);
    }
    if !raced && refused.is_empty() {
        let sql = "UPDATE carrack_operations SET decision = ?2, published = 1 WHERE id = ?1";
        execute(&tx, sql, (id(operation.id), json(&decision)?))?;
        tx.commit()?;
        return Ok(Publication::Done);
    }
    tx.rollback()?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let decision = (!refused.is_empty()).then_some(&decision);
    if !decide_anew(&tx, operation, epoch, decision, &refused)? {
        return Ok(Publication::NotOurs);
    }
    tx.commit()?;
    Ok(Publication::Changed)
}

/// Whether it was published; none if the closing is not ours.
fn published(connection: &Connection, operation: &Operation, epoch: i64) -> SqlResult<Option<bool>> {
    let sql = "SELECT published FROM carrack_operations
               WHERE id = ?1 AND finish_epoch = ?2 AND state = 'finalising'";
    first(connection, sql, (id(operation.id), epoch), |row| Ok(row.get("published")?))
}

/// Nothing was published. Stores what was learned of it, or lets it be decided again.
fn decide_anew(
    tx: &Transaction<'_>,
    operation: &Operation,
    epoch: i64,
    decision: Option<&Decision>,
    refused: &[Refused],
) -> SqlResult<bool> {
    if published(tx, operation, epoch)? != Some(false) {
        return Ok(false);
    }
    let mut note = tx.prepare_cached(
        "INSERT INTO carrack_displaced (operation, data_type, position, counted, key, refused)
         VALUES (?1, '', ?2, 'created', '', ?3)",
    )?;
    for Refused { position, reason } in refused {
        note.execute((id(operation.id), position.stored(), reason))?;
    }
    let sql = "UPDATE carrack_operations SET decision = ?2 WHERE id = ?1";
    execute(tx, sql, (id(operation.id), decision.map(json).transpose()?))?;
    Ok(true)
}

/// None if the operation is to stop.
fn publish_type(
    tx: &Transaction<'_>,
    operation: &Operation,
    data_type: &Arc<DataType>,
    stamp: &str,
    is_stopping: &impl Fn() -> bool,
) -> SqlResult<Option<Tried>> {
    let import = operation.spec.as_import().ok_or_else(|| impossible("a stage that is not of an import"))?;
    let name = stage::name(operation.id, &operation.spec, data_type);
    let winners = tables::winners(&name, data_type, import.duplicates);
    let mut statement = tx.prepare_cached(&winners)?;
    let mut found = statement.query([])?;
    let mut tried = Tried::default();
    let mut more = true;
    while more && !tried.is_hopeless() {
        if is_stopping() {
            return Ok(None);
        }
        let (mut piece, mut hashes) = (Rows::new(Arc::clone(data_type), Bytes::new(), 0, 0), Vec::new());
        while more && piece.len() < PUBLISHED_ROWS && piece.memory() < PUBLISHED_BYTES {
            more = match found.next()? {
                Some(row) => {
                    let cells = scan::cells(&mut piece, row)?;
                    let extra = data_type.fields.len();
                    let position = Position::from_stored(row.get(extra + 1)?);
                    hashes.push(row.get::<_, RecordHash>(extra + 2)?);
                    piece.push(Origin { position, frame: 0..0 }, &cells);
                    true
                }
                None => false,
            };
        }
        load_piece(tx, operation, import, piece, hashes, stamp, &mut tried)?;
    }
    Ok(Some(tried))
}

fn load_piece(
    tx: &Transaction<'_>,
    operation: &Operation,
    import: &ImportSpec,
    piece: Rows,
    hashes: Vec<RecordHash>,
    stamp: &str,
    tried: &mut Tried,
) -> SqlResult<()> {
    let lease = Lease { operation: operation.id, generation: operation.generation, batch: 0, epoch: 0 };
    let batch = ImportBatch::new(lease, import, Arc::new(piece), Vec::new(), HashMap::new(), (0, 0));
    let batch = batch.hashed(hashes);
    tried.add(&load::run(tx, &batch, stamp)?);
    Ok(())
}
