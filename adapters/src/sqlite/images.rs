//! The images of rows that an import overwrites: how one is taken, kept, read back and forgotten.
//!
//! An image holds each column as SQLite has it, with nothing converted, so that what is restored is what was there,
//! byte for byte. Its stored form is the byte [`FORM`], and for each column, in the order of the table's, a number in
//! LEB128 and what it announces:
//!
//! | number | what follows |
//! |---|---|
//! | 0 | nothing: null |
//! | 1 | an integer in 8 bytes |
//! | 2 | a real number in 8 bytes |
//! | 3 + 2n | a text of n bytes, be it UTF-8 or not |
//! | 4 + 2n | n bytes |

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use carrack_shared::duplicates::Existing;
use carrack_shared::operation::OperationId;
use carrack_shared::record::Position;
use carrack_shared::varint;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, Row, ToSql, Transaction};
use serde::{Deserialize, Deserializer};

use super::clock;
use super::error::SqlResult;
use super::stored::{execute, first, scalar, unreadable};

/// Images that are removed in one transaction: the writer serves commits, too.
const FORGOTTEN_TOGETHER: u32 = 10_000;
/// The first byte of an image. Those of earlier releases are JSON objects.
const FORM: u8 = 1;
/// The images of an operation have this many bits to be numbered with, above them stands the operation's number.
const NUMBER_BITS: u32 = 36;

/// A row as it was: its columns in the order of the table's.
#[derive(Debug)]
pub(super) struct Image(Vec<Column>);

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
enum Column {
    #[serde(rename = "n")]
    Null,
    #[serde(rename = "i")]
    Integer(i64),
    /// The bits of a number.
    #[serde(rename = "r")]
    Real(u64),
    #[serde(rename = "t", deserialize_with = "text")]
    Text(Vec<u8>),
    #[serde(rename = "b")]
    Bytes(Vec<u8>),
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    String::deserialize(deserializer).map(String::into_bytes)
}

impl Image {
    /// Reads a stored image of a row with these columns.
    pub fn read(stored: &[u8], columns: &[String]) -> SqlResult<Self> {
        let wrong = || unreadable("image", format_args!("an image of {} bytes", stored.len()));
        let Some((&FORM, mut rest)) = stored.split_first() else { return Self::read_before(stored, columns) };
        let mut held = Vec::with_capacity(columns.len());
        while !rest.is_empty() {
            held.push(Column::read(&mut rest).ok_or_else(wrong)?);
        }
        // An import whose type got new fields since is not undone.
        if held.len() == columns.len() { Ok(Self(held)) } else { Err(wrong()) }
    }

    /// Reads one that an earlier release has stored.
    fn read_before(stored: &[u8], columns: &[String]) -> SqlResult<Self> {
        let named: BTreeMap<String, Column> =
            serde_json::from_slice(stored).map_err(|error| unreadable("image", error))?;
        let value = |column: &String| match named.get(column) {
            // A text that is not UTF-8: no column but this holds bytes.
            Some(Column::Bytes(bytes)) if column != "_hash" => Column::Text(bytes.clone()),
            found => found.cloned().unwrap_or(Column::Null),
        };
        Ok(Self(columns.iter().map(value).collect()))
    }

    /// Its values, to be bound.
    pub fn values(&self) -> impl Iterator<Item = impl ToSql + '_> {
        self.0.iter()
    }

    /// Who had written the row.
    pub fn origin(&self) -> Existing {
        let mut existing = Existing {
            operation: OperationId::from_u128(0),
            position: Position::from_stored(0),
            hash: Default::default(),
        };
        if let [.., Column::Text(operation), position, _, hash] = &self.0[..] {
            let operation = std::str::from_utf8(operation).ok().and_then(|text| text.parse().ok());
            existing.operation = operation.unwrap_or(existing.operation);
            if let Column::Integer(position) = position {
                existing.position = Position::from_stored(*position);
            }
            if let Column::Bytes(hash) = hash {
                existing.hash = hash.as_slice().try_into().unwrap_or_default();
            }
        }
        existing
    }
}

impl Column {
    fn write(value: ValueRef<'_>, image: &mut Vec<u8>) {
        match value {
            ValueRef::Null => varint::write(0, image),
            ValueRef::Integer(integer) => {
                varint::write(1, image);
                image.extend(integer.to_le_bytes());
            }
            ValueRef::Real(number) => {
                varint::write(2, image);
                image.extend(number.to_bits().to_le_bytes());
            }
            ValueRef::Text(bytes) => {
                varint::write(3 + 2 * bytes.len() as u64, image);
                image.extend(bytes);
            }
            ValueRef::Blob(bytes) => {
                varint::write(4 + 2 * bytes.len() as u64, image);
                image.extend(bytes);
            }
        }
    }

