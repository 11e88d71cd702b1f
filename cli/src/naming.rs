//! What the name of an export's file says of its content: it fills in what the user leaves open, and must not
//! say anything else. An import would refuse such a file.

use carrack_coordinator::join::name;
use carrack_shared::format::Format;
use carrack_shared::layer::compression::Compression;

/// Standard output, which has no name.
const STANDARD_OUTPUT: &str = "-";

/// The format and the compression of an export to `file`, by the options where they are given and by its name
/// otherwise. What is no format and no compression is left for others to refuse.
///
/// # Errors
/// Everything that is wrong with it.
pub fn settle(
    file: &str,
    format: Option<&str>,
    compression: Option<&str>,
) -> (Option<String>, Option<String>, Vec<String>) {
    let mut mistakes = Vec::new();
    let named = match file {
        STANDARD_OUTPUT => (None, None),
        file => (Format::of_name(name::of_text(file)), name::compression(file)),
    };
    match (format.map(Format::parse), named.0) {
        (None, None) => {
            let known = Format::ALL.map(Format::as_str).join(", ");
            mistakes.push(format!(
                "--format: found none, and no ending of {file} that says one; expected one of {known}"
            ));
        }
        (Some(Some(asked)), Some(named)) if !agree(asked, named) => {
            let expected = format!("that of {}", asked.title());
            mistakes.push(contradiction(file, named.title(), &expected, "--format"));
        }
        _ => {}
    }
    if let (Some(Some(asked)), Some(named)) = (compression.map(Compression::parse), named.1)
        && asked != named
    {
        let expected = match asked {
            Compression::None => "none".into(),
            asked => format!("that of {}", asked.title()),
        };
        mistakes.push(contradiction(file, named.title(), &expected, "--compression"));
    }
    let format = format.map(ToOwned::to_owned).or(named.0.map(|named| named.as_str().to_owned()));
    let compression = compression.map(ToOwned::to_owned).or(named.1.map(|named| named.as_str().to_owned()));
    (format, compression, mistakes)
}

/// As an import judges it: one object per line is JSON, too.
fn agree(asked: Format, named: Format) -> bool {
    asked == named || (asked, named) == (Format::Ndjson, Format::Json)
}

fn contradiction(file: &str, found: &str, expected: &str, option: &str) -> String {
    format!("-o: {file}: found the ending of {found}, expected {expected} as {option} says")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_options_have_to_agree() {
        let none = "--format: found none, and no ending of";
        for (file, format, compression, expected) in [
            ("x.csv", None, None, "csv -"),
            ("x.csv", Some("csv"), None, "csv -"),
            (
                "x.csv",
                Some("json"),
                None,
                "-o: x.csv: found the ending of CSV, expected that of JSON as --format says",
            ),
            ("x.tsv", Some("csv"), None, "csv -"),
            ("x.json", Some("ndjson"), None, "ndjson -"),
            ("x.jsonl", Some("json"), None, "found the ending of NDJSON, expected that of JSON"),
            ("x.jsonl", None, None, "ndjson -"),
            ("x.md", None, None, "markdown -"),
            ("x.YML", None, None, "yaml -"),
            ("x", Some("json"), None, "json -"),
            ("x.data", Some("json"), Some("gzip"), "json gzip"),
            ("x", None, None, none),
            ("x.gz", None, None, none),
            ("-", None, None, none),
            ("-", Some("xml"), Some("zstd"), "xml zstd"),
            ("x.json.gz", None, None, "json gzip"),
            ("x.json.zst.sealed", None, None, "json zstd"),
            ("x.json", None, Some("brotli"), "json brotli"),
            ("x.json.br", None, Some("brotli"), "json brotli"),
            (
                "x.json.gz",
                None,
                Some("zstd"),
                "-o: x.json.gz: found the ending of gzip, expected that of zstd as --compression says",
            ),
            (
                "x.json.gz",
                None,
                Some("none"),
                "found the ending of gzip, expected none as --compression says",
            ),
            (
                "x.csv.gz",
                Some("xml"),
                Some("none"),
                "expected that of XML as --format says; -o: x.csv.gz: found the ending of gzip",
            ),
            ("x.csv", Some("pdf"), Some("lz4"), "pdf lz4"),
        ] {
            let (settled, packed, mistakes) = settle(file, format, compression);
            let settled =
                format!("{} {}", settled.as_deref().unwrap_or("-"), packed.as_deref().unwrap_or("-"));
            let found = if mistakes.is_empty() { settled } else { mistakes.join("; ") };
            let fits = if mistakes.is_empty() { found == expected } else { found.contains(expected) };
            assert!(fits, "{file} {format:?} {compression:?}: {found}, expected {expected}");
        }
    }
}
