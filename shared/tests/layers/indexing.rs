//! The index of a file's frames: found where it is, and nowhere else.

use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::index::{Found, Frame, Index};
use carrack_shared::layer::open::{Caps, open_whole};
use carrack_shared::limits::{INDEX_FRAME_BYTES, INDEX_TAIL_BYTES};
use proptest::prelude::*;

use crate::samples::{COMPRESSED, FRAMED, file, indexed, text};

/// As a reader looks: at the last bytes, and then at as many as it is told to.
fn find(compression: Compression, bytes: &[u8]) -> Found {
    let tail = |length: usize| &bytes[bytes.len() - length.min(bytes.len())..];
    match Index::find(compression, tail(INDEX_TAIL_BYTES), bytes.len() as u64) {
        Found::Needs(length) => {
            assert!(length > INDEX_TAIL_BYTES as u64 && length <= bytes.len() as u64);
            Index::find(compression, tail(length as usize), bytes.len() as u64)
        }
        found => found,
    }
}

/// A trailer behind so many bytes as its frames say, which are not looked at.
fn behind(index: &Index, compression: Compression) -> (Vec<u8>, u64) {
    let trailer = index.trailer(compression);
    let length = index.stored() + trailer.len() as u64;
    (trailer, length)
}

fn frames(most: usize) -> impl Strategy<Value = Index> {
    let frame = (1..=INDEX_FRAME_BYTES, 0..=INDEX_FRAME_BYTES, any::<(u32, u32)>()).prop_map(
        |(stored, text, (records, lines))| Frame {
            stored,
            text,
            records: records.min(text as u32),
            lines: lines.min(text as u32),
        },
    );
    prop::collection::vec(frame, 0..most).prop_map(|frames| Index { frames })
}

#[test]
fn each_frame_opens_by_itself() {
    let (one, two) = (text(90_000), text(70));
    let texts = [&one[..], b"", &two];
    for compression in FRAMED {
        let (bytes, index) = indexed(compression, &texts);
        assert_eq!(find(compression, &bytes), Found::Index(index.clone()));
        assert!(open_whole(compression, &bytes, Caps::default()).as_ref() == Ok(&texts.concat()));
        let mut rest = bytes.as_slice();
        for (frame, text) in index.frames.iter().zip(texts) {
            let (stored, behind) = rest.split_at(frame.stored as usize);
            let caps = Caps { bytes: frame.text, ..Caps::default() };
            assert!(open_whole(compression, stored, caps).as_deref() == Ok(text));
            rest = behind;
        }
        assert_eq!(open_whole(compression, rest, Caps::default()), Ok(Vec::new()), "the trailer has no text");
    }
}

#[test]
fn a_file_without_its_own_index_has_none() {
    for compression in FRAMED {
        let (whole, index) = indexed(compression, &[&text(900), &text(40)]);
        let plain = file(compression, &text(900));
        let empty = Index::default().trailer(compression);
        for (name, bytes) in [
            ("nothing", Vec::new()),
            ("foreign", plain.clone()),
            ("twice", whole.repeat(2)),
            ("behind another", [&plain[..], &whole].concat()),
            ("before another", [&whole[..], &plain].concat()),
            ("a byte behind", [&whole[..], b"\0"].concat()),
            ("without its first byte", whole[1..].to_vec()),
            ("another trailer", [&whole[..], &empty].concat()),
            ("only the trailer", index.trailer(compression)),
        ] {
            assert_eq!(find(compression, &bytes), Found::None, "{compression:?}: {name}");
        }
        for cut in 0..whole.len() {
            assert_eq!(find(compression, &whole[..cut]), Found::None, "{compression:?} cut after {cut}");
        }
        assert_eq!(find(compression, &empty), Found::Index(Index::default()), "a file without text");
        for other in [Compression::None, Compression::Gzip, Compression::Brotli, Compression::Zstd] {
            assert_eq!(matches!(find(other, &whole), Found::Index(_)), other == compression, "{other:?}");
        }
    }
    for compression in [Compression::None, Compression::Brotli] {
        assert!(Index::default().trailer(compression).is_empty());
    }
}

#[test]
fn a_long_index_is_asked_for() {
    let frame = Frame { stored: 1_000_000, text: 4_000_000, records: 9_000, lines: 9_000 };
    for compression in FRAMED {
        for count in [5_000, 6_545, 6_546, 6_547, 6_600, 100_000] {
            let index = Index { frames: vec![frame; count] };
            let (trailer, length) = behind(&index, compression);
            if trailer.len() > INDEX_TAIL_BYTES {
                let tail = &trailer[trailer.len() - INDEX_TAIL_BYTES..];
                let needed = Found::Needs(trailer.len() as u64);
                assert_eq!(Index::find(compression, tail, length), needed, "{count} frames");
            }
            assert!(Index::find(compression, &trailer, length) == Found::Index(index), "{count} frames");
            assert_eq!(open_whole(compression, &trailer, Caps::default()), Ok(Vec::new()));
        }
        let index = Index { frames: vec![frame; carrack_shared::limits::INDEX_FRAMES + 1] };
        assert!(index.trailer(compression).is_empty(), "more frames than an index may have");
    }
}

#[test]
fn what_a_footer_says_is_not_believed() {
    for (compression, end) in [(Compression::Gzip, &b"\x03\0\0\0\0\0\0\0\0\0"[..]), (Compression::Zstd, b"")]
    {
        for said in [0, 1, 15, 16, 25, 41, 42, 43, 1_000, 1 << 24, (1 << 24) + 1, u64::MAX - 1, u64::MAX] {
            for length in [0, 60, 1_000] {
                let mut bytes = vec![7; length];
                bytes.extend(u64::to_le_bytes(said));
                bytes.extend(b"CKINDEX\x01");
                bytes.extend(end);
                for file_length in [0, 42, bytes.len() as u64, u64::MAX] {
                    match Index::find(compression, &bytes, file_length) {
                        Found::None => {}
                        Found::Needs(more) => {
                            assert!(more > bytes.len() as u64 && more <= file_length && more <= 1 << 24);
                        }
                        Found::Index(index) => panic!("{said}: {index:?}"),
                    }
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn an_index_comes_back(index in frames(300)) {
        prop_assert_eq!(Index::decode(&index.encode()), Some(index.clone()));
        for compression in FRAMED {
            let (trailer, length) = behind(&index, compression);
            prop_assert_eq!(Index::find(compression, &trailer, length), Found::Index(index.clone()));
            prop_assert_eq!(Index::find(compression, &trailer, length + 1), Found::None);
        }
    }

    #[test]
    fn an_altered_trailer_has_no_index(
        index in frames(20),
        alterations in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4),
    ) {
        for compression in FRAMED {
            let (trailer, length) = behind(&index, compression);
            let mut altered = trailer.clone();
            for (at, mask) in &alterations {
                altered[at.index(trailer.len())] ^= mask;
            }
            let found = Index::find(compression, &altered, length);
            let same = altered == trailer;
            prop_assert_eq!(matches!(&found, Found::Index(found) if *found == index), same, "{:?}", found);
            prop_assert!(same || !matches!(found, Found::Index(_)));
        }
    }

    #[test]
    fn any_bytes_can_be_decoded(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for compression in COMPRESSED {
            prop_assert_eq!(Index::find(compression, &bytes, bytes.len() as u64), Found::None);
        }
        prop_assert_eq!(Index::decode(&bytes), None);
    }
}
