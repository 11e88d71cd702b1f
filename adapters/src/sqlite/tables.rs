//! The data tables, and the statements on them: the one place where SQL is composed from names. Every name
//! comes from an [`carrack_shared::schema::Identifier`] and is quoted.
//!
//! A table keeps its rowid, and the key is a unique index beside it: rows then go to the end of the file in
//! whatever order the keys come. With the key as the table's own order (`WITHOUT ROWID`) every random key
//! rewrites a page of whole rows: measured, four times slower.

use carrack_shared::schema::{DataType, Field, FieldType};
use carrack_shared::spec::Duplicates;
use rusqlite::Connection;

use super::error::SqlResult;
use super::stored::scalar;

/// Columns behind the fields, in this order.
pub(super) const SYSTEM_COLUMNS: [(&str, &str); 5] = [
    ("extra", "TEXT"),
    ("_operation", "TEXT NOT NULL"),
    ("_position", "INTEGER NOT NULL"),
    ("_updated_at", "TEXT NOT NULL"),
    ("_hash", "BLOB NOT NULL"),
];

/// The name of a type's table.
pub(super) fn name(data_type: &DataType) -> String {
    format!("carrack_data_{}", data_type.name.as_str())
}

fn quoted(data_type: &DataType) -> String {
    format!("\"{}\"", name(data_type))
}

fn columns(data_type: &DataType) -> Vec<String> {
    let fields = data_type.fields.iter().map(|field| field.name.quoted());
    fields.chain(SYSTEM_COLUMNS.iter().map(|(name, _)| format!("\"{name}\""))).collect()
}

/// The names of all columns, in their order.
pub(super) fn column_names(data_type: &DataType) -> Vec<String> {
    let fields = data_type.fields.iter().map(|field| field.name.as_str());
    fields.chain(SYSTEM_COLUMNS.iter().map(|(name, _)| *name)).map(str::to_owned).collect()
}

/// A field's column.
fn column(field: &Field) -> String {
    let column_type = match field.field_type {
        FieldType::Integer | FieldType::Boolean => "INTEGER",
        FieldType::Number => "REAL",
        FieldType::String | FieldType::Decimal | FieldType::Date => "TEXT",
        FieldType::Array | FieldType::Object | FieldType::Binary => "TEXT",
    };
    format!("{} {column_type}", field.name.quoted())
}

/// Makes the type's table if it is missing.
pub(super) fn create(connection: &Connection, data_type: &DataType) -> SqlResult<()> {
    let mut definitions: Vec<String> = data_type.fields.iter().map(column).collect();
    // A required field may be missing where the schema is not validated; only the key never is.
    definitions[data_type.key].push_str(" NOT NULL PRIMARY KEY");
    definitions.extend(SYSTEM_COLUMNS.iter().map(|(name, kind)| format!("\"{name}\" {kind}")));
    let (table, definitions) = (quoted(data_type), definitions.join(", "));
    connection.execute(&format!("CREATE TABLE IF NOT EXISTS {table} ({definitions}) STRICT"), [])?;
    Ok(())
}

/// Makes the table `stage`, in which rows of this type are put aside: those of a key lie together, in the order of
/// the input.
pub(super) fn create_stage(stage: &str, data_type: &DataType) -> String {
    let mut definitions: Vec<String> = data_type.fields.iter().map(column).collect();
    definitions[data_type.key].push_str(" NOT NULL");
    definitions.extend(SYSTEM_COLUMNS.iter().map(|(name, kind)| format!("\"{name}\" {kind}")));
    let (definitions, key) = (definitions.join(", "), data_type.key_field().name.quoted());
    format!("CREATE TABLE {stage} ({definitions}, PRIMARY KEY ({key}, \"_position\")) STRICT")
}

/// Inserts a row, whose values are numbered as the columns, into such a table.
pub(super) fn insert_into(stage: &str, data_type: &DataType) -> String {
    let columns = columns(data_type);
    let values: Vec<String> = (1..=columns.len()).map(|number| format!("?{number}")).collect();
    format!("INSERT INTO {stage} ({}) VALUES ({})", columns.join(", "), values.join(", "))
}

