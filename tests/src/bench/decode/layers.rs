//! What opening the layers around a text costs, beside the libraries that do nothing else.

use std::hint::black_box;
use std::io::Read as _;

use carrack_shared::layer::compress;
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::open::{Caps, open_whole};
use carrack_shared::layer::sealed::{Opener, Sealer};
use carrack_shared::layer::secret::DataKey;

use super::{Row, best};
use crate::bench::Options;

/// Text of one frame, as exports write it.
const FRAME: usize = 1024 * 1024;

/// The rows of a text.
pub fn rows(text: &[u8], options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    for compression in [Compression::Gzip, Compression::Zstd, Compression::Brotli] {
        let name = format!("{} open", compression.as_str());
        if options.wants(&name) {
            let stored = packed(compression, text);
            let ours =
                best(options.runs, || drop(black_box(open_whole(compression, &stored, Caps::default()))));
            let reference = reference(compression)
                .map(|(name, read)| (name, best(options.runs, || drop(black_box(read(&stored))))));
            rows.push(Row { name, bytes: text.len(), ours, reference });
        }
    }
    let key = DataKey::new([7; 32]);
    let mut sealed = Vec::new();
    if options.wants("sealed write") {
        let ours = best(options.runs, || sealed = seal(&key, text));
        rows.push(Row { name: "sealed write".into(), bytes: text.len(), ours, reference: None });
    }
    if options.wants("sealed open") {
        let sealed = seal(&key, text);
        let mut plain = Vec::with_capacity(text.len());
        let ours = best(options.runs, || {
            plain.clear();
            let mut opener = Opener::new(&key, b"bench");
            opener.push(&sealed, &mut plain).unwrap();
            opener.finish(&mut plain).unwrap();
        });
        assert!(plain == text);
        rows.push(Row { name: "sealed open".into(), bytes: text.len(), ours, reference: None });
    }
    rows
}

/// Brotli is one stream; the others are frames.
fn packed(compression: Compression, text: &[u8]) -> Vec<u8> {
    let frame = if compression == Compression::Brotli { text.len() } else { FRAME };
    let level = compression.default_level();
    text.chunks(frame).flat_map(|text| compress::frame(compression, level, text)).collect()
}

type Reader = (&'static str, fn(&[u8]) -> Vec<u8>);

fn reference(compression: Compression) -> Option<Reader> {
    match compression {
        Compression::Gzip => Some(("flate2", |stored| {
            let mut text = Vec::new();
            flate2::read::MultiGzDecoder::new(stored).read_to_end(&mut text).unwrap();
            text
        })),
        Compression::Zstd => Some(("zstd", |stored| zstd::decode_all(stored).unwrap())),
        Compression::Brotli | Compression::None => None,
    }
}

fn seal(key: &DataKey, text: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(text.len() + text.len() / 512);
    let mut sealer = Sealer::new(key, b"bench", [9; 24]);
    sealer.push(text, &mut sealed).unwrap();
    sealer.finish(&mut sealed).unwrap();
    sealed
}
