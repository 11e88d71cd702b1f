//! Puts binary content, as base64, in place of the references of rows that are to be exported with it.
//!
//! Rows are filled in groups that are bounded by the sizes in their references, so memory does not depend on how
//! many contents an export has. What cannot be filled stops the export: no file may hold less than it says.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use carrack_shared::content::{self, Reference};
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::limits::{BINARY_GROUP_BYTES, BINARY_RECORD_BYTES, BINARY_REQUESTS};
use carrack_shared::operation::Failure;
use carrack_shared::port::Objects;
use carrack_shared::port::records::RowStream;
use carrack_shared::record::Rows;
use futures_util::{StreamExt, TryStreamExt, stream};

/// The name under which errors say that a content, not the store, is what is wrong.
const CONTENT: &str = "binary content";

/// The same rows with their contents.
pub(crate) fn with_contents(rows: RowStream, objects: Arc<dyn Objects>) -> RowStream {
    let pieces = rows.map_ok(move |piece| groups(Arc::new(piece), Arc::clone(&objects)));
    pieces.try_flatten().boxed()
}

/// Why an export can never succeed, if that is what the error says.
pub(crate) fn failure(error: &PortError) -> Option<Failure> {
    let code = match error.kind {
        _ if error.service != CONTENT => return None,
        ErrorKind::NotFound => "binary.missing",
        ErrorKind::Changed => "binary.altered",
        _ => "binary.too_large",
    };
    Some(Failure::new(code, error.message.clone()))
}

/// The rows of a piece, group by group.
fn groups(piece: Arc<Rows>, objects: Arc<dyn Objects>) -> RowStream {
    let groups = stream::try_unfold(0, move |first| {
        let (piece, objects) = (Arc::clone(&piece), Arc::clone(&objects));
        async move {
            if first == piece.len() {
                return Ok(None);
            }
            let group = next_group(&piece, first)?;
            let end = group.end;
            let contents = fetch(&*objects, &piece, group.clone()).await?;
            Ok(Some((content::fill(&piece, group, &contents), end)))
        }
    });
    groups.boxed()
}

/// As many rows as may be filled at once, at least one.
fn next_group(rows: &Rows, first: usize) -> PortResult<Range<usize>> {
    let mut bytes = 0_u64;
    for row in first..rows.len() {
        let references = content::references(rows, row);
        let own = references.fold(0, |own: u64, (_, reference)| own.saturating_add(reference.base64_bytes()));
        if own > BINARY_RECORD_BYTES {
            return Err(too_large(own));
        }
        bytes += own;
        if bytes > BINARY_GROUP_BYTES && row > first {
            return Ok(first..row);
        }
    }
    Ok(first..rows.len())
}

/// The contents of some rows, each once.
async fn fetch(
    objects: &dyn Objects,
    rows: &Rows,
    group: Range<usize>,
) -> PortResult<BTreeMap<Reference, Bytes>> {
    let mut wanted: Vec<Reference> =
        group.flat_map(|row| content::references(rows, row).map(|(_, reference)| reference)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let fetches =
        wanted.into_iter().map(|reference| async move { Ok((reference, get(objects, reference).await?)) });
    stream::iter(fetches).buffer_unordered(BINARY_REQUESTS).try_collect().await
}

async fn get(objects: &dyn Objects, reference: Reference) -> PortResult<Bytes> {
    let key = reference.key();
    let meta = objects.head(&key).await?.filter(|meta| meta.length == reference.size);
    let meta = meta.ok_or_else(|| missing(reference))?;
    let bytes = match reference.size {
        0 => Bytes::new(),
        size => objects.get(&key, 0..size, &meta.etag).await?,
    };
    if Reference::of(&bytes) == reference { Ok(bytes) } else { Err(altered(reference)) }
}

fn missing(reference: Reference) -> PortError {
    let (key, size) = (reference.key(), reference.size);
    let message = format!("found no object {key} of {size} bytes, to which a row refers, expected it");
    PortError::new(ErrorKind::NotFound, CONTENT, message)
}

fn altered(reference: Reference) -> PortError {
    let message = format!("found other bytes in the object {}, expected those of its name", reference.key());
    PortError::new(ErrorKind::Changed, CONTENT, message)
}

fn too_large(found: u64) -> PortError {
    let message = format!(
        "found a row with {found} bytes of base64, expected at most {BINARY_RECORD_BYTES}, as a record may have; export references"
    );
    PortError::new(ErrorKind::Refused, CONTENT, message)
}

#[cfg(test)]
mod tests {
    use carrack_shared::record::{Cell, Origin, Position};
    use carrack_shared::schema::{DataType, Field, FieldType, Identifier};

    use super::*;

    /// Rows with contents of these sizes, of which the base64 has 4 bytes for 3.
    fn rows(sizes: &[[u64; 2]]) -> Rows {
        let field = |name, field_type| Field::new(Identifier::new(name).unwrap(), field_type, false);
        let fields = [("id", FieldType::String), ("a", FieldType::Binary), ("b", FieldType::Binary)];
        let fields = fields.map(|(name, field_type)| field(name, field_type)).into();
        let data_type = DataType { name: Identifier::new("files").unwrap(), fields, key: 0 };
        let mut rows = Rows::new(Arc::new(data_type), Bytes::new(), 0, 0);
        for (sizes, record) in sizes.iter().zip(1..) {
            let mut cells = vec![Cell::Text(rows.span_of_copy(b"k"))];
            for size in sizes {
                let reference = Reference { size: *size, sha256: [0; 32] };
                cells.push(Cell::Json(rows.span_of_copy(reference.json().as_bytes())));
            }
            cells.push(Cell::Missing);
            rows.push(Origin { position: Position::new(0, record), frame: 0..0 }, &cells);
        }
        rows
    }

    #[test]
    fn groups_are_bounded_by_what_their_references_say() {
        let whole = BINARY_GROUP_BYTES / 4 * 3;
        let most = BINARY_RECORD_BYTES / 4 * 3;
        // Where each group ends.
        let cases: [(&[[u64; 2]], &[usize]); 7] = [
            (&[], &[]),
            (&[[0, 0], [0, 0]], &[2]),
            (&[[whole, 0], [0, 0]], &[2]),
            (&[[whole, 1], [0, 0]], &[1, 2]),
            (&[[3, 3], [whole - 6, 0], [3, 0]], &[2, 3]),
            (&[[most / 2, most / 2], [whole, 0], [whole, 0]], &[1, 2, 3]),
            (&[[0, 0], [most, 0], [0, 0]], &[1, 2, 3]),
        ];
        for (sizes, expected) in cases {
            let (rows, mut ends) = (rows(sizes), Vec::new());
            while ends.last().copied().unwrap_or_default() < rows.len() {
                let first = ends.last().copied().unwrap_or_default();
                let group = next_group(&rows, first).unwrap();
                assert_eq!(group.start, first);
                ends.push(group.end);
            }
            assert_eq!(ends, expected, "{sizes:?}");
        }
        for beyond in [[most + 1, 0], [most, 1], [u64::MAX, u64::MAX]] {
            let error = next_group(&rows(&[beyond]), 0).unwrap_err();
            assert_eq!(failure(&error).unwrap().code, "binary.too_large", "{beyond:?}");
        }
    }
}