/// What each row of `stage` counts as against the type's table, or against none where it is not `there`: key,
/// position, who won the key where it was free before, and counted.
fn judged(stage: &str, data_type: &DataType, there: bool) -> String {
    let key = data_type.key_field().name.quoted();
    let empty = format!("(SELECT NULL AS {key}, NULL AS \"_hash\" WHERE 0)");
    let table = if there { quoted(data_type) } else { empty };
    format!(
        "WITH ranked AS (
             SELECT {key} AS key, \"_position\" AS position, \"_hash\" AS hash,
                    iif(:mode = 'overwrite', max(\"_position\") OVER w, min(\"_position\") OVER w) AS winner
             FROM {stage} WINDOW w AS (PARTITION BY {key})),
         judged AS (
             SELECT r.key, r.position, iif(t.{key} IS NULL, r.winner, NULL) AS winner,
                    CASE WHEN r.position = r.winner AND t.{key} IS NULL THEN 'created'
                         WHEN r.position = r.winner AND :mode = 'overwrite' AND t.\"_hash\" = r.hash THEN 'unchanged'
                         WHEN r.position = r.winner AND :mode = 'overwrite' THEN 'updated'
                         WHEN :mode = 'reject' THEN 'rejected'
                         ELSE 'skipped' END AS counted
             FROM ranked AS r LEFT JOIN {table} AS t ON t.{key} = r.key)"
    )
}

/// The rows of a stage that have won their keys, in the order of the keys: the fields, `extra`, `_position`,
/// `_hash`. Where records are merged, all of them, those of a key in the order of the input.
pub(super) fn winners(stage: &str, data_type: &DataType, mode: Duplicates) -> String {
    let fields: Vec<String> = data_type.fields.iter().map(|field| field.name.quoted()).collect();
    let (fields, key) = (fields.join(", "), data_type.key_field().name.quoted());
    if mode == Duplicates::Merge {
        return format!(
            "SELECT {fields}, \"extra\", \"_position\", \"_hash\" FROM {stage} ORDER BY {key}, \"_position\""
        );
    }
    let better = if mode == Duplicates::Overwrite { ">" } else { "<" };
    format!(
        "SELECT {fields}, \"extra\", \"_position\", \"_hash\" FROM {stage} AS s WHERE NOT EXISTS (
             SELECT 1 FROM {stage} AS o WHERE o.{key} = s.{key} AND o.\"_position\" {better} s.\"_position\")
         ORDER BY {key}"
    )
}

/// Decides on every row of a stage: the first `:examples` records of each count, by position, with the count's
/// total. `:mode` is the duplicates mode.
pub(super) fn decide(stage: &str, data_type: &DataType, there: bool) -> String {
    format!(
        "{}, numbered AS (
             SELECT counted, position, key, count(*) OVER (PARTITION BY counted) AS total,
                    row_number() OVER (PARTITION BY counted ORDER BY position) AS number
             FROM judged)
         SELECT * FROM numbered WHERE number <= :examples ORDER BY position",
        judged(stage, data_type, there)
    )
}

/// Notes the records of a stage that lost their keys, where that makes rejects.
pub(super) fn note_losers(stage: &str, data_type: &DataType, there: bool) -> String {
    format!(
        "{} INSERT INTO carrack_displaced (operation, data_type, key, position, counted, winner)
         SELECT :operation, :type, key, position, 'created', winner FROM judged WHERE counted = 'rejected'",
        judged(stage, data_type, there)
    )
}

/// Adds the columns of the fields behind the first `there` ones.
pub(super) fn add_columns(connection: &Connection, data_type: &DataType, there: usize) -> SqlResult<()> {
    for field in &data_type.fields[there.min(data_type.fields.len())..] {
        connection.execute(&format!("ALTER TABLE {} ADD COLUMN {}", quoted(data_type), column(field)), [])?;
    }
    Ok(())
}

