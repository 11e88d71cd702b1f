//! Which rows of a table have something in `extra` for its new columns?

use std::sync::Arc;

use bytes::Bytes;
use carrack_shared::error::PortResult;
use carrack_shared::pipeline::refit::{Filled, refit};
use carrack_shared::record::{Origin, Position, Rows};
use carrack_shared::schema::DataType;
use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::encode::SqlValue;
use super::error::failed;
use super::scan::read_cell;
use super::sql::execute;
use super::tables::Table;

/// Rows that are held in memory at once; each may be 16 MiB.
const ROWS: i32 = 100;

const WHAT: &str = "fill new columns";

/// Moves what the rows of `known` keep in `extra` into the columns that `grown` has more. They are there already.
pub(super) async fn fill(
    tx: &Transaction<'_>,
    known: &Arc<DataType>,
    grown: &Arc<DataType>,
) -> PortResult<Filled> {
    let (before, after) = (Table::new(known), Table::new(grown));
    let there = known.fields.len();
    let names: Vec<&str> = grown.fields[there..].iter().map(|field| field.name.as_str()).collect();
    // Not cached: it is of a table that has just been changed.
    let found = tx.prepare(&before.with_extra()).await.map_err(failed(WHAT))?;
    let portal = tx.bind(&found, &[&names]).await.map_err(failed(WHAT))?;
    let mut filled = Filled::default();
    loop {
        let found = tx.query_portal(&portal, ROWS).await.map_err(failed(WHAT))?;
        if found.is_empty() {
            return Ok(filled);
        }
        let (rows, more) = refit(&read(known, &found)?, grown);
        filled += more;
        write(tx, &after, there, &rows).await?;
    }
}

fn read(data_type: &Arc<DataType>, found: &[Row]) -> PortResult<Rows> {
    let mut rows = Rows::new(Arc::clone(data_type), Bytes::new(), 0, 0);
    for row in found {
        let cells = (0..rows.width()).map(|slot| read_cell(row, slot, &mut rows));
        let cells = cells.collect::<PortResult<Vec<_>>>()?;
        rows.push(Origin { position: Position::new(0, 1), frame: 0..0 }, &cells);
    }
    Ok(rows)
}

async fn write(tx: &Transaction<'_>, table: &Table<'_>, there: usize, rows: &Rows) -> PortResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let column = |slot| (0..rows.len()).map(|row| SqlValue(rows.value(row, slot))).collect();
    let slots = [rows.data_type().key].into_iter().chain(there..rows.width());
    let columns: Vec<Vec<SqlValue<'_>>> = slots.map(column).collect();
    let hashes: Vec<Vec<u8>> = (0..rows.len()).map(|row| rows.hash(row).to_vec()).collect();
    let mut params: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as _).collect();
    params.push(&hashes);
    execute(tx, WHAT, &table.fill(there), &params).await.map(drop)
}
