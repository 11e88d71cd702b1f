//! The table of a store, written into a file to be compared. The store is only read.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use carrack_adapters::{ConnectSettings, Urls};
use carrack_shared::format::Format;
use carrack_shared::format::encode::{Encoder, Shape};
use carrack_shared::limits::EXPORT_ROWS;
use carrack_shared::schema::DataType;
use carrack_shared::segment::KeyRange;
use futures_util::TryStreamExt as _;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt as _, BufWriter};
use url::Url;

use crate::exit::Usage;

/// How URLs of stores begin.
const SCHEMES: [&str; 3] = ["sqlite:", "postgres://", "postgresql://"];

/// Bytes that are written at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// Connections to the store: one for the snapshot's rows, one for the rest.
const CONNECTIONS: usize = 2;

/// Whether this is the URL of a store, not a file.
pub fn is_store(side: &str) -> bool {
    SCHEMES.iter().any(|scheme| side.starts_with(scheme))
}

/// The same without the secrets of a URL.
pub fn shown(side: &str) -> String {
    let url = is_store(side).then(|| Url::parse(side).ok()).flatten();
    let Some(mut url) = url.filter(Url::has_host) else { return side.to_owned() };
    let _ = url.set_password(None);
    url.set_query(None);
    url.into()
}

/// Writes the table of a type, as it is at one moment, one record on a line.
///
/// # Errors
/// When the store has no such type, or cannot be read.
pub async fn table(store: &str, data_type: &str, file: &Path) -> anyhow::Result<()> {
    if let Some(path) = store.strip_prefix("sqlite:")
        && !Path::new(path).is_file()
    {
        return Err(Usage(format!("{path}: found no file, expected the database of a data folder")).into());
    }
    let folder = file.parent().context("a file in a folder")?;
    let urls = Urls {
        database: store.to_owned(),
        objects: format!("file://{}", folder.join("none").display()),
        queue: "memory:".into(),
        progress: "memory:".into(),
    };
    let settings = ConnectSettings {
        pool_size: CONNECTIONS,
        s3_credentials: None,
        read_in_place: false,
        master_key: None,
    };
    let ports = carrack_adapters::connect(&urls, &settings).await.with_context(|| shown(store))?;
    let known = ports.store.data_types().await?;
    let built_in = || carrack_shared::schema::built_in(data_type);
    let found = known.into_iter().find(|known| known.name.as_str() == data_type).map(Arc::new);
    let data_type: Arc<DataType> = found.or_else(built_in).with_context(|| {
        format!("--type: {} has no type {data_type}, expected one that it has", shown(store))
    })?;
    let place = || file.display().to_string();
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::create(file).await.with_context(place)?);
    let mut snapshot = ports.store.snapshot().await?;
    let encoder = Encoder::new(Format::Ndjson, &data_type, Shape { metadata: true, extra: true });
    let (mut behind, mut number): (Option<KeyRange>, u64) = (None, 1);
    while let Some(range) = snapshot.next_range(&data_type, behind.as_ref(), EXPORT_ROWS).await? {
        let mut rows = ports.store.scan(&data_type, &range, &[], snapshot.id()).await?;
        while let Some(piece) = rows.try_next().await? {
            let mut bytes = Vec::new();
            encoder.rows(&piece, number, &mut bytes);
            if number > 1 && !piece.is_empty() {
                out.write_all(encoder.between()).await.with_context(place)?;
            }
            number += piece.len() as u64;
            out.write_all(&bytes).await.with_context(place)?;
        }
        behind = Some(range);
    }
    out.write_all(encoder.tail(number == 1)).await.with_context(place)?;
    out.flush().await.with_context(place)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_told_from_files_and_show_no_secrets() {
        for (side, store, expected) in [
            ("a.json", false, "a.json"),
            ("sqlite:data/carrack.sqlite", true, "sqlite:data/carrack.sqlite"),
            ("postgres://u:secret@h:1/d?password=secret", true, "postgres://u@h:1/d"),
        ] {
            assert_eq!((is_store(side), shown(side).as_str()), (store, expected));
        }
    }
}