/// Whether the type's table is there.
pub(super) fn exists(connection: &Connection, data_type: &DataType) -> SqlResult<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1)";
    scalar(connection, sql, [name(data_type)])
}

/// Whether a trigger of its user runs when the type's table changes.
pub(super) fn has_triggers(connection: &Connection, data_type: &DataType) -> SqlResult<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1)";
    scalar(connection, sql, [name(data_type)])
}

/// Inserts a row, whose values are numbered as the columns, unless its key is taken.
pub(super) fn insert(data_type: &DataType) -> String {
    let columns = columns(data_type);
    let values: Vec<String> = (1..=columns.len()).map(|number| format!("?{number}")).collect();
    let (table, columns, values) = (quoted(data_type), columns.join(", "), values.join(", "));
    let key = data_type.key_field().name.quoted();
    format!("INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT ({key}) DO NOTHING")
}

/// Overwrites the row of a key; the values are numbered as in [`insert`].
pub(super) fn update(data_type: &DataType) -> String {
    let assignments: Vec<String> = (1..)
        .zip(columns(data_type))
        .filter(|(number, _)| number - 1 != data_type.key)
        .map(|(number, column)| format!("{column} = ?{number}"))
        .collect();
    let (table, assignments) = (quoted(data_type), assignments.join(", "));
    let (key, number) = (data_type.key_field().name.quoted(), data_type.key + 1);
    format!("UPDATE {table} SET {assignments} WHERE {key} = ?{number}")
}

/// Who holds the key `?1`: the last columns of [`row`].
pub(super) fn holder(data_type: &DataType) -> String {
    let (table, key) = (quoted(data_type), data_type.key_field().name.quoted());
    format!("SELECT \"_operation\", \"_position\", \"_updated_at\", \"_hash\" FROM {table} WHERE {key} = ?1")
}

/// The row of the key `?1`: the fields, `extra`, `_position`, `_operation` and its place in the table.
pub(super) fn written_row(data_type: &DataType) -> String {
    format!("{} WHERE {} = ?1", written_rows(data_type), data_type.key_field().name.quoted())
}

/// The rows behind the place `?1`, one after the other: the columns of [`written_row`].
pub(super) fn written_behind(data_type: &DataType) -> String {
    format!("{} WHERE _rowid_ > ?1 ORDER BY _rowid_", written_rows(data_type))
}

/// The rows that the operation `?1` has written and no record explains that the verification `?2` has compared: those
/// of the type `?3`.
pub(super) fn unexplained(data_type: &DataType) -> String {
    let key = data_type.key_field().name.quoted();
    format!(
        "{} WHERE \"_operation\" = ?1 AND {key} NOT IN (
             SELECT k.value FROM carrack_compared_batches AS b, json_each(b.keys) AS k
             WHERE b.operation = ?2 AND b.data_type = ?3
             UNION ALL SELECT key FROM carrack_compared_records
             WHERE operation = ?2 AND data_type = ?3 AND own)
         ORDER BY \"_position\", {key}",
        written_rows(data_type)
    )
}

/// How many rows there are; an index says it.
pub(super) fn count(data_type: &DataType) -> String {
    format!("SELECT count(*) FROM {}", quoted(data_type))
}

/// How many rows the operation `?1` has written.
pub(super) fn count_written(data_type: &DataType) -> String {
    format!("SELECT count(*) FROM {} WHERE \"_operation\" = ?1", quoted(data_type))
}

fn written_rows(data_type: &DataType) -> String {
    let fields: Vec<String> = data_type.fields.iter().map(|field| field.name.quoted()).collect();
    format!(
        "SELECT {}, \"extra\", \"_position\", \"_operation\", _rowid_ FROM {}",
        fields.join(", "),
        quoted(data_type)
    )
}

/// The row of the key `?1`, whole: the fields, `extra`, `_operation`, `_position`, `_updated_at`, `_hash`.
pub(super) fn row(data_type: &DataType) -> String {
    let (table, key) = (quoted(data_type), data_type.key_field().name.quoted());
    format!("SELECT {} FROM {table} WHERE {key} = ?1", columns(data_type).join(", "))
}

