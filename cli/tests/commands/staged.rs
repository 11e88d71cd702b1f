//! Text that has to be opened first, and is longer than anything may wait: blanks without end between records,
//! and records that are longer than a record may be.

use crate::support::Home;

const MIB: usize = 1024 * 1024;

fn record(id: usize, content: usize) -> String {
    format!("{{\"id\":\"{id}\",\"title\":\"t\",\"content\":\"{}\"}}", "x".repeat(content))
}

/// In UTF-16, which is nowhere the text that is read.
fn write(home: &Home, text: &str) {
    let bytes: Vec<u8> =
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    home.write("a.json", bytes);
}

#[test]
fn blanks_and_records_without_end_flow_by() {
    let blanks = " ".repeat(30 * MIB);
    let many = (0..12).map(|id| record(id, MIB)).collect::<Vec<_>>().join(",");
    for (text, created, rejected) in [
        // A record behind more blanks than may wait, and many before and behind.
        (format!("[{many},{blanks}{},{}]", record(20, 2 * MIB), record(21, 9)), 14, 0),
        (format!("[{},{},{}]", record(1, 9), record(2, 40 * MIB), record(3, 9)), 2, 1),
        // The last one is cut off: what there is of it is one reject.
        (format!("[{},{}", record(1, 9), &record(2, 20 * MIB)[..18 * MIB]), 1, 1),
        // A value that is no record, and then the end.
        (format!("[{},{blanks}x", record(1, 9)), 1, 2),
    ] {
        let home = Home::new();
        write(&home, &text);
        let report = home.run(&["import", "a.json", "--type", "contexts", "--json"]).json();
        let found = (report["created"].as_u64(), report["rejected"].as_u64());
        assert_eq!(found, (Some(created), Some(rejected)), "{report}");
        assert_eq!(home.objects("staged").len(), 0, "what was staged is removed");
    }
}
