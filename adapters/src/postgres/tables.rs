//! The data tables: the one place where SQL is composed, and only of validated identifiers.
//!
//! A table has one column per field, `extra` for the fields outside the schema, and the system columns
//! `_operation`, `_position` (who wrote the row), `_updated_at` and `_hash`. The primary key is the only
//! index over all rows: each further one would cost every load. Keys compare by bytes (`COLLATE "C"`), which
//! is the order of the core and the cheapest comparison there is. Values of more than 2 KB are compressed with lz4 where
//! the server has it: its default, pglz, compresses slower than a COPY can write.

use std::sync::Arc;

use carrack_shared::error::PortResult;
use carrack_shared::operation::OperationId;
use carrack_shared::schema::{DataType, Field, FieldType};
use carrack_shared::spec::Spec;
use deadpool_postgres::{GenericClient, Object, Transaction};
use tokio_postgres::types::Type;

use super::error::failed;
use super::sql::{fixed, query_opt};
use super::takeover::Lock;

/// The statements of one data type's table.
pub(super) struct Table<'schema> {
    pub(super) data_type: &'schema DataType,
    name: String,
    pub(super) key: String,
    /// Its primary key.
    unique: String,
    /// Whether it goes with its operation.
    passing: bool,
}

impl<'schema> Table<'schema> {
    pub(super) fn new(data_type: &'schema DataType) -> Self {
        let name = format!("carrack_data.{}", data_type.name.quoted());
        let key = data_type.key_field().name.quoted();
        Self { data_type, name, unique: key.clone(), key, passing: false }
    }

    /// The table in which an operation puts rows of this type aside.
    pub(super) fn stage(data_type: &'schema DataType, spec: &Spec, operation: OperationId) -> Self {
        let number = spec.table_number(data_type.name.as_str());
        let name = format!("carrack_stage.\"{}_{number}\"", operation.as_uuid().simple());
        let key = data_type.key_field().name.quoted();
        Self { data_type, name, unique: format!("{key}, _position"), key, passing: true }
    }

    /// Whether it goes with its operation: a connection need not remember statements on it.
    pub(super) fn is_passing(&self) -> bool {
        self.passing
    }

    /// The table's name, quoted, with its schema.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Creates the table.
    pub(super) fn create(&self, compression: Compression) -> String {
        let long = if compression == Compression::Lz4 { " COMPRESSION lz4" } else { "" };
        let columns: Vec<String> =
            (0..self.data_type.fields.len()).map(|slot| self.definition(slot, compression)).collect();
        let columns = columns.join(", ");
        format!(
            "CREATE TABLE IF NOT EXISTS {} ({columns}, extra jsonb{long}, _operation uuid NOT NULL, \
             _position bigint NOT NULL, _updated_at timestamptz NOT NULL DEFAULT now(), \
             _hash bytea NOT NULL, PRIMARY KEY ({}))",
            self.name, self.unique
        )
    }

    /// The column of field number `slot`.
    fn definition(&self, slot: usize, compression: Compression) -> String {
        let field = &self.data_type.fields[slot];
        let more = match field.field_type {
            _ if slot == self.data_type.key => r#" COLLATE "C""#,
            FieldType::String | FieldType::Array | FieldType::Object if compression == Compression::Lz4 => {
                " COMPRESSION lz4"
            }
            _ => "",
        };
        format!("{} {}{more}", field.name.quoted(), column_type(field))
    }

    /// Adds the columns of the fields behind the first `there` ones.
    fn add_columns(&self, there: usize, compression: Compression) -> String {
        let added = (there..self.data_type.fields.len())
            .map(|slot| format!("ADD COLUMN {}", self.definition(slot, compression)));
        format!("ALTER TABLE {} {}", self.name, added.collect::<Vec<_>>().join(", "))
    }

    /// Takes rows in binary: the fields, extra, `_operation`, `_position`, `_hash`.
    pub(super) fn copy_in(&self) -> String {
        let columns = self.columns();
        format!("COPY {} ({columns}, _operation, _position, _hash) FROM STDIN (FORMAT binary)", self.name)
    }

