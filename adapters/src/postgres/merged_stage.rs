//! What is decided on staged records that are merged: key by key against the rows that are there, in pieces, by the
//! same rule by which batches are loaded.

use std::sync::Arc;

use carrack_shared::duplicates::merge::{Decider, Merging};
use carrack_shared::error::PortResult;
use carrack_shared::operation::Operation;
use carrack_shared::record::Rows;
use carrack_shared::schema::DataType;
use carrack_shared::spec::{Duplicates, ImportSpec};
use carrack_shared::staging::TypeDecision;
use deadpool_postgres::Transaction;

use super::load::key_of;
use super::merge::Holders;
use super::publish::Winners;
use super::tables::{self, Table};
use super::takeover;

/// Decides on the staged records of a type, and notes those that become rejects.
pub(super) async fn decide(
    tx: &Transaction<'_>,
    operation: &Operation,
    import: &ImportSpec,
    data_type: &Arc<DataType>,
) -> PortResult<TypeDecision> {
    let merging = Merging::new(data_type, import.validate_schema);
    let mut decider = Decider::new(&merging, operation.id);
    let (stage, table) = (Table::stage(data_type, &operation.spec, operation.id), Table::new(data_type));
    let there = tables::exists(tx, data_type).await?;
    let mut winners = Winners::open(tx, &stage, Duplicates::Merge).await?;
    loop {
        let (mut piece, mut hashes) =
            (Rows::new(Arc::clone(data_type), bytes::Bytes::new(), 0, 1), Vec::new());
        if !winners.fetch(tx, &mut piece, &mut hashes).await? {
            return Ok(decider.end());
        }
        let mut keys = (0..piece.len()).map(|row| key_of(&piece, row)).collect::<PortResult<Vec<_>>>()?;
        keys.dedup();
        keys.retain(|key| there && decider.is_new(key.as_bytes()));
        let holders = Holders::find(tx, &table, &keys).await?;
        for row in 0..piece.len() {
            if decider.is_new(piece.key(row)) {
                let key = key_of(&piece, row)?;
                if there && !holders.knows(key) {
                    let alone = Holders::find(tx, &table, &[key]).await?;
                    decider.begin(piece.key(row), alone.of(key));
                } else {
                    decider.begin(piece.key(row), holders.of(key));
                }
            }
            decider.add(&piece, row);
        }
        takeover::store_rejected(tx, operation.id, data_type.name.as_str(), &decider.take_rejected()).await?;
    }
}
