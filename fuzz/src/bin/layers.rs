//! Opening compressed files: a stream in pieces and the whole in memory give the same text or the same fault,
//! never a panic, and never more than is allowed. The first byte says which compression, the second how the
//! pieces are cut.
#![no_main]

use bytes::Bytes;
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::index::Index;
use carrack_shared::layer::open::{self, Caps};
use carrack_shared::layer::{Opened, Trouble};
use futures_util::{FutureExt as _, StreamExt as _, stream};

/// Much less than a file may have, so that a bomb is found soon.
const CAPS: Caps = Caps { bytes: 4 << 20, ratio: 200, ratio_from: 1 << 20 };

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let [choice, cut, file @ ..] = input else { return };
    let compression = Compression::ALL[usize::from(*choice) % Compression::ALL.len()];
    let whole = open::open_whole(compression, file, CAPS);
    let pieces: Vec<Bytes> = file.chunks(usize::from(*cut) + 1).map(Bytes::copy_from_slice).collect();
    let body: Opened = stream::iter(pieces.into_iter().map(Ok)).boxed();
    let (text, fault) = read(open::open(compression, body, CAPS));
    match whole {
        Ok(whole) => assert!(fault.is_none() && text == whole, "{fault:?}"),
        Err(expected) => assert_eq!(fault.as_deref(), Some(&*expected.code)),
    }
    assert!(text.len() as u64 <= CAPS.bytes + 256 * 1024);
    let _ = open::open_head(compression, file, 1 << 16);
    let _ = Index::decode(file);
    let _ = Index::find(compression, file, file.len() as u64);
});

fn read(mut opened: Opened) -> (Vec<u8>, Option<String>) {
    let mut text = Vec::new();
    loop {
        match opened.next().now_or_never().expect("memory is never waited for") {
            None => return (text, None),
            Some(Ok(piece)) => text.extend_from_slice(&piece),
            Some(Err(Trouble::Fault(fault))) => return (text, Some(fault.code.into_owned())),
            Some(Err(Trouble::Port(error))) => panic!("{error}"),
        }
    }
}
