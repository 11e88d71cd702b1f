//! Files that open to far more than they hold, and headers that ask for memory: stopped early.

use bytes::Bytes;
use carrack_shared::fault::Fault;
use carrack_shared::layer::compress::compress;
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::open::{Caps, open, open_whole};
use carrack_shared::limits::{LAYER_PIECE_BYTES, OPENED_RATIO_FROM, ZSTD_WINDOW_LOG};
use futures_util::{StreamExt, stream};

use crate::samples::{COMPRESSED, collected, file, outcome, pieces, text};

/// Zeros, many of them, in a small file.
fn zeros(compression: Compression, mebibytes: usize) -> Vec<u8> {
    let zeros = stream::iter((0..mebibytes).map(|_| Ok(Bytes::from_static(&[0; 1 << 20])))).boxed();
    collected(compress(compression, compression.default_level(), zeros)).0
}

/// How much came before it was stopped, and by what.
fn stopped(compression: Compression, bytes: &[u8]) -> (u64, Fault) {
    let (text, fault) = outcome(open(compression, pieces(bytes, |_| 9_000), Caps::default()));
    (text.len() as u64, fault.unwrap())
}

#[test]
fn zeros_are_stopped() {
    let most = OPENED_RATIO_FROM + LAYER_PIECE_BYTES as u64;
    for compression in COMPRESSED {
        let (opened, fault) = stopped(compression, &zeros(compression, 40));
        assert_eq!(fault.code, "compression.bomb", "{}", fault.message);
        assert!(opened <= most, "{compression:?}: {opened}");
    }
    for compression in [Compression::Gzip, Compression::Zstd] {
        let members = file(compression, &vec![0; 100_000]).repeat(400);
        let (opened, fault) = stopped(compression, &members);
        assert_eq!(fault.code, "compression.bomb", "many members: {}", fault.message);
        assert!(opened <= most, "{compression:?}: {opened}");
        let nested = file(compression, &zeros(compression, 400));
        let inner = open(compression, pieces(&nested, |_| 9_000), Caps::default());
        let (opened, fault) = outcome(open(compression, inner, Caps::default()));
        assert_eq!(fault.unwrap().code, "compression.bomb", "nested");
        assert!(opened.len() as u64 <= most, "{compression:?}: {}", opened.len());
    }
}

#[test]
fn members_without_text_are_read_to_their_end() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let empty = file(compression, b"").repeat(100_000);
        assert_eq!(open_whole(compression, &empty, Caps::default()), Ok(Vec::new()));
    }
}

#[test]
fn caps_stop_one_byte_above_them() {
    let text = text(5_000);
    for compression in COMPRESSED {
        let (stored, opened) = (1..9_000)
            .map(|length| (file(compression, &vec![b' '; length]), length))
            .find(|(stored, length)| length % stored.len() == 0 && *length > 3 * stored.len())
            .unwrap();
        let ratio = (opened / stored.len()) as u64;
        for (ratio, fits) in [(ratio - 1, false), (ratio, true)] {
            let opened = open_whole(compression, &stored, Caps { ratio, ratio_from: 0, bytes: u64::MAX });
            assert_eq!(opened.is_ok(), fits, "{compression:?}: exactly {ratio} to 1");
        }
        let bytes = file(compression, &text);
        let caps = |bytes| Caps { bytes, ..Caps::default() };
        for (most, fits) in [(4_999, false), (5_000, true), (5_001, true)] {
            let opened = open_whole(compression, &bytes, caps(most));
            assert_eq!(opened.is_ok(), fits, "{compression:?} at most {most}");
            if let Err(fault) = opened {
                assert_eq!(fault.code, "compression.too_large");
                assert!(
                    fault.message.starts_with("found more than 4999 bytes behind the "),
                    "{}",
                    fault.message
                );
            }
        }
        // The text is 5,000 bytes: with a ratio that it exceeds, it is judged above `ratio_from` only.
        for (ratio_from, fits) in [(4_999, false), (5_000, true)] {
            let opened = open_whole(compression, &bytes, Caps { ratio: 1, ratio_from, bytes: u64::MAX });
            assert_eq!(opened.map_err(|fault| fault.code).is_ok(), fits, "{compression:?} from {ratio_from}");
        }
    }
}

/// A zstd frame with a window of 2^`log` bytes and one raw block: RFC 8878, section 3.1.1.1.2.
fn with_window(log: u32) -> Vec<u8> {
    let window = ((log - 10) << 3) as u8;
    [&b"\x28\xb5\x2f\xfd\0"[..], &[window], b"\x11\0\0ab"].concat()
}

#[test]
fn large_windows_are_refused() {
    for (log, fits) in [(ZSTD_WINDOW_LOG - 1, true), (ZSTD_WINDOW_LOG, true), (ZSTD_WINDOW_LOG + 1, false)] {
        match open_whole(Compression::Zstd, &with_window(log), Caps::default()) {
            Ok(text) => assert!(fits && text == b"ab", "{log}"),
            Err(fault) => {
                assert!(!fits, "{log}: {fault:?}");
                assert_eq!(fault.code, "compression.window");
                assert!(fault.message.ends_with("expected a window of at most 128 MiB"), "{}", fault.message);
            }
        }
    }
    for head in [0x11_u8, 0x91] {
        let fault = open_whole(Compression::Brotli, &[head, 0x1e, 0x03], Caps::default()).unwrap_err();
        assert_eq!(fault.code, "compression.window", "{}", fault.message);
    }
}
