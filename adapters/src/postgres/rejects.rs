//! Refused records, stored and read.

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::fault::{Fault, Frame, Reject};
use carrack_shared::operation::OperationId;
use carrack_shared::port::Rejects;
use carrack_shared::port::rejects::{RejectKind, RejectPage};
use carrack_shared::record::Position;
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use super::PostgresStore;
use super::error::internal;
use super::sql::{Params, execute, get, get_hash, get_u64, query, signed};

/// Stores rejects of records of one type, all in one statement. One that is stored already is left as it is.
pub(super) async fn insert<'rejects>(
    client: &impl GenericClient,
    id: OperationId,
    data_type: &str,
    rejects: impl Iterator<Item = &'rejects Reject>,
) -> PortResult<()> {
    const SQL: &str =
        "INSERT INTO carrack.rejects (operation, position, line, byte_start, byte_length, sha256,
                faults, key, winner, frame, frame_object, data_type)
         SELECT $1, r.*, CASE WHEN r.key IS NOT NULL THEN $12 END FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[],
                $7::json[], $8::text[], $9::bigint[], $10::bytea[], $11::text[])
                AS r(position, line, byte_start, byte_length, sha256, faults, key, winner, frame, frame_object)
         ON CONFLICT (operation, position) DO NOTHING";
    let mut columns = Columns::default();
    rejects.for_each(|reject| columns.push(reject));
    if columns.position.is_empty() {
        return Ok(());
    }
    let c = &columns;
    let id = id.as_uuid();
    let params: &Params<'_> = &[
        &id,
        &c.position,
        &c.line,
        &c.byte_start,
        &c.byte_length,
        &c.sha256,
        &c.faults,
        &c.key,
        &c.winner,
        &c.frame,
        &c.frame_object,
        &data_type,
    ];
    execute(client, "store rejects", SQL, params).await?;
    Ok(())
}

#[derive(Default)]
struct Columns<'rejects> {
    position: Vec<i64>,
    line: Vec<i64>,
    byte_start: Vec<i64>,
    byte_length: Vec<i64>,
    sha256: Vec<&'rejects [u8]>,
    faults: Vec<Json<&'rejects [Fault]>>,
    key: Vec<Option<&'rejects str>>,
    winner: Vec<Option<i64>>,
    frame: Vec<Option<&'rejects [u8]>>,
    frame_object: Vec<Option<&'rejects str>>,
}

impl<'rejects> Columns<'rejects> {
    fn push(&mut self, reject: &'rejects Reject) {
        let (frame, object) = match &reject.frame {
            Frame::Inline(bytes) => (Some(&bytes[..]), None),
            Frame::Object(key) => (None, Some(key.as_str())),
        };
        self.position.push(reject.position.stored());
        self.line.push(signed(reject.line));
        self.byte_start.push(signed(reject.byte_start));
        self.byte_length.push(signed(reject.byte_length));
        self.sha256.push(&reject.sha256);
        self.faults.push(Json(&reject.faults));
        self.key.push(reject.key.as_deref());
        self.winner.push(reject.winner.map(Position::stored));
        self.frame.push(frame);
        self.frame_object.push(object);
    }
}

#[async_trait]
impl Rejects for PostgresStore {
    async fn rejects(&self, id: OperationId, page: &RejectPage) -> PortResult<Vec<Reject>> {
        let after = page.after.map_or(i64::MIN, Position::stored);
        let params: &Params<'_> = &[&id.as_uuid(), &after, &i64::from(page.limit), &page.code];
        let rows = query(&self.client().await?, "read rejects", PAGE, params).await?;
        rows.iter().map(read_one).collect()
    }

    async fn reject_kinds(&self, id: OperationId, limit: u32) -> PortResult<Vec<RejectKind>> {
        let params: &Params<'_> = &[&id.as_uuid(), &i64::from(limit)];
        let rows = query(&self.client().await?, "count rejects", KINDS, params).await?;
        rows.iter().map(read_kind).collect()
    }
}

// What a fault quotes may hold a NUL, which no text of PostgreSQL does.
const PAGE: &str = r"SELECT position, line, byte_start, byte_length, sha256, faults, key, winner, frame, frame_object
     FROM carrack.rejects WHERE operation = $1 AND position > $2
       AND ($4::text IS NULL OR EXISTS (
           SELECT FROM json_array_elements(replace(faults::text, '\u0000', '\ufffd')::json) f
           WHERE f ->> 'code' = $4))
     ORDER BY position LIMIT $3";

const KINDS: &str = r#"SELECT k.*, r.line FROM (
         SELECT f ->> 'code' AS code, f ->> 'field' AS field, count(DISTINCT r.position) AS records,
                min(r.position) AS position
         FROM carrack.rejects r,
              json_array_elements(replace(r.faults::text, '\u0000', '\ufffd')::json) f
         WHERE r.operation = $1 GROUP BY 1, 2) k
     JOIN carrack.rejects r ON r.operation = $1 AND r.position = k.position
     ORDER BY k.records DESC, k.position, k.code COLLATE "C", k.field COLLATE "C" NULLS FIRST LIMIT $2"#;

fn read_kind(row: &Row) -> PortResult<RejectKind> {
    Ok(RejectKind {
        code: get(row, "code")?,
        field: get(row, "field")?,
        records: get_u64(row, "records")?,
        first: Position::from_stored(get(row, "position")?),
        first_line: get_u64(row, "line")?,
    })
}

fn read_one(row: &Row) -> PortResult<Reject> {
    let Json(faults) = get(row, "faults")?;
    let frame = match (get::<Option<Vec<u8>>>(row, "frame")?, get(row, "frame_object")?) {
        (Some(bytes), None) => Frame::Inline(bytes.into()),
        (None, Some(key)) => Frame::Object(key),
        _ => return Err(internal("a reject without exactly one frame")),
    };
    Ok(Reject {
        position: Position::from_stored(get(row, "position")?),
        line: get_u64(row, "line")?,
        byte_start: get_u64(row, "byte_start")?,
        byte_length: get_u64(row, "byte_length")?,
        sha256: get_hash(row, "sha256")?,
        faults,
        key: get(row, "key")?,
        winner: get::<Option<i64>>(row, "winner")?.map(Position::from_stored),
        frame,
    })
}
