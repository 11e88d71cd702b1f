//! The options document: how the API and the command say what an operation is to do. One set of names for
//! imports and exports; a name that nobody knows is refused, and so is what this release cannot do, each by
//! its name and all at once. What asks for nothing (`dryRun: false`, `mapping: {}`) is accepted.
//!
//! Values are not repeated in messages where they could be secrets (`encryption`).

use carrack_shared::budget::{Budget, Rate};
use carrack_shared::document::{self, Members, Mistake, Mistakes, kind, quoted};
use carrack_shared::filter::Filter;
use carrack_shared::format::Format;
use carrack_shared::format::reading::{self, Reading, RecordsAt};
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::encoding::Encoding;
use carrack_shared::layer::key_text::KeyText;
use carrack_shared::limits::{BATCH_RECORDS, BATCH_RECORDS_MAX, SPLIT_BYTES_LEAST};
use carrack_shared::mapping::Mapping;
use carrack_shared::spec::{Duplicates, ErrorHandling};
use serde_json::Value;

/// What the document asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The format, where it is named.
    pub format: Option<Format>,
    /// How the files are read, where the format leaves a choice; imports only.
    pub reading: Reading,
    /// False checks only that the key is there and that values fit their columns.
    pub validate_schema: bool,
    /// How the records become those of the type; imports only.
    pub mapping: Option<Mapping>,
    /// What becomes of taken keys.
    pub duplicates: Duplicates,
    /// Records per batch.
    pub batch_size: u32,
    /// Whether an import only tells what would become of its records.
    pub dry_run: bool,
    /// What becomes of bad records.
    pub error_handling: ErrorHandling,
    /// How many bad records an import may have.
    pub budget: Budget,
    /// Whether the field `metadata` is read, or written.
    pub include_metadata: bool,
    /// Whether binary content is written, as base64; exports only.
    pub include_binary_data: bool,
    /// The compression, where it is named.
    pub compression: Option<Compression>,
    /// Its level, where it is named; one that the compression has.
    pub compression_level: Option<i32>,
    /// The key of files that are encrypted, or are to be.
    pub key: Option<KeyText>,
    /// The bytes that a file of an export may have, where it is to be split.
    pub split_bytes: Option<u64>,
    /// The encoding of the text of imported files, where it is named.
    pub encoding: Option<Encoding>,
    /// The id or the name of the template by which imported records are checked, where it is named.
    pub template: Option<String>,
    /// Which records are meant.
    pub filter: Filter,
    /// Whether an import keeps what it takes to undo it.
    pub undo: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: None,
            reading: Reading::default(),
            validate_schema: true,
            mapping: None,
            duplicates: Duplicates::Reject,
            batch_size: BATCH_RECORDS,
            dry_run: false,
            error_handling: ErrorHandling::Lenient,
            budget: Budget::default(),
            include_metadata: true,
            include_binary_data: false,
            compression: None,
            compression_level: None,
            key: None,
            split_bytes: None,
            encoding: None,
            template: None,
            filter: Filter::default(),
            undo: true,
        }
    }
}

/// The place of the mapping in a request.
pub(crate) const MAPPING: &str = "options.mapping";

/// The place of the filters in a request.
pub(crate) const FILTERS: &str = "options.filters";

impl Options {
    /// Reads the document as it is sent: JSON text.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_json(text: &str) -> Result<Self, Vec<Mistake>> {
        match document::parse(text.as_bytes()) {
            Ok(value) => Self::from_value(&value),
            Err(error) => {
                Err(vec![Mistake::new("options", format!("found {error}, expected a JSON object"))])
            }
        }
    }

    /// Reads the document.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_value(document: &Value) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Mistakes::default();
        let options = Members::new("options".into(), document, &mut mistakes).map(read);
        mistakes.or(options)
    }
}

