//! Damaged files: cut off, altered, with something behind them. Each is refused with its code and place, or
//! gives the very text.

use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::open::{Caps, open, open_whole};

use crate::samples::{COMPRESSED, FRAMED, Source, file, outcome, pieces, text};

#[test]
fn a_file_that_is_cut_off_is_refused() {
    let texts = [text(400), text(300)];
    for compression in COMPRESSED {
        let members: Vec<Vec<u8>> = match compression {
            Compression::Brotli => vec![file(compression, &texts[0])],
            _ => texts.iter().map(|text| file(compression, text)).collect(),
        };
        let bytes = members.concat();
        for cut in 0..bytes.len() {
            let (opened, fault) = outcome(open(compression, pieces(&bytes[..cut], |_| 5), Caps::default()));
            assert!(texts.concat().starts_with(&opened));
            // Where a member ends, the file might.
            if cut == members[0].len() {
                assert_eq!((opened, fault), (texts[0].clone(), None));
                continue;
            }
            let fault = fault.unwrap_or_else(|| panic!("{compression:?} cut after {cut} of {}", bytes.len()));
            assert_eq!(
                fault.code, "compression.truncated",
                "{compression:?} cut after {cut}: {}",
                fault.message
            );
            let place = format!("at byte {cut}, behind {} opened bytes", opened.len());
            assert!(fault.message.contains(&place), "{}", fault.message);
            let whole = open_whole(compression, &bytes[..cut], Caps::default());
            assert_eq!(whole, Err(fault), "the same in memory");
        }
    }
}

#[test]
fn what_stands_behind_the_last_member_is_refused() {
    let text = text(500);
    let gzip = |behind: &[u8]| (Compression::Gzip, [&file(Compression::Gzip, &text), behind].concat());
    let zstd = |behind: &[u8]| (Compression::Zstd, [&file(Compression::Zstd, &text), behind].concat());
    let brotli = |behind: &[u8]| (Compression::Brotli, [&file(Compression::Brotli, &text), behind].concat());
    for ((compression, bytes), code, found) in [
        (gzip(b"garbage"), "compression.trailing", "found the bytes 67 at byte"),
        (gzip(b"\x1f\x8c"), "compression.trailing", "found the bytes 1f 8c at byte"),
        (gzip(b"\0\0x"), "compression.trailing", "found the byte 78 at byte"),
        (
            gzip(&[&[0][..], &file(Compression::Gzip, b"z")].concat()),
            "compression.trailing",
            "found the byte 1f",
        ),
        (gzip(b"\x1f\x8b"), "compression.truncated", "found the end of the file"),
        (zstd(b"\0\0\0\0"), "compression.trailing", "found the bytes 00 at byte"),
        (zstd(b"\x28\xb5\x2f\xfe"), "compression.trailing", "found the bytes 28 b5 2f fe at byte"),
        (zstd(b"\x50\x2a\x4d"), "compression.truncated", "found the end of the file"),
        (brotli(b"\0"), "compression.trailing", "found the bytes 00 at byte"),
        (brotli(&file(Compression::Brotli, b"z")), "compression.trailing", "expected the end of the file"),
    ] {
        for size in [1, 3, 1_000_000] {
            let (opened, fault) = outcome(open(compression, pieces(&bytes, |_| size), Caps::default()));
            let fault = fault.unwrap();
            assert_eq!(fault.code, code, "{}", fault.message);
            assert!(fault.message.contains(found), "{}", fault.message);
            assert!(fault.message.contains("behind 500 opened bytes"), "{}", fault.message);
            assert!(opened == text, "the text before it comes first");
        }
    }
}

#[test]
fn another_file_is_refused_at_once() {
    for (compression, bytes, message) in [
        (
            Compression::Gzip,
            &b"[{}]"[..],
            "found the bytes 5b at byte 0 of the file, expected the begin of gzip",
        ),
        (
            Compression::Zstd,
            b"\x28\xb5\x2e",
            "found the bytes 28 b5 2e at byte 0 of the file, expected the begin of zstd",
        ),
        (
            Compression::Gzip,
            b"\0\0\0",
            "found the bytes 00 at byte 0 of the file, expected the begin of gzip",
        ),
    ] {
        let fault = open_whole(compression, bytes, Caps::default()).unwrap_err();
        assert_eq!((&*fault.code, &*fault.message), ("compression.corrupt", message));
    }
}

/// Gzip and zstd carry checksums. Brotli has none: of its flipped bits some give another text, which only
/// the records can tell; that nothing panics and nothing grows without bound is all that can be asked.
#[test]
fn a_flipped_bit_never_gives_another_text() {
    const FLIPS: usize = 4_000;
    let texts = [text(3_000), text(200)];
    let caps = Caps { bytes: 1 << 20, ..Caps::default() };
    let mut source = Source(3);
    for compression in COMPRESSED {
        let (bytes, text) = match compression {
            Compression::Brotli => (file(compression, &texts[0]), texts[0].clone()),
            _ => (texts.each_ref().map(|text| file(compression, text)).concat(), texts.concat()),
        };
        let mut refused = 0;
        for _ in 0..FLIPS {
            let mut flipped = bytes.clone();
            let bit = source.below(bytes.len() * 8);
            flipped[bit / 8] ^= 1 << (bit % 8);
            match open_whole(compression, &flipped, caps) {
                Ok(opened) => {
                    let same = opened == text || compression == Compression::Brotli;
                    assert!(same, "{compression:?}: bit {bit} of {}", bytes.len() * 8);
                }
                Err(fault) => {
                    assert!(fault.code.starts_with("compression."), "{fault:?}");
                    refused += 1;
                }
            }
        }
        let least = if compression == Compression::Brotli { FLIPS / 4 } else { FLIPS * 9 / 10 };
        assert!(refused > least, "{compression:?}: only {refused} of {FLIPS} were refused");
    }
}

#[test]
fn random_bytes_are_refused_or_opened_within_the_caps() {
    let caps = Caps { bytes: 1 << 20, ..Caps::default() };
    let mut source = Source(9);
    for round in 0..3_000 {
        let length = 1 + source.below(400);
        let mut bytes: Vec<u8> = (0..length).map(|_| source.below(256) as u8).collect();
        for compression in COMPRESSED {
            let head: &[u8] = match compression {
                Compression::Gzip => b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
                Compression::Zstd => b"\x28\xb5\x2f\xfd",
                _ => b"",
            };
            bytes.splice(..head.len().min(length), head.iter().copied());
            let opened = open_whole(compression, &bytes, caps);
            assert!(opened.is_err() || !FRAMED.contains(&compression), "round {round}: {compression:?}");
        }
    }
}
