//! Text in other encodings: read as it was written, refused where it is no text.

use carrack_shared::layer::encoding::{Encoding, head_to_utf8, to_utf8, told_by_mark};

use crate::samples::{Source, outcome, pieces, text};

/// The text in an encoding, written by hand: nothing of the code under test.
fn written(encoding: Encoding, text: &str) -> Vec<u8> {
    match encoding {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Encoding::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        Encoding::Windows1252 => text.chars().map(|c| if c == '€' { 0x80 } else { c as u8 }).collect(),
    }
}

const MARKS: [(Encoding, &[u8]); 3] =
    [(Encoding::Utf8, b"\xef\xbb\xbf"), (Encoding::Utf16Le, b"\xff\xfe"), (Encoding::Utf16Be, b"\xfe\xff")];

#[test]
fn any_cut_gives_the_same_text() {
    let long = String::from_utf8_lossy(&text(150_000)).replace('✓', "€").replace('\u{fffd}', "é");
    let mut source = Source(2);
    for encoding in Encoding::ALL {
        let western = "id;naïve €\r\nü\u{9d}ÿ\n";
        let wide =
            if encoding == Encoding::Windows1252 { western } else { "a😀é\u{ffff}\u{0}\u{10ffff}✓z" };
        for text in ["", "x", western, wide, &long] {
            let marks = MARKS.iter().filter(|(marked, _)| *marked == encoding).map(|(_, mark)| *mark);
            for mark in marks.chain([&b""[..]]) {
                let bytes = [mark, &written(encoding, text)].concat();
                let sizes = if text.len() < 100 { 1..=7 } else { 65_535..=65_538 };
                for size in sizes {
                    let (found, fault) = outcome(to_utf8(encoding, pieces(&bytes, |_| size)));
                    assert!(fault.is_none() && found == text.as_bytes(), "{encoding:?} in pieces of {size}");
                }
                let cut = pieces(&bytes, |_| source.below(5_000));
                assert!(outcome(to_utf8(encoding, cut)) == (text.as_bytes().to_vec(), None), "{encoding:?}");
                assert!(head_to_utf8(encoding, &bytes).as_deref() == Ok(text.as_bytes()), "{encoding:?}");
            }
        }
    }
}

#[test]
fn every_byte_of_windows_1252_has_a_meaning() {
    let bytes: Vec<u8> = (0..=255).collect();
    let (found, fault) = outcome(to_utf8(Encoding::Windows1252, pieces(&bytes, |_| 3)));
    let found = String::from_utf8(found).unwrap();
    assert_eq!((fault, found.chars().count()), (None, 256));
    for (byte, expected) in
        [(0x41, 'A'), (0x80, '€'), (0x81, '\u{81}'), (0x9d, '\u{9d}'), (0x9f, 'Ÿ'), (0xff, 'ÿ')]
    {
        assert_eq!(found.chars().nth(byte), Some(expected), "{byte:x}");
    }
}

#[test]
fn what_is_no_text_is_refused_at_its_byte() {
    for (encoding, bytes, before, place) in [
        (Encoding::Utf16Le, &b"a\0\x3d\xd8b\0"[..], "a", 2),
        (Encoding::Utf16Le, b"a\0\x3d\xd8", "a", 2),
        (Encoding::Utf16Le, b"\x3d\xd8", "", 0),
        (Encoding::Utf16Le, b"\0\xde", "", 0),
        (Encoding::Utf16Le, b"\xff\xfea\0b", "a", 4),
        (Encoding::Utf16Le, b"a", "", 0),
        (Encoding::Utf16Be, b"\0a\xde\0\0b", "a", 2),
        (Encoding::Utf16Be, b"\xfe\xff\0a\xd8\x3d\xd8\x3d\xde\0", "a", 4),
        (Encoding::Utf16Be, b"\0a\0", "a", 2),
    ] {
        for size in 1..=7 {
            let (found, fault) = outcome(to_utf8(encoding, pieces(bytes, |_| size)));
            let fault = fault.unwrap_or_else(|| panic!("{bytes:02x?} gave {found:?}"));
            assert_eq!((&*fault.code, &*found), ("encoding.malformed", before.as_bytes()));
            let message = format!("found no {} at byte {place} of the text", encoding.as_str());
            assert_eq!(fault.message, message, "{bytes:02x?}");
        }
    }
    let far = [&written(Encoding::Utf16Le, &"é".repeat(100_000))[..], b"\0\xdc", b"x\0"].concat();
    let (found, fault) = outcome(to_utf8(Encoding::Utf16Le, pieces(&far, |_| 999)));
    assert_eq!(found.len(), 200_000, "the text before it comes first");
    assert_eq!(fault.unwrap().message, "found no utf-16le at byte 200000 of the text");
}

