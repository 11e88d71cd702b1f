//! Framing, splitting and decoding CSV, cut anywhere.
#![no_main]

use carrack_shared::format::Format;

libfuzzer_sys::fuzz_target!(|input: &[u8]| carrack_fuzz::cuts::change_nothing(Format::Csv, input));
