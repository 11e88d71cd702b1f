//! Applying a statement to many rows although the table refuses some of them: the rows are halved under
//! savepoints until each refused one stands alone.

use carrack_shared::error::PortResult;
use carrack_shared::record::{Position, Rows};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::encode::SqlValue;
use super::error::{failed, reason, refuses_row};
use super::load::Target;
use super::sql::{fixed, get};

/// What became of the rows.
#[derive(Default)]
pub(super) struct Applied {
    /// Positions of the rows that the statement answered.
    pub(super) taken: Vec<Position>,
    /// Rows that the table refused, and why.
    pub(super) refused: Vec<(usize, String)>,
}

/// Runs `sql`, which takes the parameters of [`super::tables::Table::insert`] and answers positions, for
/// `rows` in this order.
pub(super) async fn apply(target: &Target<'_>, sql: &str, rows: &[usize]) -> PortResult<Applied> {
    let what = "write rows";
    let tx = target.tx;
    let mut applied = Applied::default();
    let mut open = vec![rows];
    while let Some(part) = open.pop() {
        if part.is_empty() {
            continue;
        }
        fixed(tx, "SAVEPOINT part").await.map_err(failed(what))?;
        match run(target, sql, part).await {
            Ok(answer) => {
                fixed(tx, "RELEASE part").await.map_err(failed(what))?;
                for row in &answer {
                    applied.taken.push(Position::from_stored(get(row, "_position")?));
                }
            }
            Err(error) if refuses_row(&error) => {
                fixed(tx, "ROLLBACK TO part; RELEASE part").await.map_err(failed(what))?;
                if let [row] = part {
                    applied.refused.push((*row, reason(&error)));
                } else {
                    // The first half is taken next: locks are taken in the order of the keys.
                    let (first, second) = part.split_at(part.len() / 2);
                    open.extend([second, first]);
                }
            }
            Err(error) => return Err(failed(what)(error)),
        }
    }
    Ok(applied)
}

async fn run(target: &Target<'_>, sql: &str, part: &[usize]) -> Result<Vec<Row>, Error> {
    let columns = columns(target.rows, part);
    let positions: Vec<i64> = part.iter().map(|&row| target.rows.origin(row).position.stored()).collect();
    let hashes: Vec<&[u8]> = part.iter().map(|&row| &target.hashes[row][..]).collect();
    let operation = target.operation.as_uuid();
    let mut params: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as _).collect();
    params.extend([&positions as &(dyn ToSql + Sync), &hashes, &operation]);
    let statement = target.tx.prepare_cached(sql).await?;
    target.tx.query(&statement, &params).await
}

/// The cells of `part`, column by column.
fn columns<'rows>(rows: &'rows Rows, part: &[usize]) -> Vec<Vec<SqlValue<'rows>>> {
    let column = |slot| part.iter().map(|&row| SqlValue(rows.value(row, slot))).collect();
    (0..rows.width()).map(column).collect()
}
