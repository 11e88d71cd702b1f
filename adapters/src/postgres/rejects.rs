//! Refused records, stored and read.

use carrack_shared::error::PortResult;
use carrack_shared::fault::{Fault, Frame, Reject};
use carrack_shared::operation::OperationId;
use carrack_shared::record::Position;
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

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

/// The rejects behind `after`, in the order of the input.
pub(super) async fn read(
    client: &impl GenericClient,
    id: OperationId,
    after: Option<Position>,
    limit: u32,
) -> PortResult<Vec<Reject>> {
    const SQL: &str = "SELECT * FROM carrack.rejects WHERE operation = $1 AND position > $2
         ORDER BY position LIMIT $3";
    let after = after.map_or(i64::MIN, Position::stored);
    let rows = query(client, "read rejects", SQL, &[&id.as_uuid(), &after, &i64::from(limit)]).await?;
    rows.iter().map(read_one).collect()
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