/// Removes the row of the key `?1`.
pub(super) fn delete(data_type: &DataType) -> String {
    format!("DELETE FROM {} WHERE {} = ?1", quoted(data_type), data_type.key_field().name.quoted())
}

/// The last of the next `?2` keys from `?1` on, or behind it, and how many they are.
pub(super) fn window(data_type: &DataType, behind: bool) -> String {
    let (table, key) = (quoted(data_type), data_type.key_field().name.quoted());
    let from = if behind { ">" } else { ">=" };
    format!(
        "SELECT max(key), count(*) FROM \
         (SELECT {key} AS key FROM {table} WHERE {key} {from} ?1 ORDER BY {key} LIMIT ?2)"
    )
}

/// The keys from `:from` on, or behind it, up to `:to` that the import `:parent` of the type `:data_type` has
/// touched: those of its rows, of its images, and of rows of its that others have overwritten.
fn touched_keys(data_type: &DataType, behind: bool) -> String {
    let (table, key) = (quoted(data_type), data_type.key_field().name.quoted());
    let from = if behind { ">" } else { ">=" };
    format!(
        "SELECT {key} AS key FROM {table} \
         WHERE {key} {from} :from AND {key} <= :to AND \"_operation\" = :parent \
         UNION SELECT key FROM carrack_claims \
         WHERE operation = :parent AND data_type = :data_type AND (image IS NOT NULL OR counted = 'created') \
         AND key {from} :from AND key <= :to \
         UNION SELECT key FROM carrack_claims INDEXED BY carrack_claims_from \
         WHERE from_operation = :parent AND from_operation IS NOT NULL AND data_type = :data_type \
         AND key {from} :from AND key <= :to"
    )
}

/// The first and the last of the first `:limit` of these keys, of `:bytes` bytes, and how many they are.
pub(super) fn touched_range(data_type: &DataType, behind: bool) -> String {
    let keys = touched_keys(data_type, behind);
    let (table, key) = (quoted(data_type), data_type.key_field().name.quoted());
    let size = |column: String| format!("coalesce(octet_length(t.{column}), 0)");
    let row: Vec<String> = columns(data_type).into_iter().map(size).collect();
    let row = row.join(" + ");
    format!(
        "SELECT min(key), max(key), count(*) FROM \
         (SELECT key, sum(size) OVER (ORDER BY key) - size AS before FROM \
          (SELECT p.key AS key, {row} + coalesce(length(i.image), 0) AS size \
           FROM (SELECT key FROM ({keys}) ORDER BY key LIMIT :limit) AS p LEFT JOIN {table} AS t ON t.{key} = p.key \
           LEFT JOIN carrack_claims AS c \
               ON c.operation = :parent AND c.data_type = :data_type AND c.key = p.key \
           LEFT JOIN carrack_images AS i ON i.id = c.image)) \
         WHERE before < :bytes"
    )
}

/// What is known of these keys: who has written the row that is there now, the key itself, its image, the last
/// record of the import that held it, whether it met a row, and over whose record it went last.
pub(super) fn touched(data_type: &DataType) -> String {
    let (table, key) = (quoted(data_type), data_type.key_field().name.quoted());
    let keys = touched_keys(data_type, false);
    format!(
        "SELECT t.\"_operation\", t.\"_position\", t.\"_updated_at\", t.\"_hash\", k.key AS touched, i.image, \
             coalesce(c.position, (SELECT max(o.from_position) FROM carrack_claims AS o \
                 WHERE o.from_operation = :parent AND o.data_type = :data_type AND o.key = k.key), \
                 t.\"_position\") AS position, \
             coalesce(c.counted <> 'created', FALSE) AS met, c.over_operation, c.over_position \
         FROM ({keys}) AS k LEFT JOIN {table} AS t ON t.{key} = k.key \
         LEFT JOIN carrack_claims AS c \
             ON c.operation = :parent AND c.data_type = :data_type AND c.key = k.key \
         LEFT JOIN carrack_images AS i ON i.id = c.image \
         ORDER BY k.key"
    )
}

