//! The file of a finished export: head, parts and tail, joined while they are read, in memory that does not
//! depend on the export.

use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::format::Format;
use carrack_shared::format::encode::{Encoder, Shape};
use carrack_shared::operation::{Operation, State, Totals};
use carrack_shared::port::Ports;
use carrack_shared::port::batches::Part;
use carrack_shared::port::objects::ByteStream;
use carrack_shared::schema;
use carrack_shared::segment::Facts;
use carrack_shared::spec::{ExportSpec, Work};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// An export's file.
pub struct Joined {
    /// Its name, for people.
    pub name: String,
    /// Its format.
    pub format: Format,
    /// Its bytes, exactly.
    pub length: u64,
    /// Its content.
    pub body: ByteStream,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum NoFile {
    /// The operation is an import.
    #[error("operation {0} is an import, expected an export")]
    NotAnExport(String),
    /// The export has not succeeded (yet).
    #[error("the export is {}, expected succeeded", .0.as_str())]
    NotDone(State),
    /// A service failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Opens the file of an export.
///
/// # Errors
/// When the operation is not an export that has succeeded, or a service fails.
pub async fn joined(ports: &Ports, operation: &Operation) -> Result<Joined, NoFile> {
    let Work::Export(export) = operation.spec.work() else {
        return Err(NoFile::NotAnExport(operation.id.to_string()));
    };
    if operation.state != State::Succeeded {
        return Err(NoFile::NotDone(operation.state));
    }
    let mut parts = ports.store.parts(operation.id).await?;
    parts.retain(|part| part.effect.rows > 0);
    let encoder = encoder(export, has_extra(ports, operation).await?)?;
    let (head, between, tail) = (encoder.head(), encoder.between(), encoder.tail(parts.is_empty()));
    let content = parts.iter().map(|part| part.effect.bytes).sum();
    Ok(Joined {
        name: format!("{}-{}.{}", export.data_type, operation.id, export.format.as_str()),
        format: export.format,
        length: length(&encoder, parts.len() as u64, content),
        body: body(ports.clone(), parts, head, between, tail),
    })
}

/// The bytes of the file of an export that has succeeded: the same as [`Joined::length`], from its totals.
///
/// # Errors
/// When a service fails.
pub async fn file_bytes(
    ports: &Ports,
    operation: &Operation,
    export: &ExportSpec,
    totals: &Totals,
) -> PortResult<u64> {
    let encoder = encoder(export, has_extra(ports, operation).await?)?;
    Ok(length(&encoder, totals.batches, totals.bytes))
}

/// The encoder with which the parts of this export were written.
fn encoder(export: &ExportSpec, has_extra: bool) -> PortResult<Encoder> {
    let Some(data_type) = schema::built_in(&export.data_type) else {
        let message = format!("the data type {:?} of an export is unknown", export.data_type);
        return Err(PortError::new(ErrorKind::Internal, "carrack", message));
    };
    let shape = Shape { metadata: export.include_metadata, extra: has_extra };
    Ok(Encoder::new(export.format, &data_type, shape))
}

/// Whether the export's planner met fields outside the schema. The workers went by the same facts.
async fn has_extra(ports: &Ports, operation: &Operation) -> PortResult<bool> {
    let facts = ports.store.facts(operation.id, 0).await?;
    Ok(matches!(facts, Some(Facts::Table(table)) if table.has_extra))
}

/// Every part has rows, for a range of keys without any is not planned.
fn length(encoder: &Encoder, parts: u64, content: u64) -> u64 {
    let seams = encoder.between().len() as u64 * parts.saturating_sub(1);
    let ends = encoder.head().len() + encoder.tail(parts == 0).len();
    ends as u64 + seams + content
}

fn body(
    ports: Ports,
    parts: Vec<Part>,
    head: Vec<u8>,
    between: &'static [u8],
    tail: &'static [u8],
) -> ByteStream {
    let objects = ports.objects;
    let content = stream::iter(parts.into_iter().enumerate().map(Ok))
        .and_then(move |(index, part)| {
            let objects = objects.clone();
            async move {
                let seam = if index == 0 { b"" } else { between };
                let content = objects.stream(&part.effect.key, 0, &part.effect.etag).await?;
                PortResult::Ok(one(Bytes::from_static(seam)).chain(content))
            }
        })
        .try_flatten();
    one(Bytes::from(head)).chain(content).chain(one(Bytes::from_static(tail))).boxed()
}

fn one(bytes: Bytes) -> stream::Iter<std::array::IntoIter<PortResult<Bytes>, 1>> {
    stream::iter([Ok(bytes)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_counts_a_seam_between_each_two_parts() {
        let export =
            ExportSpec { data_type: "contexts".into(), format: Format::Json, include_metadata: true };
        let encoder = encoder(&export, false).unwrap();
        let [head, between] = [encoder.head().len() as u64, encoder.between().len() as u64];
        let [empty, full] = [true, false].map(|empty| encoder.tail(empty).len() as u64);
        for (parts, content, expected) in
            [(0, 0, head + empty), (1, 10, head + 10 + full), (3, 30, head + 30 + 2 * between + full)]
        {
            assert_eq!(length(&encoder, parts, content), expected);
        }
    }
}
