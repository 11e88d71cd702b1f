//! Reads the rows of a range of keys, piece by piece.

use std::sync::Arc;

use bytes::Bytes;
use carrack_shared::record::{Cell, Origin, Position, Rows};
use carrack_shared::scalar;
use carrack_shared::schema::{DataType, FieldType};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params_from_iter};

use super::conditions::Asked;
use super::error::{SqlResult, Trouble, refused};
use super::{date, tables};

/// Rows of a piece, at most.
const PIECE_ROWS: usize = 1_000;
/// Bytes of values after which a piece ends: rows may be up to 16 MiB long.
const PIECE_BYTES: usize = 1024 * 1024;

/// Where a scan stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The key to begin with.
    pub from: String,
    /// Whether to begin with the key behind it instead.
    pub behind: bool,
    /// The last key.
    pub to: String,
}

/// The next rows, and where to go on; none if nothing is left.
pub(super) fn piece(
    connection: &Connection,
    data_type: &Arc<DataType>,
    asked: &Asked,
    place: &Place,
) -> SqlResult<(Rows, Option<Place>)> {
    let mut statement = connection.prepare_cached(&tables::scan(data_type, place.behind, &asked.sql))?;
    let keys = [&place.from, &place.to];
    let mut found = statement.query(params_from_iter(keys.into_iter().chain(&asked.values)))?;
    let (rows, last) = read(&mut found, data_type)?;
    Ok((rows, last.map(|from| Place { from, behind: true, to: place.to.clone() })))
}

/// The next rows of a query for the fields, `extra` and `_position`; and the last key, where more may follow.
pub(super) fn read(
    found: &mut rusqlite::Rows<'_>,
    data_type: &Arc<DataType>,
) -> SqlResult<(Rows, Option<String>)> {
    let mut rows = Rows::new(Arc::clone(data_type), Bytes::new(), 0, 0);
    let extra = data_type.fields.len();
    while let Some(row) = found.next()? {
        let cells = cells(&mut rows, row)?;
        rows.push(Origin { position: Position::from_stored(row.get(extra + 1)?), frame: 0..0 }, &cells);
        if rows.len() == PIECE_ROWS || rows.scratch().len() >= PIECE_BYTES {
            let last = String::from_utf8_lossy(rows.key(rows.len() - 1)).into_owned();
            return Ok((rows, Some(last)));
        }
    }
    Ok((rows, None))
}

/// The cells of a row whose columns are the fields and `extra`.
pub(super) fn cells(rows: &mut Rows, row: &Row<'_>) -> SqlResult<Vec<Cell>> {
    let data_type = Arc::clone(rows.data_type());
    let extra = data_type.fields.len();
    let mut cells = Vec::with_capacity(rows.width());
    for slot in 0..=extra {
        let field = data_type.fields.get(slot);
        let field_type = field.map_or(FieldType::Object, |field| field.field_type);
        let name = field.map_or("extra", |field| field.name.as_str());
        let cell = cell(rows, field_type, row.get_ref(slot)?);
        cells.push(cell.ok_or_else(|| unreadable(&data_type, name, row.get_ref(data_type.key)))?);
    }
    Ok(cells)
}

/// A column's value; none if it is nothing that we would write there.
pub(super) fn cell(rows: &mut Rows, field_type: FieldType, value: ValueRef<'_>) -> Option<Cell> {
    let text = match (value, field_type) {
        (ValueRef::Null, _) => return Some(Cell::Missing),
        (ValueRef::Integer(integer), FieldType::Integer) => return Some(json(rows, &integer.to_string())),
        (ValueRef::Real(number), FieldType::Number) => return Some(json(rows, &scalar::of_number(number)?)),
        (ValueRef::Integer(0), FieldType::Boolean) => return Some(json(rows, "false")),
        (ValueRef::Integer(1), FieldType::Boolean) => return Some(json(rows, "true")),
        (ValueRef::Text(bytes), _) => std::str::from_utf8(bytes).ok()?,
        _ => return None,
    };
    Some(match field_type {
        FieldType::String => Cell::Text(rows.span_of_copy(text.as_bytes())),
        FieldType::Date => Cell::Instant(date::parse(text)?),
        FieldType::Decimal => json(rows, &scalar::of_decimal(text)?),
        FieldType::Array | FieldType::Object | FieldType::Binary => json(rows, text),
        FieldType::Integer | FieldType::Number | FieldType::Boolean => return None,
    })
}

fn json(rows: &mut Rows, json: &str) -> Cell {
    Cell::Json(rows.span_of_copy(json.as_bytes()))
}

fn unreadable(data_type: &DataType, column: &str, key: rusqlite::Result<ValueRef<'_>>) -> Trouble {
    let key = key.ok().and_then(|key| key.as_str().ok()).unwrap_or_default();
    let table = tables::name(data_type);
    refused(format!("{table}, key {key:?}: column {column:?} holds a value that its type does not allow"))
}