fn read(mut members: Members<'_, '_>) -> Options {
    let standard = Options::default();
    let compression = members.choice("compression", Compression::ALL, Compression::as_str);
    let options = Options {
        format: members.choice("format", Format::ALL, Format::as_str),
        reading: dialect(&mut members),
        validate_schema: members.flag("validateSchema").unwrap_or(standard.validate_schema),
        mapping: mapping(&mut members),
        duplicates: duplicates(&mut members),
        batch_size: batch_size(&mut members).unwrap_or(standard.batch_size),
        error_handling: error_handling(&mut members).unwrap_or(standard.error_handling),
        dry_run: members.flag("dryRun").unwrap_or(standard.dry_run),
        budget: budget(&mut members),
        include_metadata: members.flag("includeMetadata").unwrap_or(standard.include_metadata),
        include_binary_data: members.flag("includeBinaryData").unwrap_or(standard.include_binary_data),
        compression,
        compression_level: level(&mut members, compression.unwrap_or(Compression::None)),
        key: members.told("encryption", encryption).flatten(),
        split_bytes: split(&mut members),
        encoding: members.parsed("encoding", |name| {
            let known = || Encoding::ALL.map(Encoding::as_str).join(", ");
            Encoding::parse(name)
                .ok_or_else(|| format!("found {}, expected one of {}", quoted(name), known()))
        }),
        template: members.text("templateId").map(str::to_owned),
        filter: filter(&mut members).unwrap_or_default(),
        undo: members.flag("undo").unwrap_or(standard.undo),
    };
    if options.error_handling == ErrorHandling::Strict && !options.budget.is_unlimited() {
        let name = if options.budget.max_errors.is_some() { "maxErrors" } else { "maxErrorRate" };
        members.wrong(
            name,
            "found it beside strict error handling, which allows no reject, expected one of them",
        );
    }
    if let Err(unfit) = options.reading.check(options.format) {
        members.wrong(unfit.option, unfit.detail);
    }
    members.end();
    options
}

fn dialect(members: &mut Members<'_, '_>) -> Reading {
    Reading {
        delimiter: members.parsed("delimiter", reading::delimiter),
        quote: members.parsed("quote", reading::quote),
        header: members.told("header", header),
        records_at: members.parsed("recordsAt", RecordsAt::parse),
    }
}

/// The names of columns: an array of texts, or one text that is a row of CSV.
fn header(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::String(row) => reading::header(row),
        Value::Array(names) if names.iter().all(Value::is_string) => {
            let quoted = names.iter().filter_map(Value::as_str).map(|name| name.replace('"', "\"\""));
            let row: Vec<String> = quoted.map(|name| format!("\"{name}\"")).collect();
            reading::header(&row.join(","))
        }
        other => Err(format!("found {}, expected the names of columns", kind(other))),
    }
}

fn mapping(members: &mut Members<'_, '_>) -> Option<Mapping> {
    let value = members.get("mapping")?;
    // A field that is mapped to null is asked to be dropped, so only what is empty itself asks for nothing.
    if value.as_object().is_some_and(|members| members.values().all(is_empty)) {
        return None;
    }
    let at = members.place("mapping");
    members.mistakes.within(&at, Mapping::read(value))
}

fn filter(members: &mut Members<'_, '_>) -> Option<Filter> {
    let value = members.get("filters")?;
    let at = members.place("filters");
    members.mistakes.within(&at, Filter::read(value))
}

/// The ways of dealing with taken keys, of which one may be asked for.
const DUPLICATES: [(&str, Duplicates); 3] = [
    ("skipDuplicates", Duplicates::Skip),
    ("overwriteExisting", Duplicates::Overwrite),
    ("merge", Duplicates::Merge),
];

fn duplicates(members: &mut Members<'_, '_>) -> Duplicates {
    let mut asked = None;
    for (name, way) in DUPLICATES {
        match (members.flag(name), asked) {
            (Some(true), None) => asked = Some((name, way)),
            (Some(true), Some((other, _))) => {
                let detail = format!("found true beside {other}: true, expected only one of them");
                members.wrong(name, detail);
            }
            _ => {}
        }
    }
    asked.map_or(Duplicates::Reject, |(_, way)| way)
}

fn batch_size(members: &mut Members<'_, '_>) -> Option<u32> {
    members.read("batchSize", |value| {
        let size = value.as_u64().and_then(|size| u32::try_from(size).ok());
        let size = size.filter(|size| (1..=BATCH_RECORDS_MAX).contains(size));
        size.ok_or_else(|| format!("a whole number from 1 to {BATCH_RECORDS_MAX}"))
    })
}

