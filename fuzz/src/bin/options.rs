//! The options of a request: read, or refused with every mistake told.
#![no_main]

use carrack_coordinator::options::Options;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Err(mistakes) = Options::from_json(text) {
        assert!(mistakes.iter().all(|mistake| !mistake.detail.is_empty()) && !mistakes.is_empty());
    }
});