/// The first and the last of the first `?1` keys, or of the first `?1` behind the key `?2`, and how many
/// they are.
pub(super) fn range(data_type: &DataType, behind: bool) -> String {
    let (table, key) = (quoted(data_type), data_type.key_field().name.quoted());
    let behind = if behind { format!("WHERE {key} > ?2") } else { String::new() };
    format!(
        "SELECT min(key), max(key), count(*) FROM \
         (SELECT {key} AS key FROM {table} {behind} ORDER BY {key} LIMIT ?1)"
    )
}

/// Whether any row has fields outside the schema.
pub(super) fn has_extra(data_type: &DataType) -> String {
    format!("SELECT EXISTS (SELECT 1 FROM {} WHERE \"extra\" IS NOT NULL)", quoted(data_type))
}

/// The rows behind the key `?1`, or from it, that have fields outside the schema, in order: the fields, `extra`
/// and `_position`.
pub(super) fn with_extra(data_type: &DataType, behind: bool) -> String {
    let fields: Vec<String> = data_type.fields.iter().map(|field| field.name.quoted()).collect();
    let (table, key, fields) = (quoted(data_type), data_type.key_field().name.quoted(), fields.join(", "));
    let from = if behind { ">" } else { ">=" };
    format!(
        "SELECT {fields}, \"extra\", \"_position\" FROM {table}
         WHERE {key} {from} ?1 AND \"extra\" IS NOT NULL ORDER BY {key}"
    )
}

/// Fills the columns behind the first `there` ones, and `extra` anew; the values are numbered as in [`insert`].
pub(super) fn fill(data_type: &DataType, there: usize) -> String {
    let set: Vec<String> = (1..)
        .zip(columns(data_type))
        .filter(|(number, column)| {
            (there + 1..=data_type.fields.len() + 1).contains(number) || column == "\"_hash\""
        })
        .map(|(number, column)| format!("{column} = ?{number}"))
        .collect();
    let (table, set) = (quoted(data_type), set.join(", "));
    let (key, number) = (data_type.key_field().name.quoted(), data_type.key + 1);
    format!("UPDATE {table} SET {set} WHERE {key} = ?{number}")
}

/// Rows with keys up to `?2` that meet the conditions, in order: the fields, `extra` and `_position`. The first key
/// is `?1`, or the one behind it; the conditions' parameters follow.
pub(super) fn scan(data_type: &DataType, behind: bool, conditions: &str) -> String {
    let fields: Vec<String> = data_type.fields.iter().map(|field| field.name.quoted()).collect();
    let (table, key, fields) = (quoted(data_type), data_type.key_field().name.quoted(), fields.join(", "));
    let from = if behind { ">" } else { ">=" };
    format!(
        "SELECT {fields}, \"extra\", \"_position\" FROM {table}
         WHERE {key} {from} ?1 AND {key} <= ?2{conditions} ORDER BY {key}"
    )
}

#[cfg(test)]
mod tests {
    use carrack_shared::schema::built_in;

    use super::*;

    #[test]
    fn statements_keep_their_form() {
        let sessions = built_in("sessions").unwrap();
        let cases = [
            (
                insert(&sessions),
                "INSERT INTO \"carrack_data_sessions\" (\"id\", \"title\", \"userId\", \"createdAt\", \
                 \"updatedAt\", \"metadata\", \"extra\", \"_operation\", \"_position\", \"_updated_at\", \
                 \"_hash\") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (\"id\") DO NOTHING",
            ),
            (
                update(&sessions),
                "UPDATE \"carrack_data_sessions\" SET \"title\" = ?2, \"userId\" = ?3, \"createdAt\" = ?4, \
                 \"updatedAt\" = ?5, \"metadata\" = ?6, \"extra\" = ?7, \"_operation\" = ?8, \
                 \"_position\" = ?9, \"_updated_at\" = ?10, \"_hash\" = ?11 WHERE \"id\" = ?1",
            ),
        ];
        for (found, expected) in cases {
            assert_eq!(found, expected);
        }
    }
}
