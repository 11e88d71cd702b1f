//! A mapping and records: read, or refused; applied without a crash, and the same wherever they are cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        carrack_fuzz::mapping::is_read_and_applied(text);
    }
});