fn error_handling(members: &mut Members<'_, '_>) -> Option<ErrorHandling> {
    members.parsed("errorHandling", |name| match name {
        "lenient" => Ok(ErrorHandling::Lenient),
        "skip-errors" => Ok(ErrorHandling::SkipErrors),
        "strict" => Ok(ErrorHandling::Strict),
        other => Err(format!("found {}, expected strict, lenient or skip-errors", quoted(other))),
    })
}

fn budget(members: &mut Members<'_, '_>) -> Budget {
    Budget {
        max_errors: members.count("maxErrors"),
        max_error_rate: members.read("maxErrorRate", |value| {
            let rate = value.as_f64().and_then(Rate::new);
            rate.ok_or_else(|| "a share above 0 and up to 1, such as 0.02".into())
        }),
    }
}

fn level(members: &mut Members<'_, '_>, compression: Compression) -> Option<i32> {
    members.read("compressionLevel", |value| {
        let range = compression.level_range();
        let level = value.as_i64().and_then(|level| i32::try_from(level).ok());
        level.filter(|level| range.contains(level)).ok_or_else(|| match compression {
            Compression::None => "none without a compression".into(),
            other => format!("a level from {} to {} for {}", range.start(), range.end(), other.title()),
        })
    })
}

/// The only algorithm.
const ALGORITHM: &str = "aes-256-gcm";

/// The key, if encryption is switched on. No value is repeated, for one of them is the key.
fn encryption(value: &Value) -> Result<Option<KeyText>, String> {
    let Value::Object(members) = value else {
        return Err("found something else, expected an object".into());
    };
    let names = ["enabled", "algorithm", "key"];
    if let Some(unknown) = members.keys().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("unknown name {}, expected one of {}", quoted(unknown), names.join(", ")));
    }
    match members.get("enabled") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return Ok(None),
        None if members.is_empty() => return Ok(None),
        _ => return Err("expected enabled to be true or false".into()),
    }
    if members.get("algorithm").is_some_and(|algorithm| algorithm.as_str() != Some(ALGORITHM)) {
        return Err(format!("algorithm: expected {ALGORITHM}"));
    }
    let Some(key) = members.get("key").and_then(Value::as_str) else {
        return Err("key: found none, expected a text: 32 bytes in hex or base64, or a passphrase".into());
    };
    // They name a place on the machine of whoever wrote them, which is not this one.
    if key.starts_with("env:") || key.starts_with("file:") {
        return Err("key: found a reference, expected the key itself: references are for the command".into());
    }
    KeyText::new(key).map(Some).map_err(|error| format!("key: {error}"))
}

