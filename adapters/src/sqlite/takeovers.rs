//! What an operation that overwrites or merges remembers of the rows that it met.

use carrack_shared::duplicates::Takeover;
use carrack_shared::duplicates::merge::{Marks, Remembered};
use carrack_shared::record::Position;
use carrack_shared::tally::Counted;
use rusqlite::{CachedStatement, Row, Transaction};

use super::error::SqlResult;
use super::stored::{Utf8, document, first_of, id, json, optional, unreadable};

/// The takeovers of an operation's rows of one type: another type may have the same keys.
pub(super) struct Takeovers<'tx> {
    operation: String,
    data_type: String,
    find: CachedStatement<'tx>,
    store: CachedStatement<'tx>,
}

impl<'tx> Takeovers<'tx> {
    pub fn new(tx: &'tx Transaction<'_>, operation: &str, data_type: &str) -> SqlResult<Self> {
        Ok(Self {
            operation: operation.to_owned(),
            data_type: data_type.to_owned(),
            find: tx.prepare_cached(
                "SELECT position, hash_before, counted, marks FROM carrack_claims
                 WHERE operation = ?1 AND data_type = ?2 AND key = ?3",
            )?,
            store: tx.prepare_cached(
                "INSERT INTO carrack_claims AS c (operation, data_type, key, position, hash_before, counted,
                     from_operation, from_position, marks)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (operation, data_type, key) DO UPDATE SET position = excluded.position,
                     hash_before = excluded.hash_before, counted = excluded.counted, marks = excluded.marks,
                     from_operation = coalesce(excluded.from_operation, c.from_operation),
                     from_position = coalesce(excluded.from_position, c.from_position)",
            )?,
        })
    }

    /// The takeover of a key.
    pub fn find(&mut self, key: &[u8]) -> SqlResult<Option<Takeover>> {
        first_of(&mut self.find, (&self.operation, &self.data_type, Utf8(key)), takeover)
    }

    /// The same with who has set what, where records are merged.
    pub fn remembered(&mut self, key: &[u8]) -> SqlResult<Option<Remembered>> {
        first_of(&mut self.find, (&self.operation, &self.data_type, Utf8(key)), |row| {
            let marks = optional(row, "marks", document::<Marks>)?.unwrap_or_default();
            Ok(Remembered { takeover: takeover(row)?, marks })
        })
    }

    /// Remembers a takeover.
    pub fn store(&mut self, key: &[u8], takeover: &Takeover, marks: Option<&Marks>) -> SqlResult<()> {
        let Takeover { position, before, counted, from } = takeover;
        self.store.execute((
            &self.operation,
            &self.data_type,
            Utf8(key),
            position.stored(),
            before,
            counted.as_str(),
            from.map(|(operation, _)| id(operation)),
            from.map(|(_, position)| position.stored()),
            marks.map(json).transpose()?,
        ))?;
        Ok(())
    }
}

fn takeover(row: &Row<'_>) -> SqlResult<Takeover> {
    let counted: String = row.get("counted")?;
    Ok(Takeover {
        position: Position::from_stored(row.get("position")?),
        before: row.get("hash_before")?,
        counted: Counted::parse(&counted).ok_or_else(|| unreadable("counted", counted))?,
        from: None,
    })
}