    /// Inserts the rows whose keys are free, and answers their positions. Parameters: an array per field and
    /// one for extra, positions, hashes, the operation.
    pub(super) fn insert(&self) -> String {
        format!(
            "INSERT INTO {} ({}, _position, _hash, _operation) SELECT r.*, ${} FROM {} \
             ON CONFLICT ({}) DO NOTHING RETURNING _position",
            self.name,
            self.columns(),
            self.parameters() + 1,
            self.unnest(),
            self.key
        )
    }

    /// Overwrites rows by key, and answers their positions. Parameters as for [`Table::insert`].
    pub(super) fn update(&self) -> String {
        let assignments: Vec<String> = (0..=self.data_type.fields.len())
            .filter(|&slot| slot != self.data_type.key)
            .map(|slot| format!("{} = r.c{slot}", self.column(slot)))
            .collect();
        format!(
            "UPDATE {} AS t SET {}, _position = r.position, _hash = r.hash, _operation = ${}, \
             _updated_at = now() FROM {} WHERE t.{} = r.c{} RETURNING t._position",
            self.name,
            assignments.join(", "),
            self.parameters() + 1,
            self.unnest(),
            self.key,
            self.data_type.key
        )
    }

    /// As [`Table::update`]; before that keeps the images of rows that are not of the operation, and answers their
    /// ids by key, too. All parts of one statement see the rows as they were before it.
    pub(super) fn update_keeping_images(&self) -> String {
        let operation = self.parameters() + 1;
        let (name, key, keys) = (&self.name, &self.key, self.data_type.key + 1);
        format!(
            "WITH image AS (INSERT INTO carrack.images (operation, key, image) \
                 SELECT ${operation}, t.{key}, row_to_json(t) FROM unnest(${keys}::text[]) AS r (key) JOIN {name} AS t ON t.{key} = r.key \
                 WHERE t._operation <> ${operation} RETURNING key, id), \
             written AS ({}) \
             SELECT _position, NULL AS key, NULL AS image FROM written \
             UNION ALL SELECT NULL, key, id FROM image",
            self.update()
        )
    }

    /// Who holds each of the keys `$1`.
    pub(super) fn existing(&self, lock: Lock) -> String {
        let lock = match lock {
            Lock::None => "",
            Lock::Wait => " FOR UPDATE",
            Lock::DoNotWait => " FOR UPDATE NOWAIT",
        };
        format!(
            "SELECT {key}, _operation, _position, _hash FROM {} WHERE {key} = ANY($1) ORDER BY {key}{lock}",
            self.name,
            key = self.key
        )
    }

    /// The rows of the keys `$1` and who has written them: the fields, extra, `_key`, `_operation`, `_position`,
    /// `_hash`.
    pub(super) fn held(&self) -> String {
        let (columns, key, name) = (self.columns(), &self.key, &self.name);
        format!(
            "SELECT {columns}, {key} AS _key, _operation, _position, _hash FROM {name} WHERE {key} = ANY($1)"
        )
    }

    /// The first and the last of the first `$1` keys, or of the first `$1` behind the key `$2`. Reads nothing
    /// but the primary key's index where the table has been vacuumed.
    pub(super) fn range(&self, behind: bool) -> String {
        let key = &self.key;
        let behind = if behind { format!("WHERE {key} > $2") } else { String::new() };
        format!(
            "SELECT min(key) AS first, max(key) AS last, count(*) AS rows FROM \
             (SELECT {key} AS key FROM {} {behind} ORDER BY {key} LIMIT $1) keys",
            self.name
        )
    }

    /// Finds the rows that have fields outside the schema. Costs a load nothing where there are none, and
    /// spares every export a look at the whole table.
    fn index_extra(&self) -> String {
        format!("CREATE INDEX ON {} ((true)) WHERE extra IS NOT NULL", self.name)
    }

    /// Whether any row has fields outside the schema.
    pub(super) fn has_extra(&self) -> String {
        format!("SELECT EXISTS (SELECT FROM {} WHERE extra IS NOT NULL) AS has_extra", self.name)
    }