#[test]
fn the_head_may_be_cut_off_anywhere() {
    let text = "aé😀✓z";
    for encoding in [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be] {
        let bytes = written(encoding, text);
        for cut in 0..=bytes.len() {
            let head = head_to_utf8(encoding, &bytes[..cut]).unwrap();
            assert!(text.as_bytes().starts_with(&head), "{encoding:?} cut after {cut}");
        }
    }
    assert!(head_to_utf8(Encoding::Utf16Le, b"\0\xde..").is_err());
}

#[test]
fn a_mark_decides_or_contradicts() {
    for (marked, mark) in MARKS {
        let bytes = [mark, &written(marked, "{}")].concat();
        assert_eq!(told_by_mark(&bytes), Some((marked, mark.len())));
        assert_eq!(told_by_mark(&mark[..mark.len() - 1]), None);
        for said in Encoding::ALL {
            let both_wide = |encoding| matches!(encoding, Encoding::Utf16Le | Encoding::Utf16Be);
            let fits = said == marked || (both_wide(said) && both_wide(marked));
            let (found, fault) = outcome(to_utf8(said, pieces(&bytes, |_| 1)));
            match fault {
                None => assert!(fits && found == b"{}", "{said:?} marked {marked:?}"),
                Some(fault) => {
                    assert!(!fits && found.is_empty(), "{said:?} marked {marked:?}");
                    let (marked, said) = (marked.as_str(), said.as_str());
                    let message = format!("found the byte order mark of {marked} at byte 0, expected {said}");
                    assert_eq!((&*fault.code, fault.message), ("encoding.mark", message));
                }
            }
        }
    }
    assert_eq!(told_by_mark(b"{}"), None);
    // Only the first bytes can be a mark.
    let bytes = ["x".repeat(65_536).as_bytes(), b"\xef\xbb\xbfy"].concat();
    assert_eq!(outcome(to_utf8(Encoding::Utf8, pieces(&bytes, |_| 65_536))), (bytes.clone(), None));
}

#[test]
fn names_are_read_as_people_write_them() {
    for (name, expected) in [
        ("utf-8", Some(Encoding::Utf8)),
        ("UTF8", Some(Encoding::Utf8)),
        ("utf-16", Some(Encoding::Utf16Le)),
        ("UTF-16LE", Some(Encoding::Utf16Le)),
        ("utf-16be", Some(Encoding::Utf16Be)),
        ("windows-1252", Some(Encoding::Windows1252)),
        ("cp1252", Some(Encoding::Windows1252)),
        ("latin1", Some(Encoding::Windows1252)),
        ("ISO-8859-1", Some(Encoding::Windows1252)),
        ("ascii", Some(Encoding::Windows1252)),
        ("utf-32", None),
        ("shift_jis", None),
        ("", None),
    ] {
        assert_eq!(Encoding::parse(name), expected, "{name}");
    }
    for encoding in Encoding::ALL {
        assert_eq!(Encoding::parse(encoding.as_str()), Some(encoding));
        assert_eq!(serde_json::to_string(&encoding).unwrap(), format!("\"{}\"", encoding.as_str()));
    }
}
