//! Puts the long frames of rejects where the database does not have to carry them: whole, into objects
//! named by their content, so that a batch executed again stores nothing twice.

use std::collections::HashMap;

use bytes::Bytes;
use carrack_shared::error::PortResult;
use carrack_shared::fault::{Fault, Frame, Reject};
use carrack_shared::layer::source::Reader;
use carrack_shared::layer::{Opened, Trouble};
use carrack_shared::limits::INLINE_FRAME_BYTES;
use carrack_shared::port::Objects;
use carrack_shared::record::{Position, Rows};
use carrack_shared::segment::Segment;
use futures_util::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

/// Moves every frame that is too long for the database into an object.
pub(crate) async fn store_long_frames(objects: &dyn Objects, rejects: &mut [Reject]) -> PortResult<()> {
    for reject in rejects {
        if let Frame::Inline(bytes) = &reject.frame
            && bytes.len() > INLINE_FRAME_BYTES
        {
            reject.frame = Frame::Object(store_frame(objects, bytes, reject.sha256).await?);
        }
    }
    Ok(())
}

/// Stores the frames of rows that are to be rejected; answers the objects by row.
pub(crate) async fn store_row_frames(
    objects: &dyn Objects,
    rows: &Rows,
    wanted: &[usize],
) -> PortResult<HashMap<usize, String>> {
    let mut stored = HashMap::new();
    for &row in wanted {
        let frame = rows.frame(row);
        let sha256 = Sha256::digest(&frame).into();
        stored.insert(row, store_frame(objects, &frame, sha256).await?);
    }
    Ok(stored)
}

async fn store_frame(objects: &dyn Objects, frame: &Bytes, sha256: [u8; 32]) -> PortResult<String> {
    let key = frame_key(&sha256);
    let frame = frame.clone();
    objects.put(&key, futures_util::stream::once(async move { Ok(frame) }).boxed()).await?;
    Ok(key)
}

/// The one reject of a segment that is not to be decoded: its bytes are hashed and, if they are many,
/// copied from object to object without ever being in memory as a whole.
pub(crate) async fn of_segment(reader: &Reader, segment: &Segment, fault: &Fault) -> Result<Reject, Trouble> {
    let length = segment.bytes.end - segment.bytes.start;
    let text = async || reader.segment(segment.packing.as_ref(), segment.bytes.clone()).await;
    let (sha256, frame) = if length <= INLINE_FRAME_BYTES as u64 {
        let pieces: Vec<Bytes> = text().await?.try_collect().await?;
        let bytes = Bytes::from(pieces.concat());
        (Sha256::digest(&bytes).into(), Frame::Inline(bytes))
    } else {
        let sha256 = hash(text().await?).await?;
        let key = frame_key(&sha256);
        reader.objects().put(&key, text().await?.map_err(Trouble::into_port).boxed()).await?;
        (sha256, Frame::Object(key))
    };
    Ok(Reject {
        position: Position::new(segment.source, segment.first_record),
        line: segment.first_line,
        byte_start: segment.bytes.start,
        byte_length: length,
        sha256,
        faults: vec![fault.clone()],
        key: None,
        winner: None,
        frame,
    })
}

async fn hash(bytes: Opened) -> Result<[u8; 32], Trouble> {
    let whole = bytes.try_fold(Sha256::new(), |mut hasher, piece| async move {
        hasher.update(&piece);
        Ok(hasher)
    });
    Ok(whole.await?.finalize().into())
}

fn frame_key(sha256: &[u8; 32]) -> String {
    let hex: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("rejects/{hex}")
}