    /// The rows of the keys from `$1` to `$2` that meet the conditions, whose parameters follow: the fields, then
    /// extra.
    pub(super) fn scan(&self, conditions: &str) -> String {
        let (columns, key) = (self.columns(), &self.key);
        format!(
            "SELECT {columns} FROM {} WHERE {key} BETWEEN $1 AND $2{conditions} ORDER BY {key}",
            self.name
        )
    }

    /// The rows that have one of the members `$1` outside the schema: the fields, then extra.
    pub(super) fn with_extra(&self) -> String {
        format!(
            "SELECT {} FROM {} WHERE extra IS NOT NULL AND jsonb_exists_any(extra, $1)",
            self.columns(),
            self.name
        )
    }

    /// Fills the columns behind the first `there` ones, and extra anew. Parameters: an array of keys, one per
    /// such column and one for extra, and the hashes.
    pub(super) fn fill(&self, there: usize) -> String {
        let slots = there..=self.data_type.fields.len();
        let columns = || (2..).zip(slots.clone());
        let arrays = columns().map(|(number, slot)| format!("${number}::{}[]", self.slot_type(slot).name()));
        let names = columns().map(|(_, slot)| format!("c{slot}"));
        let set = columns().map(|(_, slot)| format!("{} = r.c{slot}", self.column(slot)));
        format!(
            "UPDATE {} AS t SET {}, _hash = r.hash FROM unnest($1::text[], {}, ${}::bytea[]) \
             AS r(key, {}, hash) WHERE t.{} = r.key",
            self.name,
            set.collect::<Vec<_>>().join(", "),
            arrays.collect::<Vec<_>>().join(", "),
            slots.clone().count() + 2,
            names.collect::<Vec<_>>().join(", "),
            self.key
        )
    }

    /// The types of the fields and of extra.
    pub(super) fn slot_types(&self) -> Vec<Type> {
        (0..=self.data_type.fields.len()).map(|slot| self.slot_type(slot)).collect()
    }

    /// The types of the array parameters of [`Table::insert`] and [`Table::update`], by slot.
    pub(super) fn slot_type(&self, slot: usize) -> Type {
        match self.data_type.fields.get(slot).map(|field| field.field_type) {
            Some(FieldType::String) => Type::TEXT,
            Some(FieldType::Integer) => Type::INT8,
            Some(FieldType::Number) => Type::FLOAT8,
            Some(FieldType::Decimal) => Type::NUMERIC,
            Some(FieldType::Boolean) => Type::BOOL,
            Some(FieldType::Date) => Type::TIMESTAMPTZ,
            Some(FieldType::Array | FieldType::Object | FieldType::Binary) | None => Type::JSONB,
        }
    }

    /// The fields and extra.
    pub(super) fn columns(&self) -> String {
        (0..=self.data_type.fields.len()).map(|slot| self.column(slot)).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn column(&self, slot: usize) -> String {
        self.data_type.fields.get(slot).map_or_else(|| "extra".to_owned(), |field| field.name.quoted())
    }

    /// How many arrays [`Table::unnest`] takes.
    fn parameters(&self) -> usize {
        self.data_type.fields.len() + 3
    }

    /// The rows of an array per column.
    fn unnest(&self) -> String {
        let slots = 0..=self.data_type.fields.len();
        let arrays: Vec<String> =
            slots.clone().map(|slot| format!("${}::{}[]", slot + 1, self.slot_type(slot).name())).collect();
        let names: Vec<String> = slots.map(|slot| format!("c{slot}")).collect();
        let (position, hash) = (self.parameters() - 1, self.parameters());
        format!(
            "unnest({}, ${position}::bigint[], ${hash}::bytea[]) AS r({}, position, hash)",
            arrays.join(", "),
            names.join(", ")
        )
    }
}

/// How long values are compressed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Default,
    Lz4,
}

fn column_type(field: &Field) -> &'static str {
    match field.field_type {
        FieldType::String => "text",
        FieldType::Integer => "bigint",
        FieldType::Number => "double precision",
        FieldType::Decimal => "numeric",
        FieldType::Boolean => "boolean",
        FieldType::Date => "timestamptz",
        FieldType::Array | FieldType::Object | FieldType::Binary => "jsonb",
    }
}

