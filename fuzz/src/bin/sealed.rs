//! Opening sealed files under a fixed key: whatever stands there is refused or what was sealed, and streaming
//! and random access agree.
#![no_main]

use carrack_shared::layer::chunks;
use carrack_shared::layer::envelope::Envelope;
use carrack_shared::layer::sealed::{ChunkedKey, Opener, Sealer};
use carrack_shared::layer::secret::{DataKey, MasterKey, UserKey};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let key = DataKey::new([7; 32]);
    // As it came, and with some bytes of a true one changed.
    foreign(&key, input);
    let mut sealed = Vec::new();
    let plain: Vec<u8> = input.iter().copied().cycle().take(input.len() * 97).collect();
    let mut sealer = Sealer::new(&key, b"context", [9; 24]);
    sealer.push(&plain, &mut sealed).expect("short");
    sealer.finish(&mut sealed).expect("short");
    assert_eq!(opened(&key, &sealed), Ok(plain));
    if let [at, change, ..] = input {
        let place = usize::from(*at) * 257 % sealed.len();
        if *change != 0 {
            sealed[place] ^= change;
            assert!(opened(&key, &sealed).is_err());
        }
    }
    if let Ok(envelope) = Envelope::decode(input) {
        assert_eq!(envelope.encode(), input[..Envelope::LENGTH]);
    }
    let text = String::from_utf8_lossy(input);
    let _ = UserKey::parse(&text);
    let _ = MasterKey::parse(&text);
    let _ = MasterKey::parse(&"00".repeat(32)).map(|master| master.unwrap(input, b"c").is_err());
});

fn foreign(key: &DataKey, input: &[u8]) {
    assert!(opened(key, input).is_err());
    let Some((head, _)) = input.split_first_chunk::<{ chunks::HEAD }>() else { return };
    assert!(ChunkedKey::new(key, b"context", head).is_err());
    let _ = chunks::plain_length(input.len() as u64);
}

fn opened(key: &DataKey, sealed: &[u8]) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    let mut opener = Opener::new(key, b"context");
    let ended = opener.push(sealed, &mut plain).and_then(|()| opener.finish(&mut plain));
    ended.map(|()| plain).map_err(|fault| fault.code.into_owned())
}
