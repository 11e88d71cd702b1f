//! What an operation remembers of the rows it met: takeovers of rows that existed before it, and its own
//! records that lost a key.

use std::collections::HashMap;

use carrack_shared::duplicates::merge::{Marks, Rejected, Remembered};
use carrack_shared::duplicates::{Displaced, Existing, Takeover};
use carrack_shared::error::PortResult;
use carrack_shared::operation::OperationId;
use carrack_shared::record::{Position, RecordHash};
use carrack_shared::staging::Refused;
use carrack_shared::tally::Counted;
use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use super::error::internal;
use super::sql::{Params, execute, get, query, storable};
use super::tables::Table;

/// Whether rows that are looked up stay as they are until the transaction ends.
#[derive(Clone, Copy)]
pub(super) enum Lock {
    /// They may change at once.
    None,
    /// They stay; who is changing one is waited for.
    Wait,
    /// They stay; when somebody is changing one, the race is lost.
    DoNotWait,
}

/// What `keys` hold in the table.
pub(super) async fn existing(
    tx: &Transaction<'_>,
    table: &Table<'_>,
    keys: &[&str],
    lock: Lock,
) -> PortResult<HashMap<String, Existing>> {
    let rows = query(tx, "look up keys", &table.existing(lock), &[&keys]).await?;
    let entry = |row: &Row| {
        let existing = read_existing(row)?;
        let key = row.try_get(0).map_err(super::error::failed("read a key"))?;
        Ok((key, existing))
    };
    rows.iter().map(entry).collect()
}

/// Who has written a row.
pub(super) fn read_existing(row: &Row) -> PortResult<Existing> {
    Ok(Existing {
        operation: OperationId::from_uuid(get(row, "_operation")?),
        position: Position::from_stored(get(row, "_position")?),
        // What its user has written there by hand equals nothing.
        hash: get::<Vec<u8>>(row, "_hash")?.try_into().unwrap_or_default(),
    })
}

/// What is remembered of a key.
pub(super) struct Claimed<T> {
    pub(super) what: T,
    /// Whether an image of its row was kept: only the first one is.
    pub(super) has_image: bool,
}

impl<T> Claimed<T> {
    fn new(row: &Row, what: T) -> PortResult<Self> {
        Ok(Self { what, has_image: get::<Option<i64>>(row, "image")?.is_some() })
    }
}

/// The claims, as `c`, whose `column` is an operation, on keys of a type; all three are parameters, by their numbers.
///
/// Each key is looked up by itself. Of `key = ANY` a plan that was made while nothing was known of the table would
/// compare every claim of the operation with every key: 13 to 31 s were measured instead of 3 s.
pub(super) fn claims(column: &str, [operation, data_type, keys]: [u8; 3]) -> String {
    format!(
        "unnest(${keys}::text[]) AS k (wanted) CROSS JOIN LATERAL (
             SELECT * FROM carrack.claims
             WHERE {column} = ${operation} AND data_type = ${data_type} AND key = k.wanted OFFSET 0) AS c"
    )
}

/// The operation's takeovers of `keys` of a type; another type may have the same ones. Only stable behind the locks of [`existing`].
pub(super) async fn find(
    tx: &Transaction<'_>,
    operation: OperationId,
    data_type: &str,
    keys: &[&str],
) -> PortResult<HashMap<String, Claimed<Takeover>>> {
    let sql = format!("SELECT key, position, before, counted, image FROM {}", claims("operation", [1, 2, 3]));
    let rows = query(tx, "look up takeovers", &sql, &[&operation.as_uuid(), &data_type, &keys]).await?;
    rows.iter().map(|row| Ok((get(row, "key")?, Claimed::new(row, read_takeover(row)?)?))).collect()
}

/// The same with who has set what, where records are merged.
pub(super) async fn remembered(
    tx: &Transaction<'_>,
    operation: OperationId,
    data_type: &str,
    keys: &[&str],
) -> PortResult<HashMap<String, Claimed<Remembered>>> {
    let sql = format!(
        "SELECT key, position, before, counted, marks, image FROM {}",
        claims("operation", [1, 2, 3])
    );
    let rows = query(tx, "look up takeovers", &sql, &[&operation.as_uuid(), &data_type, &keys]).await?;
    let entry = |row: &Row| {
        let marks = get::<Option<Json<Marks>>>(row, "marks")?.map(|Json(marks)| marks);
        Ok((get(row, "key")?, Claimed::new(row, Remembered::new(read_takeover(row)?, marks))?))
    };
    rows.iter().map(entry).collect()
}

