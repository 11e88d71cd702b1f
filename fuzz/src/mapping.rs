//! Mappings that anybody may write, and records that anybody may send through them.

use carrack_shared::format::Format;
use carrack_shared::mapping::{Mapping, file};
use carrack_shared::pipeline::split::Rules;

use crate::support::{WHOLE, run_mapped};

/// What stands between the mapping and the records of an input.
const BETWEEN: &str = "\n%%\n";

/// Reads the mapping, and takes the records through it: as JSON and as CSV, whole and one by one.
pub fn is_read_and_applied(input: &str) {
    let (document, records) = input.split_once(BETWEEN).unwrap_or((input, ""));
    let Ok(document) = file::document(document) else { return };
    let mapping = match Mapping::read(&document) {
        Ok(mapping) => mapping,
        Err(mistakes) => {
            assert!(!mistakes.is_empty() && mistakes.iter().all(|mistake| !mistake.detail.is_empty()));
            return;
        }
    };
    let stored = serde_json::to_string(&mapping).expect("what was read is written");
    assert_eq!(serde_json::from_str::<Mapping>(&stored).expect("what was written is read"), mapping);
    let _ = mapping.names(&["id".to_owned(), "title".to_owned(), "x".to_owned()]);
    for format in [Format::Json, Format::Csv] {
        let whole = run_mapped(format, Some(&mapping), records.as_bytes(), WHOLE, records.len());
        let single = Rules { batch_records: 1, ..WHOLE };
        assert_eq!(run_mapped(format, Some(&mapping), records.as_bytes(), single, 7), whole);
    }
}
