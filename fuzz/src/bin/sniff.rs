//! Recognising a source by its head; what is recognised is what is asked for then, too.
#![no_main]

use carrack_shared::format::reading::Reading;
use carrack_shared::format::sniff::sniff;
use carrack_shared::schema::infer_all;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let usual = Reading::default();
    if let Ok(sniffed) = sniff("file", input, None, &usual) {
        let again = sniff("file", input, Some(sniffed.format), &usual).expect("it was recognised");
        assert_eq!(again.format, sniffed.format);
        let _ = infer_all(carrack_shared::schema::built_ins(), &sniffed.records, sniffed.cut);
    }
});