    /// Takes one off the front; none if there is no whole one.
    fn read(image: &mut &[u8]) -> Option<Self> {
        match varint::read(image)? {
            0 => Some(Self::Null),
            1 => Some(Self::Integer(i64::from_le_bytes(*take(image, 8)?.as_array()?))),
            2 => Some(Self::Real(u64::from_le_bytes(*take(image, 8)?.as_array()?))),
            number => {
                let bytes = take(image, (number - 3) / 2)?.to_vec();
                Some(if number % 2 == 1 { Self::Text(bytes) } else { Self::Bytes(bytes) })
            }
        }
    }
}

fn take<'image>(image: &mut &'image [u8], count: u64) -> Option<&'image [u8]> {
    let (taken, rest) = image.split_at_checked(usize::try_from(count).ok()?)?;
    *image = rest;
    Some(taken)
}

impl ToSql for Column {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(integer) => ValueRef::Integer(*integer),
            Self::Real(bits) => ValueRef::Real(f64::from_bits(*bits)),
            Self::Text(bytes) => ValueRef::Text(bytes),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Who has written a row of which `_operation`, `_position`, `_updated_at` and `_hash` are the columns from `from` on. The operation
/// is `known`, or read. What its user wrote there by hand is nobody's, and equals nothing.
pub(super) fn existing(row: &Row<'_>, from: usize, known: Option<OperationId>) -> SqlResult<Existing> {
    let read = || row.get_ref(from).ok()?.as_str().ok()?.parse().ok();
    let operation = known.or_else(read).unwrap_or(OperationId::from_u128(0));
    let hash = row.get_ref(from + 3)?.as_bytes().ok().and_then(|hash| hash.try_into().ok());
    Ok(Existing {
        operation,
        position: Position::from_stored(row.get(from + 1)?),
        hash: hash.unwrap_or_default(),
    })
}

/// Images that one statement inserts: a statement costs as much as a small image.
const KEPT_TOGETHER: usize = 16;
/// Bytes of images beyond which they are inserted, however few.
const KEPT_BYTES: usize = 1024 * 1024;

/// Keeps the images of one operation's rows of one type, until [`Keeper::end`] at the latest. The claim of a key names
/// its image.
pub(super) struct Keeper<'tx> {
    together: CachedStatement<'tx>,
    one: CachedStatement<'tx>,
    /// The images that are to be inserted, one behind the other, and the one that was taken last.
    images: Vec<u8>,
    /// Where each of those to be inserted ends.
    ends: Vec<usize>,
    /// The id of the next one.
    next: i64,
}

impl<'tx> Keeper<'tx> {
    pub fn new(tx: &'tx Transaction<'_>, operation: &str) -> SqlResult<Self> {
        let ids = ids(tx, operation)?;
        let sql = "SELECT coalesce(max(id) + 1, ?1) FROM carrack_images WHERE id >= ?1 AND id < ?2";
        let insert = |images| {
            let values = vec!["(?, ?)"; images].join(", ");
            // FAIL, for what is to be undone alone is first copied aside; one that fails ends the transaction.
            tx.prepare_cached(&format!("INSERT OR FAIL INTO carrack_images (id, image) VALUES {values}"))
        };
        Ok(Self {
            together: insert(KEPT_TOGETHER)?,
            one: insert(1)?,
            images: Vec::new(),
            ends: Vec::new(),
            next: scalar(tx, sql, (ids.start, ids.end))?,
        })
    }

    /// Takes the image of a row, which is one of [`super::tables::row`].
    pub fn take(&mut self, row: &Row<'_>) -> SqlResult<()> {
        self.images.truncate(self.ends.last().copied().unwrap_or_default());
        self.images.push(FORM);
        for number in 0..row.as_ref().column_count() {
            Column::write(row.get_ref(number)?, &mut self.images);
        }
        Ok(())
    }

    /// Keeps the image that was taken, and answers its id.
    pub fn keep(&mut self) -> SqlResult<i64> {
        let id = self.next;
        self.next += 1;
        self.ends.push(self.images.len());
        if self.ends.len() == KEPT_TOGETHER || self.images.len() >= KEPT_BYTES {
            self.insert()?;
        }
        Ok(id)
    }

    /// Inserts what is kept and not inserted yet.
    pub fn end(mut self) -> SqlResult<()> {
        self.insert()
    }

