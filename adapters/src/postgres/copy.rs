//! The fast path: one COPY straight into the table, for a batch that meets no conflict.
//!
//! There is no savepoint around it: a batch that meets one is undone whole and committed again the general
//! way, so that the many batches without a conflict do not pay for a subtransaction.

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use carrack_shared::duplicates::Contests;
use carrack_shared::error::PortResult;
use futures_util::SinkExt;

use super::encode;
use super::error::{failed, internal, refuses_row};
use super::load::Target;

/// Bytes that are handed to the connection at a time. Larger pieces only held more memory; smaller ones
/// woke the connection's task more often.
const PIECE_BYTES: usize = 64 * 1024;

/// Copies all rows in the order of their keys. False if any row conflicts with one of the table, is refused
/// by it, or is left out by a trigger; the transaction must then be given up.
pub(super) async fn load(target: &Target<'_>, contests: &Contests) -> PortResult<bool> {
    let what = "copy rows";
    let (rows, tx) = (target.rows, target.tx);
    let copy_in = target.table.copy_in();
    let statement = match target.table.is_passing() {
        true => tx.prepare(&copy_in).await,
        false => tx.prepare_cached(&copy_in).await,
    };
    let statement = statement.map_err(failed(what))?;
    let mut sink = pin!(tx.copy_in::<_, Bytes>(&statement).await.map_err(failed(what))?);
    let mut piece = BytesMut::with_capacity(2 * PIECE_BYTES);
    let types = target.table.slot_types();
    encode::begin_copy(&mut piece);
    for row in contests.rows() {
        let hash = rows.hash(row);
        let written = encode::copy_row(rows, row, &types, target.operation, &hash, &mut piece);
        written.map_err(|unfit| internal(unfit.to_string()))?;
        if piece.len() >= PIECE_BYTES {
            // A failure here only says that the server has stopped reading; `finish` has its reason.
            if sink.send(piece.split().freeze()).await.is_err() {
                break;
            }
            piece.reserve(2 * PIECE_BYTES);
        }
    }
    encode::end_copy(&mut piece);
    let _ = sink.send(piece.freeze()).await;
    match sink.finish().await {
        Ok(copied) => Ok(copied == rows.len() as u64),
        Err(error) if refuses_row(&error) => Ok(false),
        Err(error) => Err(failed(what)(error)),
    }
}