/// Creates the table of a data type where it is missing. Two at once would both find it missing and one
/// would fail, so they take turns.
pub(super) async fn ensure(client: &mut Object, data_type: &Arc<DataType>) -> PortResult<()> {
    let what = "create a data table";
    if exists(client, data_type).await? {
        return Ok(());
    }
    let tx = client.transaction().await.map_err(failed(what))?;
    take_turns(&tx).await?;
    if !exists(&tx, data_type).await? {
        grow(&tx, data_type, 0).await?;
    }
    tx.commit().await.map_err(failed(what))
}

/// Waits until no other process makes or changes a table; until the end of the transaction none will, but others
/// may wait for the same.
pub(super) async fn keep_tables(tx: &Transaction<'_>) -> PortResult<()> {
    const SQL: &str = "SELECT pg_advisory_xact_lock_shared(4846245186168160256)";
    fixed(tx, SQL).await.map_err(failed("wait for another process's change of tables"))
}

/// The same, and nobody else may wait for it meanwhile.
pub(super) async fn take_turns(tx: &Transaction<'_>) -> PortResult<()> {
    const SQL: &str = "SELECT pg_advisory_xact_lock(4846245186168160256)";
    fixed(tx, SQL).await.map_err(failed("wait for another process's change of tables"))
}

/// Adds the columns behind the first `there` ones, or makes the table where there are none.
#[expect(clippy::disallowed_methods, reason = "DDL takes no parameters; the names are quoted identifiers")]
pub(super) async fn grow(tx: &Transaction<'_>, data_type: &DataType, there: usize) -> PortResult<()> {
    let what = "change a data table";
    let (table, compression) = (Table::new(data_type), compression(tx).await?);
    let statements = match there {
        0 => vec![table.create(compression), table.index_extra()],
        there if there < data_type.fields.len() => vec![table.add_columns(there, compression)],
        _ => Vec::new(),
    };
    for statement in statements {
        tx.batch_execute(&statement).await.map_err(failed(what))?;
    }
    Ok(())
}

/// The best compression that the server was built with.
pub(super) async fn compression(client: &impl GenericClient) -> PortResult<Compression> {
    const SQL: &str =
        "SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)";
    let found = query_opt(client, "ask for compressions", SQL, &[]).await?;
    Ok(if found.is_some() { Compression::Lz4 } else { Compression::Default })
}

/// Whether the table of a data type is there.
pub(super) async fn exists(client: &impl GenericClient, data_type: &DataType) -> PortResult<bool> {
    const SQL: &str = "SELECT to_regclass($1) IS NOT NULL AS found";
    let table = Table::new(data_type);
    let row = query_opt(client, "look for a data table", SQL, &[&table.name()]).await?;
    row.map_or(Ok(false), |row| super::sql::get(&row, "found"))
}

#[cfg(test)]
mod tests {
    use carrack_shared::schema;

    use super::*;

    #[test]
    fn every_name_is_quoted_and_every_parameter_counted() {
        let sessions = schema::built_in("sessions").unwrap();
        let table = Table::new(&sessions);
        let create = table.create(Compression::Lz4);
        assert!(create.contains(r#"carrack_data."sessions" ("id" text COLLATE "C", "title" text COM"#));
        assert!(create.contains(r#""createdAt" timestamptz, "updatedAt" timestamptz, "metadata" jsonb COM"#));
        assert!(create.ends_with(r#"_hash bytea NOT NULL, PRIMARY KEY ("id"))"#), "{create}");
        assert!(!table.create(Compression::Default).contains("COMPRESSION"));
        let insert = table.insert();
        assert!(insert.contains(r#"("id", "title", "userId", "createdAt", "updatedAt", "metadata", extra,"#));
        assert!(
            insert.contains("$4::timestamptz[], $5::timestamptz[], $6::jsonb[], $7::jsonb[], $8::bigint[]")
        );
        assert!(insert.contains("SELECT r.*, $10 FROM"));
        let update = table.update();
        assert!(!update.contains(r#"SET "id""#) && update.contains(r#"WHERE t."id" = r.c0"#), "{update}");
    }
}