    fn insert(&mut self) -> SqlResult<()> {
        let (statement, at_once) = match self.ends.len() {
            KEPT_TOGETHER => (&mut self.together, KEPT_TOGETHER),
            _ => (&mut self.one, 1),
        };
        let (mut start, first) = (0, self.next - i64::try_from(self.ends.len()).unwrap_or(i64::MAX));
        for (id, (number, end)) in (first..).zip(self.ends.drain(..).enumerate()) {
            let parameter = number % at_once * 2 + 1;
            statement.raw_bind_parameter(parameter, id)?;
            statement.raw_bind_parameter(parameter + 1, &self.images[start..end])?;
            if (number + 1) % at_once == 0 {
                statement.raw_execute()?;
            }
            start = end;
        }
        self.images.clear();
        Ok(())
    }
}

/// The ids of an operation's images.
fn ids(connection: &Connection, operation: &str) -> SqlResult<Range<i64>> {
    let sql = "SELECT number FROM carrack_operations WHERE id = ?1";
    let number: i64 = scalar(connection, sql, [operation])?;
    Ok(number << NUMBER_BITS..(number + 1) << NUMBER_BITS)
}

/// Forgets images of operations that ended longer ago than `keep`; answers how many.
pub(super) fn forget(tx: &Transaction<'_>, keep: Duration) -> SqlResult<u64> {
    let sql = "UPDATE carrack_operations SET images = 'forgetting'
               WHERE images = 'kept' AND unixepoch(finished_at, 'subsec') * 1000 <= ?1";
    execute(tx, sql, [clock::now(tx)? - clock::millis(keep)])?;
    let sql = "UPDATE carrack_operations AS o SET images = 'forgotten' WHERE images = 'forgetting'
               AND NOT EXISTS (SELECT 1 FROM carrack_images AS i
                               WHERE i.id >= o.number << ?1 AND i.id < (o.number + 1) << ?1)";
    execute(tx, sql, [NUMBER_BITS])?;
    let sql = "SELECT id FROM carrack_operations WHERE images = 'forgetting' ORDER BY number LIMIT 1";
    let found = first(tx, sql, [], |row| Ok(row.get::<_, String>("id")?))?;
    let Some(operation) = found else { return Ok(0) };
    let ids = ids(tx, &operation)?;
    let sql = "DELETE FROM carrack_images WHERE id IN (
                   SELECT id FROM carrack_images WHERE id >= ?1 AND id < ?2 LIMIT ?3)";
    Ok(execute(tx, sql, (ids.start, ids.end, FORGOTTEN_TOGETHER))? as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn every_value_comes_back_as_it_was() {
        let long = vec![b'x'; 70_000];
        let values = [
            ValueRef::Null,
            ValueRef::Integer(i64::MIN),
            ValueRef::Real(0.1 + 0.2),
            ValueRef::Real(-0.0),
            ValueRef::Text("ß \"quoted\" \u{0}".as_bytes()),
            ValueRef::Text(&[0xFF, b'a']),
            ValueRef::Text(b""),
            ValueRef::Text(&long),
            ValueRef::Blob(&[]),
            ValueRef::Blob(&long),
            ValueRef::Blob(&[0, 255, 7]),
        ];
        let mut stored = vec![FORM];
        for value in values {
            Column::write(value, &mut stored);
        }
        let mut names: Vec<String> = (0..values.len()).map(|number| number.to_string()).collect();
        let back = |stored: &[u8], names: &[String]| {
            let image = Image::read(stored, names).ok()?;
            Some(image.0.iter().map(|column| format!("{:?}", column.to_sql().unwrap())).collect::<Vec<_>>())
        };
        let held = |value| format!("{:?}", ToSqlOutput::Borrowed(value));
        let expected = values.map(held).to_vec();
        assert_eq!(back(&stored, &names).unwrap(), expected);
        for length in 0..stored.len() {
            let cut = back(&stored[..length], &names);
            assert!(cut.is_none_or(|cut| cut != expected), "cut after {length}");
        }
        names.push("a field that was added later".to_owned());
        assert_eq!(back(&stored, &names), None);
    }

    #[test]
    fn the_images_of_earlier_releases_are_read() {
        let stored = br#"{"_operation":{"t":"\u00df"},"a":{"n":null},"b":{"i":-7},"c":{"r":13835058055282163712},"d":{"b":[0,255]}}"#;
        let names = columns(&["d", "c", "b", "a", "_operation", "added"]);
        let expected = [
            Column::Text(vec![0, 255]),
            Column::Real((-2.0_f64).to_bits()),
            Column::Integer(-7),
            Column::Null,
            Column::Text("ß".into()),
            Column::Null,
        ];
        assert_eq!(Image::read(stored, &names).unwrap().0, expected);
    }
}