fn read_takeover(row: &Row) -> PortResult<Takeover> {
    Ok(Takeover {
        position: Position::from_stored(get(row, "position")?),
        before: get_record_hash(row, "before")?,
        counted: get_counted(row)?,
        from: None,
    })
}

/// Takeovers and displaced records to be stored.
#[derive(Default)]
pub(super) struct Memory<'rows> {
    takeovers: Vec<(&'rows str, Takeover)>,
    /// The images of the rows before them.
    images: Vec<Option<i64>>,
    /// Of as many of them, where records are merged.
    marks: Vec<Json<Marks>>,
    displaced: Vec<(&'rows str, Displaced, Position)>,
}

impl<'rows> Memory<'rows> {
    /// Notes what `winner`'s win of `key` leaves behind.
    pub(super) fn note(
        &mut self,
        key: &'rows str,
        winner: Position,
        displaced: Option<Displaced>,
        takeover: Option<Takeover>,
        image: Option<i64>,
    ) {
        self.images.extend(takeover.map(|_| image));
        self.displaced.extend(displaced.map(|displaced| (key, displaced, winner)));
        self.takeovers.extend(takeover.map(|takeover| (key, takeover)));
    }

    /// Remembers what was merged under `key`.
    pub(super) fn remember(
        &mut self,
        key: &'rows str,
        Remembered { takeover, marks }: Remembered,
        image: Option<i64>,
    ) {
        self.images.push(image);
        self.takeovers.push((key, takeover));
        self.marks.push(Json(marks));
    }

    /// Stores all.
    pub(super) async fn store(
        &self,
        tx: &Transaction<'_>,
        operation: OperationId,
        data_type: &str,
    ) -> PortResult<()> {
        self.store_takeovers(tx, operation, data_type).await?;
        self.store_displaced(tx, operation, data_type).await
    }

    async fn store_takeovers(
        &self,
        tx: &Transaction<'_>,
        operation: OperationId,
        data_type: &str,
    ) -> PortResult<()> {
        const SQL: &str =
            "INSERT INTO carrack.claims AS c (operation, data_type, key, position, before, counted,
                    from_operation, from_position, over_operation, over_position, image, marks)
             SELECT $1, $2, key, position, before, counted, met, met_at, met, met_at, image, marks
             FROM unnest($3::text[], $4::bigint[], $5::bytea[], $6::text[], $7::uuid[], $8::bigint[], $9::bigint[],
                    $10::json[]) AS n (key, position, before, counted, met, met_at, image, marks)
             ON CONFLICT (operation, data_type, key) DO UPDATE
             SET position = excluded.position, before = excluded.before, counted = excluded.counted,
                 marks = excluded.marks, image = coalesce(c.image, excluded.image),
                 from_operation = coalesce(c.from_operation, excluded.from_operation),
                 from_position = coalesce(c.from_position, excluded.from_position),
                 over_operation = coalesce(excluded.over_operation, c.over_operation),
                 over_position = coalesce(excluded.over_position, c.over_position)";
        // Operations whose rows were overwritten are left word that they were theirs, if they have records to come.
        const LEAVE: &str =
            "INSERT INTO carrack.claims (operation, data_type, key, position, before, counted)
             SELECT m.operation, $1, m.key, m.position, $5, $6
             FROM unnest($2::text[], $3::uuid[], $4::bigint[]) AS m (key, operation, position)
             JOIN carrack.operations AS o ON o.id = m.operation
             WHERE o.state IN ('running', 'finalising', 'cancelling')
             ON CONFLICT (operation, data_type, key) DO NOTHING";
        if self.takeovers.is_empty() {
            return Ok(());
        }
        let keys: Vec<&str> = self.takeovers.iter().map(|(key, _)| *key).collect();
        let positions: Vec<i64> = self.takeovers.iter().map(|(_, taken)| taken.position.stored()).collect();
        let before: Vec<&[u8]> = self.takeovers.iter().map(|(_, taken)| &taken.before[..]).collect();
        let counted: Vec<&str> = self.takeovers.iter().map(|(_, taken)| taken.counted.as_str()).collect();
        let from = |(_, taken): &(&str, Takeover)| taken.from;
        let (operations, records): (Vec<_>, Vec<_>) = self
            .takeovers
            .iter()
            .map(|taken| {
                from(taken).map(|(operation, position)| (operation.as_uuid(), position.stored())).unzip()
            })
            .unzip();
        let id = operation.as_uuid();
        let params: &Params<'_> = &[
            &id,
            &data_type,
            &keys,
            &positions,
            &before,
            &counted,
            &operations,
            &records,
            &self.images,
            &self.marks,
        ];
        execute(tx, "store takeovers", SQL, params).await?;
        if operations.iter().all(Option::is_none) {
            return Ok(());
        }
        let (before, created) = (&RecordHash::default()[..], Counted::Created.as_str());
        let params: &Params<'_> = &[&data_type, &keys, &operations, &records, &before, &created];
        execute(tx, "leave takeovers", LEAVE, params).await?;
        Ok(())
    }

    async fn store_displaced(
        &self,
        tx: &Transaction<'_>,
        operation: OperationId,
        data_type: &str,
    ) -> PortResult<()> {
        const SQL: &str =
            "INSERT INTO carrack.displaced (operation, data_type, key, position, counted, winner)
             SELECT $1, $2, * FROM unnest($3::text[], $4::bigint[], $5::text[], $6::bigint[])";
        if self.displaced.is_empty() {
            return Ok(());
        }
        let keys: Vec<&str> = self.displaced.iter().map(|(key, ..)| *key).collect();
        let positions: Vec<i64> = self.displaced.iter().map(|(_, lost, _)| lost.position.stored()).collect();
        let counted: Vec<&str> = self.displaced.iter().map(|(_, lost, _)| lost.counted.as_str()).collect();
        let winners: Vec<i64> = self.displaced.iter().map(|(.., winner)| winner.stored()).collect();
        let id = operation.as_uuid();
        let params: &Params<'_> = &[&id, &data_type, &keys, &positions, &counted, &winners];
        execute(tx, "store displaced records", SQL, params).await?;
        Ok(())
    }
}

