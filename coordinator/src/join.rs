//! The file of a finished export: head, parts and tail, joined while they are read, in memory that does not
//! depend on the export.

use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::format::Format;
use carrack_shared::format::encode::{Encoder, Shape};
use carrack_shared::operation::{Operation, State};
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
    Ok(Joined {
        name: format!("{}-{}.{}", export.data_type, operation.id, export.format.as_str()),
        format: export.format,
        length: length(&parts, head.len(), between.len(), tail.len()),
        body: body(ports.clone(), parts, head, between, tail),
    })
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

fn length(parts: &[Part], head: usize, between: usize, tail: usize) -> u64 {
    let seams = between as u64 * (parts.len() as u64).saturating_sub(1);
    let content: u64 = parts.iter().map(|part| part.effect.bytes).sum();
    head as u64 + seams + content + tail as u64
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
    use carrack_shared::port::batches::ExportEffect;

    #[test]
    fn the_length_counts_a_seam_between_each_two_parts() {
        let part = |bytes| Part {
            batch: 0,
            effect: ExportEffect { key: String::new(), etag: String::new(), bytes, rows: 1 },
        };
        assert_eq!(length(&[], 1, 2, 3), 4);
        assert_eq!(length(&[part(10)], 1, 2, 3), 14);
        assert_eq!(length(&[part(10), part(20)], 1, 2, 3), 36);
    }
}
