//! Queue messages, and the documents that are stored with an operation.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| carrack_fuzz::documents::read_back(input));
