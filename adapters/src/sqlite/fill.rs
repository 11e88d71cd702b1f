//! Which rows of a table have something in `extra` for its new columns?

use std::sync::Arc;

use carrack_shared::pipeline::refit::{Filled, refit};
use carrack_shared::schema::DataType;
use rusqlite::Transaction;

use super::error::{SqlResult, refused};
use super::row::{RowWriter, Written};
use super::{scan, tables};

/// Moves what the rows of `known` keep in `extra` into the columns that `grown` has more. They are there already.
pub(super) fn fill(tx: &Transaction<'_>, known: &Arc<DataType>, grown: &Arc<DataType>) -> SqlResult<Filled> {
    let mut filled = Filled::default();
    let mut next = Some((String::new(), false));
    while let Some((from, behind)) = next {
        let mut statement = tx.prepare(&tables::with_extra(known, behind))?;
        let (found, last) = scan::read(&mut statement.query([from])?, known)?;
        next = last.map(|last| (last, true));
        let (rows, more) = refit(&found, grown);
        filled += more;
        // Who has written a row, and when, stays as it is.
        let mut writer = RowWriter::new(tx, &tables::fill(grown, known.fields.len()), grown, "", "")?;
        for row in 0..rows.len() {
            let why = match writer.write(&rows, row, &rows.hash(row))? {
                Written::Row => continue,
                Written::Nothing => "a trigger leaves it out".to_owned(),
                Written::Refused(why) => why,
            };
            let (table, key) = (tables::name(grown), String::from_utf8_lossy(rows.key(row)).into_owned());
            return Err(refused(format!("{table}, key {key:?}: its new columns cannot be filled: {why}")));
        }
    }
    Ok(filled)
}
