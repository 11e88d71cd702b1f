//! Streaming the rows of a range under somebody else's snapshot.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::filter::Condition;
use carrack_shared::port::records::RowStream;
use carrack_shared::record::{Cell, Origin, Position, Rows};
use carrack_shared::schema::DataType;
use carrack_shared::segment::KeyRange;
use deadpool_postgres::Object;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql, Type};

use super::conditions::Asked;
use super::connection::Connector;
use super::encode::{EPOCH_2000, JSONB_VERSION, is_of_column};
use super::error::{SERVICE, failed};
use super::reading::Reading;
use super::scalar;
use super::sql::fixed;
use super::tables::Table;

/// Rows of one piece.
const PIECE_ROWS: usize = 1_000;

/// A query under way.
pub(super) struct Scan {
    data_type: Arc<DataType>,
    rows: Pin<Box<tokio_postgres::RowStream>>,
    number: u64,
    reading: Reading,
}

impl Scan {
    pub(super) async fn open(
        client: Object,
        connector: Connector,
        data_type: &Arc<DataType>,
        range: &KeyRange,
        conditions: &[Condition],
        snapshot: &str,
    ) -> PortResult<Self> {
        let reading = Reading::begin(client, connector);
        let client = reading.client();
        enter(client, snapshot).await?;
        let asked = Asked::new(data_type, conditions);
        let sql = Table::new(data_type).scan(&asked.sql);
        let statement = client.prepare(&sql).await.map_err(failed("prepare a scan"))?;
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![&range.from, &range.to];
        values.extend(asked.values.iter().map(|value| &**value as &(dyn ToSql + Sync)));
        let rows = client.query_raw(&statement, values).await.map_err(failed("scan a table"))?;
        Ok(Self { data_type: Arc::clone(data_type), rows: Box::pin(rows), number: 0, reading })
    }

    pub(super) fn into_stream(self) -> RowStream {
        stream::try_unfold(Some(self), |scan| async {
            let Some(mut scan) = scan else { return Ok(None) };
            let piece = scan.next_piece().await?;
            if piece.len() == PIECE_ROWS {
                return Ok(Some((piece, Some(scan))));
            }
            scan.finish().await?;
            Ok((!piece.is_empty()).then_some((piece, None)))
        })
        .boxed()
    }

    async fn next_piece(&mut self) -> PortResult<Rows> {
        let mut piece = Rows::new(Arc::clone(&self.data_type), Bytes::new(), 0, 1);
        let mut cells = Vec::with_capacity(piece.width());
        while piece.len() < PIECE_ROWS {
            let Some(row) = self.rows.try_next().await.map_err(failed("scan a table"))? else { break };
            cells.clear();
            for slot in 0..piece.width() {
                cells.push(read_cell(&row, slot, &mut piece)?);
            }
            self.number += 1;
            piece.push(Origin { position: Position::new(0, self.number), frame: 0..0 }, &cells);
        }
        Ok(piece)
    }

    /// Ends the transaction and gives the connection back.
    async fn finish(self) -> PortResult<()> {
        fixed(self.reading.client(), "COMMIT").await.map_err(failed("end a scan"))?;
        self.reading.end();
        Ok(())
    }
}

/// Begins a transaction that sees what the snapshot sees. The timeout is off, for a statement also lasts
/// while its reader is slow.
#[expect(
    clippy::disallowed_methods,
    reason = "SET TRANSACTION SNAPSHOT takes no parameter; the text is checked"
)]
async fn enter(client: &Object, snapshot: &str) -> PortResult<()> {
    let gone = || {
        let message = format!("the snapshot {snapshot:?} does not last any more");
        PortError::new(ErrorKind::SnapshotGone, SERVICE, message)
    };
    // The statement takes a literal only; PostgreSQL's ids are hexadecimal numbers.
    if !snapshot.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        return Err(gone());
    }
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0";
    fixed(client, begin).await.map_err(failed("begin a scan"))?;
    let set = format!("SET TRANSACTION SNAPSHOT '{snapshot}'");
    // The codes are those of an unknown id (until and since version 17) and of an ended holder.
    match client.batch_execute(&set).await {
        Ok(()) => Ok(()),
        Err(error)
            if error.code().is_some_and(|state| ["22023", "42704", "55000"].contains(&state.code())) =>
        {
            fixed(client, "ROLLBACK").await.map_err(failed("leave a scan"))?;
            Err(gone())
        }
        Err(error) => Err(failed("enter a snapshot")(error)),
    }
}

/// The bytes of a column as they came.
struct Raw<'row>(&'row [u8]);

impl<'row> FromSql<'row> for Raw<'row> {
    fn from_sql(_: &Type, raw: &'row [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(ty: &Type) -> bool {
        // Its owner may have made a text column a varchar, or citext.
        is_of_column(ty) || <&str as FromSql<'_>>::accepts(ty)
    }
}

/// The cell of a column.
pub(super) fn read_cell(row: &Row, slot: usize, piece: &mut Rows) -> PortResult<Cell> {
    let raw = row.try_get::<_, Option<Raw<'_>>>(slot).map_err(|error| altered(row, slot).because(error))?;
    let Some(Raw(bytes)) = raw else { return Ok(Cell::Missing) };
    Ok(match row.columns()[slot].type_() {
        &Type::TIMESTAMPTZ => {
            let micros = bytes.try_into().map(i64::from_be_bytes).unwrap_or_default();
            Cell::Instant(micros.saturating_add(EPOCH_2000))
        }
        &Type::JSONB => {
            let start = piece.scratch_start();
            compact(bytes.strip_prefix(&[JSONB_VERSION]).unwrap_or(bytes), piece.scratch());
            Cell::Json(piece.span_of_scratch(start))
        }
        ty if scalar::is_scalar(ty) => {
            let cell = scalar::read(ty, bytes).ok_or_else(|| unreadable(row, slot))?;
            Cell::Json(piece.span_of_copy(cell.as_bytes()))
        }
        _ => Cell::Text(piece.span_of_copy(bytes)),
    })
}

/// Somebody else has written what no file can say: `NaN`, or an infinity.
fn unreadable(row: &Row, slot: usize) -> PortError {
    let column = row.columns()[slot].name();
    let message = format!("column {column:?} holds a value that its type does not allow: no number");
    PortError::new(ErrorKind::Refused, SERVICE, message)
}

/// Its owner has given a column another type.
fn altered(row: &Row, slot: usize) -> PortError {
    let column = &row.columns()[slot];
    let (name, found) = (column.name(), column.type_());
    let message =
        format!("column {name:?} has the type {found}, expected the one with which its table was made");
    PortError::new(ErrorKind::Refused, SERVICE, message)
}

/// Copies JSON without the blanks that PostgreSQL prints between its tokens, so that it is canonical again.
fn compact(json: &[u8], out: &mut Vec<u8>) {
    let (mut in_string, mut escaped) = (false, false);
    for &byte in json {
        if in_string {
            in_string = byte != b'"' || escaped;
            escaped = byte == b'\\' && !escaped;
        } else if byte == b' ' {
            continue;
        } else {
            in_string = byte == b'"';
        }
        out.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::compact;

    #[test]
    fn blanks_go_except_in_strings() {
        let table = [
            (r#"{"a": 1, "b c": [1, "x, y: z"]}"#, r#"{"a":1,"b c":[1,"x, y: z"]}"#),
            (r#"["q\" r", "\\", " "]"#, r#"["q\" r","\\"," "]"#),
            ("{}", "{}"),
        ];
        for (printed, canonical) in table {
            let mut out = Vec::new();
            compact(printed.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), canonical);
        }
    }
}
