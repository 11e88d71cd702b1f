//! The images of rows that an import overwrites: how one is taken, kept, read back and forgotten.
//!
//! An image holds each column as SQLite has it, by name and with nothing converted, so that what is restored
//! is what was there, byte for byte.

use std::collections::BTreeMap;
use std::time::Duration;

use carrack_shared::duplicates::Existing;
use carrack_shared::operation::OperationId;
use carrack_shared::record::Position;
use carrack_shared::schema::DataType;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{CachedStatement, Row, Transaction};
use serde::{Deserialize, Serialize};

use super::error::{SqlResult, impossible};
use super::stored::{Utf8, execute, first, first_of, unreadable};
use super::{clock, tables};

/// Images that are removed in one transaction: the writer serves commits, too.
const FORGOTTEN_TOGETHER: u32 = 10_000;

/// A row as it was.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Image(BTreeMap<String, Column>);

/// What a column holds.
#[derive(Debug, Serialize, Deserialize)]
enum Column {
    #[serde(rename = "n")]
    Null,
    #[serde(rename = "i")]
    Integer(i64),
    /// The bits of a number: its digits would have to be rounded.
    #[serde(rename = "r")]
    Real(u64),
    #[serde(rename = "t")]
    Text(String),
    /// Bytes; also a text that is none.
    #[serde(rename = "b")]
    Bytes(Vec<u8>),
}

impl Image {
    fn of(row: &Row<'_>) -> SqlResult<Self> {
        let mut columns = BTreeMap::new();
        for number in 0..row.as_ref().column_count() {
            let name = row.as_ref().column_name(number)?.to_owned();
            columns.insert(name, Column::of(row.get_ref(number)?));
        }
        Ok(Self(columns))
    }

    /// Reads a stored image.
    pub fn read(stored: &[u8]) -> SqlResult<Self> {
        serde_json::from_slice(stored).map_err(|error| unreadable("image", error))
    }

    /// The value of a column; null where the image has none, for it was added later.
    pub fn value(&self, column: &str) -> Value {
        match self.0.get(column) {
            None | Some(Column::Null) => Value::Null,
            Some(Column::Integer(integer)) => Value::Integer(*integer),
            Some(Column::Real(bits)) => Value::Real(f64::from_bits(*bits)),
            Some(Column::Text(text)) => Value::Text(text.clone()),
            Some(Column::Bytes(bytes)) => Value::Blob(bytes.clone()),
        }
    }

    /// Who had written the row.
    pub fn origin(&self) -> Existing {
        let text = |column: &str| match self.0.get(column) {
            Some(Column::Text(text)) => text.as_str(),
            _ => "",
        };
        let position = match self.0.get("_position") {
            Some(Column::Integer(position)) => *position,
            _ => 0,
        };
        let hash = match self.0.get("_hash") {
            Some(Column::Bytes(hash)) => hash.as_slice().try_into().unwrap_or_default(),
            _ => Default::default(),
        };
        let operation = text("_operation").parse().unwrap_or(OperationId::from_u128(0));
        Existing { operation, position: Position::from_stored(position), hash }
    }
}

impl Column {
    fn of(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Real(number) => Self::Real(number.to_bits()),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Self::Text(text.to_owned()),
                Err(_) => Self::Bytes(bytes.to_owned()),
            },
            ValueRef::Blob(bytes) => Self::Bytes(bytes.to_owned()),
        }
    }
}

/// Who has written a row of which `_operation`, `_position` and `_hash` are the columns from `from` on. The operation
/// is `known`, or read. What its user wrote there by hand is nobody's, and equals nothing.
pub(super) fn existing(row: &Row<'_>, from: usize, known: Option<OperationId>) -> SqlResult<Existing> {
    let read = || row.get_ref(from).ok()?.as_str().ok()?.parse().ok();
    let operation = known.or_else(read).unwrap_or(OperationId::from_u128(0));
    let hash = row.get_ref(from + 2)?.as_bytes().ok().and_then(|hash| hash.try_into().ok());
    Ok(Existing {
        operation,
        position: Position::from_stored(row.get(from + 1)?),
        hash: hash.unwrap_or_default(),
    })
}

/// Keeps the images of one operation's rows of one type.
pub(super) struct Keeper<'tx> {
    operation: String,
    data_type: String,
    row: CachedStatement<'tx>,
    keep: CachedStatement<'tx>,
}

impl<'tx> Keeper<'tx> {
    pub fn new(tx: &'tx Transaction<'_>, data_type: &DataType, operation: &str) -> SqlResult<Self> {
        Ok(Self {
            operation: operation.to_owned(),
            data_type: data_type.name.as_str().to_owned(),
            row: tx.prepare_cached(&tables::row(data_type))?,
            keep: tx.prepare_cached(
                "INSERT INTO carrack_images (operation, data_type, key, image) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (operation, data_type, key) DO NOTHING",
            )?,
        })
    }

    /// The row of a key as it is now.
    pub fn take(&mut self, key: &[u8]) -> SqlResult<Option<Image>> {
        first_of(&mut self.row, [Utf8(key)], Image::of)
    }

    /// Keeps the first image of a key: that of the row before the operation.
    pub fn keep(&mut self, key: &[u8], image: &Image) -> SqlResult<()> {
        let image = serde_json::to_vec(image)
            .map_err(|error| impossible(format!("an image cannot be written: {error}")))?;
        self.keep.execute((&self.operation, &self.data_type, Utf8(key), image))?;
        Ok(())
    }
}

/// Forgets images of operations that ended longer ago than `keep`; answers how many.
pub(super) fn forget(tx: &Transaction<'_>, keep: Duration) -> SqlResult<u64> {
    let sql = "UPDATE carrack_operations SET images = 'forgetting'
               WHERE images = 'kept' AND unixepoch(finished_at, 'subsec') * 1000 <= ?1";
    execute(tx, sql, [clock::now(tx)? - clock::millis(keep)])?;
    let sql = "UPDATE carrack_operations AS o SET images = 'forgotten' WHERE images = 'forgetting'
               AND NOT EXISTS (SELECT 1 FROM carrack_images AS i WHERE i.operation = o.id)";
    execute(tx, sql, [])?;
    let sql = "SELECT id FROM carrack_operations WHERE images = 'forgetting' ORDER BY number LIMIT 1";
    let found = first(tx, sql, [], |row| Ok(row.get::<_, String>("id")?))?;
    let Some(operation) = found else { return Ok(0) };
    let sql = "DELETE FROM carrack_images WHERE rowid IN (
                   SELECT rowid FROM carrack_images WHERE operation = ?1 LIMIT ?2)";
    Ok(execute(tx, sql, (&operation, FORGOTTEN_TOGETHER))? as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_as_it_was() {
        let values = [
            Value::Null,
            Value::Integer(i64::MIN),
            Value::Real(0.1 + 0.2),
            Value::Real(-0.0),
            Value::Text("ß \"quoted\" \u{0}".into()),
            Value::Blob(vec![0, 255, 7]),
        ];
        let columns = ["a", "b", "c", "d", "e", "f"];
        let held = columns.iter().zip(&values);
        let image = Image(held.map(|(name, value)| ((*name).to_owned(), Column::of(value.into()))).collect());
        let back = Image::read(&serde_json::to_vec(&image).unwrap()).unwrap();
        for (name, value) in columns.iter().zip(values) {
            assert_eq!(back.value(name), value, "{name}");
        }
        assert_eq!(back.value("added later"), Value::Null);
    }
}