/// Notes records that only their table refuses.
pub(super) async fn store_refused(
    tx: &Transaction<'_>,
    operation: OperationId,
    refused: &[Refused],
) -> PortResult<()> {
    const SQL: &str = "INSERT INTO carrack.displaced (operation, data_type, key, position, counted, refused)
         SELECT $1, '', '', position, 'created', refused FROM unnest($2::bigint[], $3::text[]) AS r (position, refused)";
    let positions: Vec<i64> = refused.iter().map(|refused| refused.position.stored()).collect();
    let reasons: Vec<String> = refused.iter().map(|refused| storable(&refused.reason)).collect();
    execute(tx, "store refused records", SQL, &[&operation.as_uuid(), &positions, &reasons]).await?;
    Ok(())
}

/// Notes staged records that become rejects.
pub(super) async fn store_rejected(
    tx: &Transaction<'_>,
    operation: OperationId,
    data_type: &str,
    rejected: &[Rejected],
) -> PortResult<()> {
    const SQL: &str =
        "INSERT INTO carrack.displaced (operation, data_type, counted, position, key, refused, lacks)
         SELECT $1, $2, 'created', position, key, refused, refused IS NULL
         FROM unnest($3::bigint[], $4::text[], $5::text[]) AS r (position, key, refused)";
    if rejected.is_empty() {
        return Ok(());
    }
    let positions: Vec<i64> = rejected.iter().map(|one| one.position.stored()).collect();
    let keys: Vec<&str> = rejected.iter().map(|one| one.key.as_str()).collect();
    let reasons: Vec<Option<String>> =
        rejected.iter().map(|one| one.refused.as_deref().map(storable)).collect();
    let params: &Params<'_> = &[&operation.as_uuid(), &data_type, &positions, &keys, &reasons];
    execute(tx, "store rejected records", SQL, params).await?;
    Ok(())
}

/// Reads a column that holds a record's hash.
pub(super) fn get_record_hash(row: &Row, column: &str) -> PortResult<RecordHash> {
    let bytes: Vec<u8> = get(row, column)?;
    let found = bytes.len();
    bytes.try_into().map_err(|_| internal(format!("column {column}: {found} bytes, expected 16")))
}

fn get_counted(row: &Row) -> PortResult<Counted> {
    let name: String = get(row, "counted")?;
    Counted::parse(&name).ok_or_else(|| internal(format!("a takeover counted as {name:?}")))
}
