//! What an operation that overwrites or merges remembers of the rows that it met.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use carrack_shared::duplicates::Takeover;
use carrack_shared::duplicates::merge::{Marks, Remembered};
use carrack_shared::operation::OperationId;
use carrack_shared::record::{Position, RecordHash};
use carrack_shared::tally::Counted;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Row, Transaction};

use super::error::SqlResult;
use super::stored::{Utf8, document, first_of, id, json, optional, unreadable};

/// What is remembered of a key.
pub(super) struct Claimed<T> {
    pub what: T,
    /// Whether an image of its row was kept: only the first one is.
    pub has_image: bool,
}

/// The takeovers of an operation's rows of one type: another type may have the same keys.
pub(super) struct Takeovers<'tx> {
    operation: String,
    data_type: String,
    find: CachedStatement<'tx>,
    store: CachedStatement<'tx>,
    leave: CachedStatement<'tx>,
    is_open: CachedStatement<'tx>,
    /// Whether the operations whose rows were met have not ended.
    met: HashMap<OperationId, bool>,
}

impl<'tx> Takeovers<'tx> {
    pub fn new(tx: &'tx Transaction<'_>, operation: &str, data_type: &str) -> SqlResult<Self> {
        Ok(Self {
            operation: operation.to_owned(),
            data_type: data_type.to_owned(),
            find: tx.prepare_cached(
                "SELECT position, hash_before, counted, marks, image FROM carrack_claims
                 WHERE operation = ?1 AND data_type = ?2 AND key = ?3",
            )?,
            store: tx.prepare_cached(
                "INSERT INTO carrack_claims AS c (operation, data_type, key, position, hash_before, counted,
                     from_operation, from_position, over_operation, over_position, marks, image)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?7, ?8, ?9, ?10)
                 ON CONFLICT (operation, data_type, key) DO UPDATE SET position = excluded.position,
                     hash_before = excluded.hash_before, counted = excluded.counted, marks = excluded.marks,
                     from_operation = coalesce(c.from_operation, excluded.from_operation),
                     from_position = coalesce(c.from_position, excluded.from_position),
                     over_operation = coalesce(excluded.over_operation, c.over_operation),
                     over_position = coalesce(excluded.over_position, c.over_position),
                     image = coalesce(c.image, excluded.image)",
            )?,
            leave: tx.prepare_cached(
                "INSERT INTO carrack_claims (operation, data_type, key, position, hash_before, counted)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (operation, data_type, key) DO NOTHING",
            )?,
            is_open: tx.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM carrack_operations
                 WHERE id = ?1 AND state IN ('running', 'finalising', 'cancelling'))",
            )?,
            met: HashMap::new(),
        })
    }

    /// The takeover of a key.
    pub fn find(&mut self, key: &[u8]) -> SqlResult<Option<Claimed<Takeover>>> {
        first_of(&mut self.find, (&self.operation, &self.data_type, Utf8(key)), |row| {
            Ok(Claimed { what: takeover(row)?, has_image: has_image(row)? })
        })
    }

    /// The same with who has set what, where records are merged.
    pub fn remembered(&mut self, key: &[u8]) -> SqlResult<Option<Claimed<Remembered>>> {
        first_of(&mut self.find, (&self.operation, &self.data_type, Utf8(key)), |row| {
            let marks = optional(row, "marks", document::<Marks>)?;
            Ok(Claimed { what: Remembered::new(takeover(row)?, marks), has_image: has_image(row)? })
        })
    }

    /// Remembers a takeover, and the image of the row that was kept with it.
    pub fn store(
        &mut self,
        key: &[u8],
        takeover: &Takeover,
        marks: Option<&Marks>,
        image: Option<i64>,
    ) -> SqlResult<()> {
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
            image,
        ))?;
        from.map_or(Ok(()), |(operation, position)| self.leave_to(operation, key, position))
    }

    /// Leaves the operation whose row was overwritten word that it was its own, if that has records to come.
    fn leave_to(&mut self, operation: OperationId, key: &[u8], position: Position) -> SqlResult<()> {
        let is_open = match self.met.entry(operation) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                *unknown.insert(self.is_open.query_row([id(operation)], |row| row.get(0))?)
            }
        };
        if is_open {
            let (created, before) = (Counted::Created.as_str(), RecordHash::default());
            let values = (id(operation), &self.data_type, Utf8(key), position.stored(), before, created);
            self.leave.execute(values)?;
        }
        Ok(())
    }
}

fn has_image(row: &Row<'_>) -> SqlResult<bool> {
    Ok(row.get_ref("image")? != ValueRef::Null)
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
