//! What is decided on staged records that are merged: key by key against the rows that are there, in pieces, by the
//! same rule by which batches are loaded.

use std::sync::Arc;

use bytes::Bytes;
use carrack_shared::duplicates::merge::{Decider, Held, Merging, Rejected};
use carrack_shared::limits::{PUBLISHED_BYTES, PUBLISHED_ROWS};
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::record::{Origin, Position, Rows};
use carrack_shared::schema::DataType;
use carrack_shared::spec::{Duplicates, ImportSpec};
use carrack_shared::staging::TypeDecision;
use rusqlite::Transaction;

use super::error::SqlResult;
use super::merge::Holders;
use super::stored::id;
use super::{scan, stage, tables};

/// Decides on the staged records of a type, and notes those that become rejects.
pub(super) fn decide(
    tx: &Transaction<'_>,
    operation: &Operation,
    import: &ImportSpec,
    data_type: &Arc<DataType>,
) -> SqlResult<TypeDecision> {
    let merging = Merging::new(data_type, import.validate_schema);
    let mut decider = Decider::new(&merging, operation.id);
    let stage = stage::name(operation.id, &operation.spec, data_type);
    let mut statement = tx.prepare_cached(&tables::winners(&stage, data_type, Duplicates::Merge))?;
    let mut staged = statement.query([])?;
    let mut holders = match tables::exists(tx, data_type)? {
        true => Some(Holders::new(tx, data_type)?),
        false => None,
    };
    let extra = data_type.fields.len();
    loop {
        let mut piece = Rows::new(Arc::clone(data_type), Bytes::new(), 0, 0);
        while piece.len() < PUBLISHED_ROWS && piece.memory() < PUBLISHED_BYTES {
            let Some(row) = staged.next()? else { break };
            let cells = scan::cells(&mut piece, row)?;
            let position = Position::from_stored(row.get(extra + 1)?);
            piece.push(Origin { position, frame: 0..0 }, &cells);
        }
        if piece.is_empty() {
            return Ok(decider.end());
        }
        for row in 0..piece.len() {
            let key = piece.key(row);
            if decider.is_new(key) {
                let held = match &mut holders {
                    Some(holders) => holders.find(key, None)?,
                    None => Ok(None),
                };
                let held = held.as_ref().map_err(Clone::clone).map(|held| {
                    held.as_ref().map(|(existing, rows)| Held { existing: *existing, rows, row: 0 })
                });
                decider.begin(key, held);
            }
            decider.add(&piece, row);
        }
        note(tx, operation.id, data_type, &decider.take_rejected())?;
    }
}

fn note(
    tx: &Transaction<'_>,
    operation: OperationId,
    data_type: &DataType,
    rejected: &[Rejected],
) -> SqlResult<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO carrack_displaced (operation, data_type, position, counted, key, refused, lacks)
         VALUES (?1, ?2, ?3, 'created', ?4, ?5, ?6)",
    )?;
    let (operation, data_type) = (id(operation), data_type.name.as_str());
    for Rejected { position, key, refused } in rejected {
        let values = (&operation, data_type, position.stored(), key, refused, refused.is_none());
        statement.execute(values)?;
    }
    Ok(())
}
