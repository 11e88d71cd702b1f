//! What was compressed comes back: in any number of members, in any pieces, in memory, or only its head.

use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError};
use carrack_shared::layer::Trouble;
use carrack_shared::layer::compress::frame;
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::open::{Caps, open, open_head, open_whole};
use futures_util::{StreamExt, stream};

use crate::samples::{COMPRESSED, FRAMED, Source, collected, file, indexed, outcome, pieces, streamed, text};

/// Files and the texts that they hold.
fn files() -> Vec<(String, Compression, Vec<u8>, Vec<u8>)> {
    let (small, large) = (text(900), text(700_000));
    let mut files = Vec::new();
    for compression in COMPRESSED {
        for (name, text) in [("nothing", &[][..]), ("a byte", b"x"), ("small", &small), ("large", &large)] {
            let name = format!("{} of {name}", compression.as_str());
            files.push((format!("{name}, framed"), compression, file(compression, text), text.to_vec()));
            files.push((
                format!("{name}, streamed"),
                compression,
                streamed(compression, text),
                text.to_vec(),
            ));
        }
    }
    for compression in FRAMED {
        let name = compression.as_str();
        let texts = [&b""[..], &small, b"", b"", &large, b"y"];
        let (members, whole) = (texts.map(|text| file(compression, text)).concat(), texts.concat());
        files.push((format!("{name} members"), compression, members, whole.clone()));
        files.push((format!("{name} with an index"), compression, indexed(compression, &texts).0, whole));
        let tiny = file(compression, b"ab\n").repeat(5_000);
        files.push((format!("{name} tiny members"), compression, tiny, b"ab\n".repeat(5_000)));
    }
    let padded = [file(Compression::Gzip, &small), vec![0; 70_000]].concat();
    files.push(("gzip with padding".into(), Compression::Gzip, padded, small.clone()));
    let skipped = [&b"\x53\x2a\x4d\x18\x05\0\0\0hello"[..], &file(Compression::Zstd, &small)].concat();
    files.push(("zstd behind a skippable frame".into(), Compression::Zstd, skipped, small));
    files
}

#[test]
fn any_cut_gives_the_same_text() {
    let mut source = Source(5);
    for (name, compression, bytes, text) in files() {
        assert!(open_whole(compression, &bytes, Caps::default()).as_ref() == Ok(&text), "{name}");
        let mut sizes: Vec<usize> = vec![bytes.len().max(1), 4_096, 65_535, 65_536, 65_537];
        if bytes.len() < 300_000 {
            sizes.extend(1..=7);
        }
        for size in sizes {
            let opened = outcome(open(compression, pieces(&bytes, |_| size), Caps::default()));
            assert!(opened == (text.clone(), None), "{name}, in pieces of {size}");
        }
        for _ in 0..5 {
            let opened = outcome(open(compression, pieces(&bytes, |_| source.below(9_000)), Caps::default()));
            assert!(opened == (text.clone(), None), "{name}, cut at random");
        }
    }
}

#[test]
fn text_that_is_not_compressed_passes() {
    let text = text(1_000);
    let caps = Caps { bytes: 0, ratio: 0, ratio_from: 0 };
    assert_eq!(outcome(open(Compression::None, pieces(&text, |_| 7), caps)), (text.clone(), None));
    assert_eq!(open_whole(Compression::None, &text, caps), Ok(text.clone()));
    assert_eq!(open_head(Compression::None, &text, 10), Ok(text[..10].to_vec()));
    assert_eq!(frame(Compression::None, 0, &text), text);
}

#[test]
fn a_head_gives_the_text_that_it_can() {
    let text = text(400_000);
    for compression in COMPRESSED {
        let bytes = file(compression, &text);
        let mut most = 0;
        for length in (0..bytes.len()).step_by(997).chain([bytes.len()]) {
            let opened = open_head(compression, &bytes[..length], 300_000).unwrap();
            assert!(text.starts_with(&opened) && opened.len() >= most, "{} bytes", opened.len());
            most = opened.len();
            let few = open_head(compression, &bytes[..length], 10).unwrap();
            assert_eq!(few, opened[..opened.len().min(10)]);
        }
        assert_eq!(most, 300_000, "{compression:?}");
        assert_eq!(open_head(compression, &bytes, usize::MAX).unwrap().len(), text.len());
    }
    let fault = open_head(Compression::Gzip, b"[{\"id\":1}]", 10).unwrap_err();
    assert_eq!(fault.code, "compression.corrupt");
}

#[test]
fn the_error_of_a_port_passes() {
    for (compression, before) in COMPRESSED.map(|compression| (compression, file(compression, &text(99_999))))
    {
        for kind in [ErrorKind::Unavailable, ErrorKind::Changed] {
            let error = PortError::new(kind, "s3", "found a broken connection");
            let half = Bytes::copy_from_slice(&before[..before.len() / 2]);
            let body = stream::iter([Ok(half), Err(Trouble::Port(error))]).boxed();
            let (_, Err(Trouble::Port(error))) = collected(open(compression, body, Caps::default())) else {
                panic!("{compression:?}: the error of the port is lost");
            };
            assert_eq!((error.kind, &*error.message), (kind, "found a broken connection"));
            assert_eq!(error.try_again(), kind == ErrorKind::Unavailable);
        }
    }
}

#[test]
fn frames_are_the_same_everywhere() {
    let text = text(10_000);
    let gzip = file(Compression::Gzip, &text);
    // No time, no name, an unknown system: RFC 1952, section 2.3.1.
    assert_eq!(gzip[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    assert_eq!(gzip[9], 255);
    let zstd = file(Compression::Zstd, &text);
    // RFC 8878, section 3.1.1.1.1: a checksum, one segment, the size of the text in two bytes (less 256).
    assert_eq!(zstd[4], 0b0110_0100);
    assert_eq!(usize::from(u16::from_le_bytes([zstd[5], zstd[6]])) + 256, text.len());
    for compression in COMPRESSED {
        assert_eq!(file(compression, &text), file(compression, &text));
        let range = compression.level_range();
        for (asked, given) in [(i32::MIN, *range.start()), (i32::MAX, *range.end())] {
            assert_eq!(frame(compression, asked, &text), frame(compression, given, &text));
        }
        for level in range {
            let framed = frame(compression, level, &text);
            assert!(open_whole(compression, &framed, Caps::default()).as_ref() == Ok(&text), "{level}");
        }
    }
}
