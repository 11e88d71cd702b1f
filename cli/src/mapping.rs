//! The file of a mapping.

use std::io::Read as _;
use std::path::Path;

use carrack_shared::limits::MAPPING_BYTES;
use carrack_shared::mapping::file;
use serde_json::Value;

use crate::exit::Usage;

/// Longer than any mapping of [`MAPPING_BYTES`] is written: YAML and white space take more than its JSON.
const FILE_BYTES: u64 = 4 * MAPPING_BYTES as u64;

/// The document in a file; what is wrong inside it is found where options are read.
///
/// # Errors
/// When the file cannot be read, or holds no document.
pub fn read(path: &Path) -> Result<Value, Usage> {
    let wrong = |what: String| Usage(format!("--mapping: {}: {what}", path.display()));
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES + 1).read_to_end(&mut bytes));
    opened.map_err(|error| wrong(error.to_string()))?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(wrong(format!("found more than {FILE_BYTES} bytes, expected a mapping")));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| wrong("found no UTF-8, expected JSON or YAML in it".into()))?;
    file::document(&text).map_err(wrong)
}
