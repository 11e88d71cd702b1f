//! The header row: the names of the columns. What is wrong with it is wrong with the whole source.

use std::collections::HashSet;

use super::Dialect;
use super::fields::{Field, Fields, halved};
use crate::fault::{Fault, Stage};
use crate::format::shown;
use crate::limits;

/// The names in the header row.
pub(crate) fn read(row: &[u8], dialect: Dialect) -> Result<Vec<String>, Fault> {
    let fault = |code, message: String| Err(Fault::new(Stage::Decode, code, message));
    if row.len() > limits::HEADER_BYTES {
        return Err(too_long());
    }
    let text = match std::str::from_utf8(row) {
        Ok(text) => text,
        Err(error) => {
            let message = format!(
                "found invalid UTF-8 at byte {} of the header row, expected names in UTF-8 text",
                error.valid_up_to()
            );
            return fault("csv.header_utf8", message);
        }
    };
    if let Some(stray) = Fields::of(row, dialect).find_map(|field| field.stray) {
        let found = shown::byte(row[stray]);
        let message = format!("found {found} behind the closing quote at byte {stray} of the header row");
        return fault("csv.header_quote", message);
    }
    let count = Fields::of(row, dialect).count();
    if count > limits::COLUMNS {
        let message = format!("found {count} columns, expected at most {}", limits::COLUMNS);
        return fault("csv.header_columns", message);
    }
    let columns = names(text, dialect);
    let mut seen = HashSet::new();
    for (index, name) in columns.iter().enumerate() {
        let number = index + 1;
        if name.is_empty() {
            return fault("csv.header_empty", format!("column {number} has no name"));
        }
        if name.contains('\0') {
            return fault("csv.header_nul", format!("the name of column {number} holds a NUL byte"));
        }
        if !seen.insert(name) {
            let first = columns.iter().position(|other| other == name).unwrap_or_default() + 1;
            let message = format!("columns {first} and {number} have the same name {}", shown::text(name));
            return fault("csv.header_duplicate", message);
        }
    }
    Ok(columns)
}

/// What a header that goes on and on is refused with.
pub(crate) fn too_long() -> Fault {
    let message = format!("found a header row of more than {} bytes", limits::HEADER_BYTES);
    Fault::new(Stage::Decode, "csv.header_too_long", message)
}

/// The fields of a row as names, whatever they are.
pub(crate) fn names(row: &str, dialect: Dialect) -> Vec<String> {
    let name = |field: Field| match field.doubled {
        true => halved(&row[field.text], dialect.quote).collect(),
        false => row[field.text].to_owned(),
    };
    Fields::of(row.as_bytes(), dialect).map(name).collect()
}

/// How many cells a row has.
pub(crate) fn cells(row: &[u8], dialect: Dialect) -> usize {
    Fields::of(row, dialect).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_or_refused() {
        let many = vec!["c"; limits::COLUMNS + 1].join(",");
        let cases: &[(&[u8], &str)] = &[
            (b"id,\"a \"\"b\"\"\",\xc3\xbc", "id|a \"b\"|\u{fc}"),
            (b"id,a,id", "csv.header_duplicate: columns 1 and 3 have the same name \"id\""),
            (b"id,,b", "csv.header_empty: column 2 has no name"),
            (b"id,a\0", "csv.header_nul: the name of column 2 holds a NUL byte"),
            (
                b"id,\xff",
                "csv.header_utf8: found invalid UTF-8 at byte 3 of the header row, expected names in UTF-8 text",
            ),
            (
                b"\"id\"x",
                "csv.header_quote: found \"x\" behind the closing quote at byte 4 of the header row",
            ),
            (many.as_bytes(), "csv.header_columns: found 4097 columns, expected at most 4096"),
        ];
        for (row, expected) in cases {
            let found = match read(row, Dialect::default()) {
                Ok(columns) => columns.join("|"),
                Err(fault) => format!("{}: {}", fault.code, fault.message),
            };
            assert_eq!(found, *expected);
        }
        let read = |row: &[u8]| read(row, Dialect::default());
        let named = |count: usize| (0..count).map(|n| format!("c{n}")).collect::<Vec<_>>().join(",");
        assert_eq!(read(named(limits::COLUMNS).as_bytes()).unwrap().len(), limits::COLUMNS);
        assert!(read(&vec![b'x'; limits::HEADER_BYTES]).is_ok());
        assert_eq!(read(&vec![b'x'; limits::HEADER_BYTES + 1]).unwrap_err(), too_long());
    }
}
