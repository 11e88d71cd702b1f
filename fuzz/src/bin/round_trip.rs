//! Records of any format, written in every format and read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| carrack_fuzz::trips::end_where_they_began(input));
