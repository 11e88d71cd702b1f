//! Refused records, as rows of `carrack_rejects`.

use async_trait::async_trait;
use bytes::Bytes;
use carrack_shared::error::PortResult;
use carrack_shared::fault::{Frame, Reject};
use carrack_shared::operation::OperationId;
use carrack_shared::port::Rejects;
use carrack_shared::port::rejects::{RejectKind, RejectPage};
use carrack_shared::record::Position;
use rusqlite::{Connection, Row, named_params};

use super::SqliteStore;
use super::error::SqlResult;
use super::stored::{all, count, document, id, integer, json};

/// What to do with a reject whose record has one already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It cannot be: fail.
    Fail,
    /// Keep the one that is stored.
    Keep,
}

/// Stores rejects of records of one type.
pub(super) fn insert(
    connection: &Connection,
    operation: OperationId,
    data_type: &str,
    rejects: &[Reject],
    again: Again,
) -> SqlResult<()> {
    let sql = match again {
        Again::Fail => {
            "INSERT INTO carrack_rejects (operation, position, line, byte_start, byte_length, sha256, faults,
                 data_type, key, winner, frame, frame_key)
             VALUES (:operation, :position, :line, :byte_start, :byte_length, :sha256, :faults,
                 :data_type, :key, :winner, :frame, :frame_key)"
        }
        Again::Keep => {
            "INSERT INTO carrack_rejects (operation, position, line, byte_start, byte_length, sha256, faults,
                 data_type, key, winner, frame, frame_key)
             VALUES (:operation, :position, :line, :byte_start, :byte_length, :sha256, :faults,
                 :data_type, :key, :winner, :frame, :frame_key)
             ON CONFLICT (operation, position) DO NOTHING"
        }
    };
    let (mut statement, operation) = (connection.prepare_cached(sql)?, id(operation));
    for reject in rejects {
        let (frame, frame_key) = match &reject.frame {
            Frame::Inline(bytes) => (Some(&bytes[..]), None),
            Frame::Object(key) => (None, Some(key)),
        };
        statement.execute(named_params! {
            ":operation": operation,
            ":position": reject.position.stored(),
            ":line": integer(reject.line),
            ":byte_start": integer(reject.byte_start),
            ":byte_length": integer(reject.byte_length),
            ":sha256": reject.sha256,
            ":faults": json(&reject.faults)?,
            ":data_type": reject.key.as_ref().map(|_| data_type),
            ":key": reject.key,
            ":winner": reject.winner.map(Position::stored),
            ":frame": frame,
            ":frame_key": frame_key,
        })?;
    }
    Ok(())
}

#[async_trait]
impl Rejects for SqliteStore {
    async fn rejects(&self, id: OperationId, page: &RejectPage) -> PortResult<Vec<Reject>> {
        let page = page.clone();
        self.reader.run(move |connection| read(connection, id, &page)).await
    }

    async fn reject_kinds(&self, id: OperationId, limit: u32) -> PortResult<Vec<RejectKind>> {
        self.reader.run(move |connection| kinds(connection, id, limit)).await
    }
}

// What a fault quotes may hold a NUL, which no text of PostgreSQL does: it is shown alike by both.
fn read(connection: &Connection, operation: OperationId, page: &RejectPage) -> SqlResult<Vec<Reject>> {
    let sql = r"SELECT * FROM carrack_rejects WHERE operation = ?1 AND position > ?2
                  AND (?4 IS NULL OR EXISTS (
                      SELECT 1 FROM json_each(replace(faults, '\u0000', '\ufffd')) AS f
                      WHERE f.value ->> 'code' = ?4))
                ORDER BY position LIMIT ?3";
    let after = page.after.map_or(i64::MIN, Position::stored);
    all(connection, sql, (id(operation), after, page.limit, &page.code), reject)
}

fn kinds(connection: &Connection, operation: OperationId, limit: u32) -> SqlResult<Vec<RejectKind>> {
    let sql = r"SELECT k.*, r.line FROM (
                    SELECT f.value ->> 'code' AS code, f.value ->> 'field' AS field,
                           count(DISTINCT r.position) AS records, min(r.position) AS position
                    FROM carrack_rejects AS r,
                         json_each(replace(r.faults, '\u0000', '\ufffd')) AS f
                    WHERE r.operation = ?1 GROUP BY 1, 2) AS k
                JOIN carrack_rejects AS r ON r.operation = ?1 AND r.position = k.position
                ORDER BY k.records DESC, k.position, k.code, k.field LIMIT ?2";
    all(connection, sql, (id(operation), limit), |row| {
        Ok(RejectKind {
            code: row.get("code")?,
            field: row.get("field")?,
            records: count(row, "records")?,
            first: Position::from_stored(row.get("position")?),
            first_line: count(row, "line")?,
        })
    })
}

fn reject(row: &Row<'_>) -> SqlResult<Reject> {
    let frame = match row.get::<_, Option<String>>("frame_key")? {
        Some(key) => Frame::Object(key),
        None => Frame::Inline(Bytes::from(row.get::<_, Vec<u8>>("frame")?)),
    };
    Ok(Reject {
        position: Position::from_stored(row.get("position")?),
        line: count(row, "line")?,
        byte_start: count(row, "byte_start")?,
        byte_length: count(row, "byte_length")?,
        sha256: row.get("sha256")?,
        faults: document(row, "faults")?,
        key: row.get("key")?,
        winner: row.get::<_, Option<i64>>("winner")?.map(Position::from_stored),
        frame,
    })
}