/// The bytes that a file may have, if splitting is switched on.
fn split(members: &mut Members<'_, '_>) -> Option<u64> {
    let (at, value) = (members.place("splitLargeFiles"), members.get("splitLargeFiles")?);
    let mut members = Members::new(at, value, members.mistakes)?;
    let is_on = members.flag("enabled");
    let expected = || format!("a whole number of bytes, at least {SPLIT_BYTES_LEAST}");
    let size = members.get("maxSizeBytes").and_then(Value::as_u64).filter(|size| *size >= SPLIT_BYTES_LEAST);
    if is_on == Some(true) && size.is_none() {
        let found = members.get("maxSizeBytes").map_or_else(|| "nothing".into(), kind);
        members.wrong("maxSizeBytes", format!("found {found}, expected {}", expected()));
    }
    if is_on.is_none() && value.as_object().is_some_and(|members| !members.is_empty()) {
        members.wrong("enabled", "expected true or false");
    }
    members.end();
    size.filter(|_| is_on == Some(true))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read() {
        let read = |text: &str| Options::from_json(text).unwrap();
        let standard = Options::default();
        let cases = [
            ("{}", standard.clone()),
            (
                r#"{"format":"csv","batchSize":1}"#,
                Options { format: Some(Format::Csv), batch_size: 1, ..standard.clone() },
            ),
            (r#"{"batchSize":50000}"#, Options { batch_size: 50_000, ..standard.clone() }),
            (
                r#"{"skipDuplicates":true,"overwriteExisting":false}"#,
                Options { duplicates: Duplicates::Skip, ..standard.clone() },
            ),
            (r#"{"undo":false}"#, Options { undo: false, ..standard.clone() }),
            (
                r#"{"overwriteExisting":true}"#,
                Options { duplicates: Duplicates::Overwrite, ..standard.clone() },
            ),
            (r#"{"merge":true}"#, Options { duplicates: Duplicates::Merge, ..standard.clone() }),
            (
                r#"{"errorHandling":"strict"}"#,
                Options { error_handling: ErrorHandling::Strict, ..standard.clone() },
            ),
            (r#"{"dryRun":true}"#, Options { dry_run: true, ..standard.clone() }),
            (
                r#"{"maxErrors":0,"maxErrorRate":0.02}"#,
                Options {
                    budget: Budget { max_errors: Some(0), max_error_rate: Rate::new(0.02) },
                    ..standard.clone()
                },
            ),
            (
                r#"{"errorHandling":"skip-errors"}"#,
                Options { error_handling: ErrorHandling::SkipErrors, ..standard.clone() },
            ),
            (
                r#"{"delimiter":"tab","quote":"'","header":["id","a,\"b\""]}"#,
                Options {
                    reading: Reading {
                        delimiter: Some(b'\t'),
                        quote: Some(b'\''),
                        header: Some(vec!["id".into(), "a,\"b\"".into()]),
                        records_at: None,
                    },
                    ..standard.clone()
                },
            ),
            (
                r#"{"header":"id,\"a,b\""}"#,
                Options {
                    reading: Reading { header: Some(vec!["id".into(), "a,b".into()]), ..Reading::default() },
                    ..standard.clone()
                },
            ),
            (
                r#"{"format":"json","recordsAt":"$.data.contexts"}"#,
                Options {
                    format: Some(Format::Json),
                    reading: Reading {
                        records_at: RecordsAt::parse("$.data.contexts").ok(),
                        ..Reading::default()
                    },
                    ..standard.clone()
                },
            ),
            (
                r#"{"validateSchema":false,"includeMetadata":false}"#,
                Options { validate_schema: false, include_metadata: false, ..standard.clone() },
            ),
            (r#"{"includeBinaryData":true}"#, Options { include_binary_data: true, ..standard.clone() }),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn the_layers_are_read_as_the_guide_writes_them() {
        let text = r#"{"compression":"gzip","compressionLevel":9,"encoding":"utf-16",
            "encryption":{"enabled":true,"algorithm":"aes-256-gcm","key":"hunter2"},
            "splitLargeFiles":{"enabled":true,"maxSizeBytes":52428800}}"#;
        let read = Options::from_json(text).unwrap();
        let expected = Options {
            compression: Some(Compression::Gzip),
            compression_level: Some(9),
            key: Some(KeyText::new("hunter2").unwrap()),
            split_bytes: Some(50 * 1024 * 1024),
            encoding: Some(Encoding::Utf16Le),
            ..Options::default()
        };
        assert_eq!(read, expected);
        assert!(!format!("{read:?}").contains("hunter2"));
    }

    #[test]
    fn what_asks_for_nothing_is_accepted() {
        for text in [
            r#"{"dryRun":false,"includeBinaryData":false,"mapping":null}"#,
            r#"{"encryption":{"enabled":false,"algorithm":"aes-256-gcm","key":"k"}}"#,
            r#"{"splitLargeFiles":{"enabled":false,"maxSizeBytes":10}}"#,
            r#"{"mapping":{"fieldMappings":{},"transformations":[]},"filters":{}}"#,
        ] {
            assert_eq!(Options::from_json(text), Ok(Options::default()), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        let cases = [
            (
                r#"{"format":"parquet"}"#,
                r#"options.format: found "parquet", expected one of json, ndjson, csv, xml, yaml, markdown"#,
            ),
            (
                r#"{"delimiter":";;"}"#,
                r#"options.delimiter: found ";;", expected one ASCII character other than a line end, or tab"#,
            ),
            (
                r#"{"quote":";","delimiter":";"}"#,
                r#"options.quote: found ";" for the delimiter and for the quote"#,
            ),
            (r#"{"header":"id,,b"}"#, "options.header: column 2 has no name"),
            (r#"{"header":[1]}"#, "options.header: found an array, expected the names of columns"),
            (
                r#"{"format":"json","delimiter":";"}"#,
                "options.delimiter: found a delimiter for json, expected one for csv only",
            ),
            (
                r#"{"format":"csv","recordsAt":"$.a"}"#,
                "options.recordsAt: found $.a for csv, expected a path for json or xml only",
            ),
            (
                r#"{"recordsAt":"$.a[*]"}"#,
                "options.recordsAt: found \"[*]\" at byte 3 of the path, expected .name or ['name']: wildcards, filters and numbers are not supported",
            ),
            (
                r#"{"includeBinaryData":1}"#,
                "options.includeBinaryData: found the number 1, expected true or false",
            ),
            (
                r#"{"compression":"lz4"}"#,
                r#"options.compression: found "lz4", expected one of none, gzip, brotli, zstd"#,
            ),
            (
                r#"{"compression":"gzip","compressionLevel":10}"#,
                "options.compressionLevel: found the number 10, expected a level from 1 to 9 for gzip",
            ),
            (
                r#"{"compressionLevel":3}"#,
                "options.compressionLevel: found the number 3, expected none without a compression",
            ),
            (
                r#"{"encoding":"utf-7"}"#,
                r#"options.encoding: found "utf-7", expected one of utf-8, utf-16le, utf-16be, windows-1252"#,
            ),
            (
                r#"{"mapping":{"fieldMappings":{"a":1}}}"#,
                "options.mapping.fieldMappings.a: found the number 1, expected the name of a field, or null to drop it",
            ),
            (r#"{"mapping":"x"}"#, "options.mapping: found \"x\", expected an object"),
            (r#"{"filters":{"types":"x"}}"#, "options.filters.types: found \"x\", expected an array"),
            (r#"{"filters":["x"]}"#, "options.filters: found an array, expected an object"),
            (
                r#"{"splitLargeFiles":{"enabled":true}}"#,
                "options.splitLargeFiles.maxSizeBytes: found nothing, expected a whole number of bytes, at least 1024",
            ),
            (
                r#"{"splitLargeFiles":{"enabled":true,"maxSizeBytes":1023}}"#,
                "options.splitLargeFiles.maxSizeBytes: found the number 1023, expected a whole number of bytes, at least 1024",
            ),
            (
                r#"{"encryption":{"enabled":true,"key":""}}"#,
                "options.encryption: key: found an empty key, expected 32 bytes in hex or base64, or a passphrase",
            ),
            (
                r#"{"encryption":{"enabled":true,"algorithm":"rot13","key":"hunter2"}}"#,
                "options.encryption: algorithm: expected aes-256-gcm",
            ),
            (
                r#"{"encryption":{"enabled":true,"key":"env:HUNTER2"}}"#,
                "options.encryption: key: found a reference, expected the key itself: references are for the command",
            ),
            (
                r#"{"encryption":{"key":"hunter2"}}"#,
                "options.encryption: expected enabled to be true or false",
            ),
            (r#"{"encryption":"hunter2"}"#, "options.encryption: found something else, expected an object"),
            (
                r#"{"batchSize":0}"#,
                "options.batchSize: found the number 0, expected a whole number from 1 to 50000",
            ),
            (
                r#"{"batchSize":50001}"#,
                "options.batchSize: found the number 50001, expected a whole number from 1 to 50000",
            ),
            (
                r#"{"batchSize":"9"}"#,
                r#"options.batchSize: found "9", expected a whole number from 1 to 50000"#,
            ),
            (r#"{"validateSchema":"yes"}"#, r#"options.validateSchema: found "yes", expected true or false"#),
            (
                r#"{"overwriteExisting":true,"merge":true}"#,
                "options.merge: found true beside overwriteExisting: true, expected only one of them",
            ),
            (
                r#"{"skipDuplicates":true,"overwriteExisting":true}"#,
                "options.overwriteExisting: found true beside skipDuplicates: true, expected only one of them",
            ),
            ("[]", "options: found an array, expected an object"),
        ];
        for (text, expected) in cases {
            let mistakes = Options::from_json(text).unwrap_err();
            assert_eq!(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected], "{text}");
        }
        let unknown = Options::from_json(r#"{"batchsize":5,"dry_run":true,"format":"pdf"}"#).unwrap_err();
        let places: Vec<&str> = unknown.iter().map(|mistake| mistake.at.as_str()).collect();
        assert_eq!(places, ["options.format", "options.batchsize", "options.dry_run"]);
        assert!(
            unknown[1].detail.starts_with("unknown name, expected one of compression, format,"),
            "{}",
            unknown[1]
        );
        assert!(Options::from_json("{").unwrap_err()[0].detail.ends_with("expected a JSON object"));
    }
}
