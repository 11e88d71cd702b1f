//! Applying a statement to many rows although the table refuses some of them: the rows are halved under
//! savepoints until each refused one stands alone.

use std::collections::HashMap;

use carrack_shared::error::PortResult;
use carrack_shared::record::{Position, Rows};
use carrack_shared::tally::Counted;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::encode::SqlValue;
use super::error::{failed, reason, refuses_row};
use super::load::{Target, key_of};
use super::sql::{fixed, get};

/// What became of the rows.
#[derive(Default)]
pub(super) struct Applied {
    /// Positions of the rows that the statement answered, and the images that were kept of those before them.
    pub(super) taken: HashMap<Position, Option<i64>>,
    /// Rows that the table refused, and why.
    pub(super) refused: HashMap<usize, String>,
}

impl Applied {
    /// Takes what [`super::tables::Table::update_keeping_images`] has answered for `part`. Positions and images are not
    /// joined by the server, which would compare each with each.
    fn take_with_images(&mut self, rows: &Rows, part: &[usize], answer: &[Row]) -> PortResult<()> {
        let mut images: HashMap<String, i64> = HashMap::new();
        for row in answer {
            match get::<Option<i64>>(row, "_position")? {
                Some(position) => drop(self.taken.insert(Position::from_stored(position), None)),
                None => drop(images.insert(get(row, "key")?, get(row, "image")?)),
            }
        }
        for &row in part {
            if let Some(taken) = self.taken.get_mut(&rows.origin(row).position) {
                *taken = images.get(key_of(rows, row)?).copied();
            }
        }
        Ok(())
    }
}

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    /// Where their keys are free.
    Insert,
    /// Over those that are there.
    Update,
    /// Over those that are there, whose images are kept where they are not of the same operation.
    UpdateKeepingImages,
}

/// Writes `rows` in this order.
pub(super) async fn apply(target: &Target<'_>, write: Write, rows: &[usize]) -> PortResult<Applied> {
    let what = "write rows";
    let sql = &match write {
        Write::Insert => target.table.insert(),
        Write::Update => target.table.update(),
        Write::UpdateKeepingImages => target.table.update_keeping_images(),
    };
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
                match write {
                    Write::Insert | Write::Update => {
                        for row in &answer {
                            applied.taken.insert(Position::from_stored(get(row, "_position")?), None);
                        }
                    }
                    Write::UpdateKeepingImages => applied.take_with_images(target.rows, part, &answer)?,
                }
            }
            Err(error) if refuses_row(&error) => {
                fixed(tx, "ROLLBACK TO part; RELEASE part").await.map_err(failed(what))?;
                if let [row] = part {
                    applied.refused.insert(*row, reason(&error));
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

/// A row that is to go over another one.
pub(super) struct Over {
    /// Its number.
    pub(super) row: usize,
    /// What it counts as.
    pub(super) counted: Counted,
    /// Whether the image of what was there before the import is kept already.
    pub(super) has_image: bool,
}

/// Writes rows over others. Images are kept, where the import keeps any, of rows that were there before it; others may
/// have overwritten what it has created, or written before.
pub(super) async fn apply_over(target: &Target<'_>, rows: impl Iterator<Item = Over>) -> PortResult<Applied> {
    let (before, own): (Vec<_>, Vec<_>) =
        rows.partition(|over| target.images && !over.has_image && over.counted != Counted::Created);
    let mut applied = Applied::default();
    for (write, part) in [(Write::UpdateKeepingImages, before), (Write::Update, own)] {
        let rows: Vec<usize> = part.into_iter().map(|over| over.row).collect();
        let Applied { taken, refused } = apply(target, write, &rows).await?;
        applied.taken.extend(taken);
        applied.refused.extend(refused);
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
