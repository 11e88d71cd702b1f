//! Stores the binary content that the records of a batch bring along, before their rows, and refuses the records
//! that refer to what is not stored.
//!
//! A dry run stores none of them, and takes those of its own batch for stored.
//!
//! Objects are named by their content, so a batch that is executed again stores nothing twice, and an object
//! whose rows were never committed is at most one that nobody refers to.

use std::collections::BTreeMap;

use carrack_shared::content::{Content, Reference};
use carrack_shared::error::PortResult;
use carrack_shared::limits::BINARY_REQUESTS;
use carrack_shared::pipeline::Decoded;
use carrack_shared::port::Objects;
use futures_util::{StreamExt, TryStreamExt, stream};

/// Stores the contents of a batch; what is left of it may be committed.
pub(crate) async fn store(objects: &dyn Objects, mut decoded: Decoded, dry_run: bool) -> PortResult<Decoded> {
    let references = decoded.references();
    let contents = std::mem::take(&mut decoded.contents);
    let brought: Vec<Reference> = contents.iter().map(|content| content.reference).collect();
    let puts = contents.into_iter().filter(|_| !dry_run).map(|content| put(objects, content));
    stream::iter(puts).buffer_unordered(BINARY_REQUESTS).try_collect::<()>().await?;
    let looks = references.into_iter().map(|reference| look(objects, reference));
    let mut found: BTreeMap<Reference, Option<u64>> =
        stream::iter(looks).buffer_unordered(BINARY_REQUESTS).try_collect().await?;
    found.extend(brought.into_iter().map(|reference| (reference, Some(reference.size))));
    decoded.refuse_unstored(&found);
    Ok(decoded)
}

async fn put(objects: &dyn Objects, content: Content) -> PortResult<()> {
    let Content { reference, bytes } = content;
    if look(objects, reference).await?.1 == Some(reference.size) {
        return Ok(());
    }
    let body = stream::once(async move { Ok(bytes) }).boxed();
    objects.put(&reference.key(), body).await.map(drop)
}

/// The bytes of what is stored under a reference.
async fn look(objects: &dyn Objects, reference: Reference) -> PortResult<(Reference, Option<u64>)> {
    let found = objects.head(&reference.key()).await?;
    Ok((reference, found.map(|meta| meta.length)))
}
