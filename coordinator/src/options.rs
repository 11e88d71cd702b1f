//! The options document: how the API and the command say what an operation is to do. One set of names for
//! imports and exports; a name that nobody knows is refused, and so is what this release cannot do, each by
//! its name and all at once. What asks for nothing (`dryRun: false`, `mapping: {}`) is accepted.
//!
//! Values are not repeated in messages where they could be secrets (`encryption`).

use carrack_shared::document::Mistake;
use carrack_shared::format::Format;
use carrack_shared::format::reading::{self, RecordsAt};
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::encoding::Encoding;
use carrack_shared::layer::key_text::KeyText;
use carrack_shared::limits::{BATCH_RECORDS, BATCH_RECORDS_MAX, SPLIT_BYTES_LEAST};
use carrack_shared::mapping::Mapping;
use carrack_shared::spec::{Duplicates, ErrorHandling};
use serde_json::{Map, Value};

/// What the document asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The format, where it is named.
    pub format: Option<Format>,
    /// How the files are read, where the format leaves a choice; imports only.
    pub reading: reading::Reading,
    /// False checks only that the key is there and that values fit their columns.
    pub validate_schema: bool,
    /// How the records become those of the type; imports only.
    pub mapping: Option<Mapping>,
    /// What becomes of taken keys.
    pub duplicates: Duplicates,
    /// Records per batch.
    pub batch_size: u32,
    /// What becomes of bad records.
    pub error_handling: ErrorHandling,
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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: None,
            reading: reading::Reading::default(),
            validate_schema: true,
            mapping: None,
            duplicates: Duplicates::Reject,
            batch_size: BATCH_RECORDS,
            error_handling: ErrorHandling::Lenient,
            include_metadata: true,
            include_binary_data: false,
            compression: None,
            compression_level: None,
            key: None,
            split_bytes: None,
            encoding: None,
            template: None,
        }
    }
}

/// Every name that may stand in the document.
const NAMES: [&str; 21] = [
    "format",
    "delimiter",
    "quote",
    "header",
    "recordsAt",
    "validateSchema",
    "skipDuplicates",
    "overwriteExisting",
    "batchSize",
    "dryRun",
    "errorHandling",
    "includeMetadata",
    "includeBinaryData",
    "compression",
    "compressionLevel",
    "encryption",
    "filters",
    "mapping",
    "splitLargeFiles",
    "encoding",
    "templateId",
];

/// The place of the mapping in a request.
pub(crate) const MAPPING: &str = "options.mapping";

/// Longest piece of a found value that a message repeats.
const SHOWN_CHARS: usize = 40;

impl Options {
    /// Reads the document as it is sent: JSON text.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_json(text: &str) -> Result<Self, Vec<Mistake>> {
        match serde_json::from_str(text) {
            Ok(value) => Self::from_value(&value),
            Err(error) => {
                Err(vec![Mistake::new("options", format!("expected a JSON object, found {error}"))])
            }
        }
    }

    /// Reads the document.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_value(document: &Value) -> Result<Self, Vec<Mistake>> {
        let Value::Object(members) = document else {
            let found = kind(document);
            return Err(vec![Mistake::new("options", format!("expected an object, found {found}"))]);
        };
        let mut reading = Reading::default();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            if let Err(detail) = reading.take(name, value) {
                reading.mistakes.push(Mistake::new(format!("options.{name}"), detail));
            }
        }
        reading.finish()
    }
}

#[derive(Default)]
struct Reading {
    options: Options,
    skip: bool,
    overwrite: bool,
    mistakes: Vec<Mistake>,
}

impl Reading {
    fn take(&mut self, name: &str, value: &Value) -> Result<(), String> {
        match name {
            "format" => self.options.format = Some(format(value)?),
            "delimiter" => self.options.reading.delimiter = Some(reading::delimiter(text(value)?)?),
            "quote" => self.options.reading.quote = Some(reading::quote(text(value)?)?),
            "header" => self.options.reading.header = Some(header(value)?),
            "recordsAt" => self.options.reading.records_at = Some(RecordsAt::parse(text(value)?)?),
            "validateSchema" => self.options.validate_schema = flag(value)?,
            "skipDuplicates" => self.skip = flag(value)?,
            "overwriteExisting" => self.overwrite = flag(value)?,
            "batchSize" => self.options.batch_size = batch_size(value)?,
            "errorHandling" => self.options.error_handling = error_handling(value)?,
            "includeMetadata" => self.options.include_metadata = flag(value)?,
            "includeBinaryData" => self.options.include_binary_data = flag(value)?,
            "dryRun" if flag(value)? => return Err("true is not supported yet".into()),
            "dryRun" => {}
            "compression" => self.options.compression = Some(compression(value)?),
            "compressionLevel" => self.options.compression_level = Some(level(value)?),
            "encryption" => self.options.key = encryption(value)?,
            "splitLargeFiles" => self.options.split_bytes = split(value)?,
            "encoding" => self.options.encoding = Some(encoding(value)?),
            "templateId" => self.options.template = Some(text(value)?.to_owned()),
            "filters" if asks_for_nothing(value) => {}
            // A field that is mapped to null is asked to be dropped.
            "mapping" if value.as_object().is_some_and(|members| members.values().all(is_empty)) => {}
            "mapping" => self.mapping(value),
            "filters" => return Err("not supported yet".into()),
            _ => return Err(format!("unknown name, expected one of {}", NAMES.join(", "))),
        }
        Ok(())
    }

    fn mapping(&mut self, value: &Value) {
        match Mapping::read(value) {
            Ok(mapping) => self.options.mapping = Some(mapping),
            Err(mistakes) => self.mistakes.extend(mistakes.into_iter().map(|mistake| {
                let dot = if mistake.at.is_empty() { "" } else { "." };
                Mistake::new(format!("{MAPPING}{dot}{}", mistake.at), mistake.detail)
            })),
        }
    }

    fn finish(mut self) -> Result<Options, Vec<Mistake>> {
        if self.skip && self.overwrite {
            let detail = "found true beside skipDuplicates: true, expected only one of them";
            self.mistakes.push(Mistake::new("options.overwriteExisting", detail));
        }
        if let Some(level) = self.options.compression_level {
            let compression = self.options.compression.unwrap_or(Compression::None);
            let range = compression.level_range();
            let expected = match compression {
                Compression::None => "none without a compression".into(),
                other => format!("a level from {} to {} for {}", range.start(), range.end(), other.title()),
            };
            if !range.contains(&level) {
                let detail = format!("found {level}, expected {expected}");
                self.mistakes.push(Mistake::new("options.compressionLevel", detail));
            }
        }
        if let Err(unfit) = self.options.reading.check(self.options.format) {
            self.mistakes.push(Mistake::new(format!("options.{}", unfit.option), unfit.detail));
        }
        self.options.duplicates = match (self.skip, self.overwrite) {
            (true, _) => Duplicates::Skip,
            (_, true) => Duplicates::Overwrite,
            _ => Duplicates::Reject,
        };
        if self.mistakes.is_empty() { Ok(self.options) } else { Err(self.mistakes) }
    }
}

fn format(value: &Value) -> Result<Format, String> {
    let name = text(value)?;
    let known = || Format::ALL.map(Format::as_str).join(", ");
    Format::parse(name).ok_or_else(|| format!("expected one of {}, found {}", known(), shown(name)))
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
        other => Err(format!("expected the names of columns, found {}", noun(other))),
    }
}

fn error_handling(value: &Value) -> Result<ErrorHandling, String> {
    match text(value)? {
        "lenient" => Ok(ErrorHandling::Lenient),
        "skip-errors" => Ok(ErrorHandling::SkipErrors),
        "strict" => Err("strict is not supported yet, expected lenient or skip-errors".into()),
        other => Err(format!("expected lenient or skip-errors, found {}", shown(other))),
    }
}

fn batch_size(value: &Value) -> Result<u32, String> {
    let wrong = || format!("expected a whole number from 1 to {BATCH_RECORDS_MAX}, found {}", kind(value));
    let size = value.as_u64().and_then(|size| u32::try_from(size).ok()).ok_or_else(wrong)?;
    if (1..=BATCH_RECORDS_MAX).contains(&size) { Ok(size) } else { Err(wrong()) }
}

fn compression(value: &Value) -> Result<Compression, String> {
    let name = text(value)?;
    let known = || Compression::ALL.map(Compression::as_str).join(", ");
    Compression::parse(name).ok_or_else(|| format!("expected one of {}, found {}", known(), shown(name)))
}

fn level(value: &Value) -> Result<i32, String> {
    let level = value.as_i64().and_then(|level| i32::try_from(level).ok());
    level.ok_or_else(|| format!("expected a whole number, found {}", kind(value)))
}

fn encoding(value: &Value) -> Result<Encoding, String> {
    let name = text(value)?;
    let known = || Encoding::ALL.map(Encoding::as_str).join(", ");
    Encoding::parse(name).ok_or_else(|| format!("expected one of {}, found {}", known(), shown(name)))
}

/// The only algorithm.
const ALGORITHM: &str = "aes-256-gcm";

/// The key, if encryption is switched on. No value is repeated, for one of them is the key.
fn encryption(value: &Value) -> Result<Option<KeyText>, String> {
    let Some(members) = switched(value, &["enabled", "algorithm", "key"])? else { return Ok(None) };
    if let Some(algorithm) = members.get("algorithm")
        && algorithm.as_str() != Some(ALGORITHM)
    {
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
fn split(value: &Value) -> Result<Option<u64>, String> {
    let Some(members) = switched(value, &["enabled", "maxSizeBytes"])? else { return Ok(None) };
    let value = members.get("maxSizeBytes").unwrap_or(&Value::Null);
    match value.as_u64().filter(|size| *size >= SPLIT_BYTES_LEAST) {
        Some(size) => Ok(Some(size)),
        None => {
            let found = if value.is_null() { "nothing".into() } else { kind(value) };
            Err(format!(
                "maxSizeBytes: found {found}, expected a whole number of bytes, at least {SPLIT_BYTES_LEAST}"
            ))
        }
    }
}

/// The members of a feature with a switch, if it is on.
fn switched<'a>(value: &'a Value, names: &[&str]) -> Result<Option<&'a Map<String, Value>>, String> {
    let Value::Object(members) = value else {
        return Err(format!("expected an object, found {}", noun(value)));
    };
    if let Some(unknown) = members.keys().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("unknown name {}, expected one of {}", shown(unknown), names.join(", ")));
    }
    match members.get("enabled") {
        Some(Value::Bool(on)) => Ok(on.then_some(members)),
        None if members.is_empty() => Ok(None),
        _ => Err("expected enabled to be true or false".into()),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn asks_for_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(asks_for_nothing),
        _ => false,
    }
}

fn flag(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("expected true or false, found {}", kind(value)))
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("expected a text, found {}", kind(value)))
}

fn noun(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => shown(text),
        other => noun(other).into(),
    }
}

fn shown(text: &str) -> String {
    let short: String = text.chars().take(SHOWN_CHARS).collect();
    if short.len() < text.len() { format!("{short:?}…") } else { format!("{short:?}") }
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
            (
                r#"{"overwriteExisting":true}"#,
                Options { duplicates: Duplicates::Overwrite, ..standard.clone() },
            ),
            (
                r#"{"errorHandling":"skip-errors"}"#,
                Options { error_handling: ErrorHandling::SkipErrors, ..standard.clone() },
            ),
            (
                r#"{"delimiter":"tab","quote":"'","header":["id","a,\"b\""]}"#,
                Options {
                    reading: reading::Reading {
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
                    reading: reading::Reading {
                        header: Some(vec!["id".into(), "a,b".into()]),
                        ..reading::Reading::default()
                    },
                    ..standard.clone()
                },
            ),
            (
                r#"{"format":"json","recordsAt":"$.data.contexts"}"#,
                Options {
                    format: Some(Format::Json),
                    reading: reading::Reading {
                        records_at: RecordsAt::parse("$.data.contexts").ok(),
                        ..reading::Reading::default()
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
                r#"options.format: expected one of json, ndjson, csv, xml, yaml, markdown, found "parquet""#,
            ),
            (
                r#"{"errorHandling":"strict"}"#,
                "options.errorHandling: strict is not supported yet, expected lenient or skip-errors",
            ),
            (
                r#"{"delimiter":";;"}"#,
                r#"options.delimiter: expected one ASCII character other than a line end, or tab, found ";;""#,
            ),
            (
                r#"{"quote":";","delimiter":";"}"#,
                r#"options.quote: found ";" for the delimiter and for the quote"#,
            ),
            (r#"{"header":"id,,b"}"#, "options.header: column 2 has no name"),
            (r#"{"header":[1]}"#, "options.header: expected the names of columns, found an array"),
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
            (r#"{"dryRun":true}"#, "options.dryRun: true is not supported yet"),
            (r#"{"includeBinaryData":1}"#, "options.includeBinaryData: expected true or false, found 1"),
            (
                r#"{"compression":"lz4"}"#,
                r#"options.compression: expected one of none, gzip, brotli, zstd, found "lz4""#,
            ),
            (
                r#"{"compression":"gzip","compressionLevel":10}"#,
                "options.compressionLevel: found 10, expected a level from 1 to 9 for gzip",
            ),
            (
                r#"{"compressionLevel":3}"#,
                "options.compressionLevel: found 3, expected none without a compression",
            ),
            (
                r#"{"encoding":"utf-7"}"#,
                r#"options.encoding: expected one of utf-8, utf-16le, utf-16be, windows-1252, found "utf-7""#,
            ),
            (
                r#"{"mapping":{"fieldMappings":{"a":1}}}"#,
                "options.mapping.fieldMappings.a: found the number 1, expected the name of a field, or null to drop it",
            ),
            (r#"{"mapping":"x"}"#, "options.mapping: found \"x\", expected an object"),
            (r#"{"filters":{"types":["x"]}}"#, "options.filters: not supported yet"),
            (
                r#"{"splitLargeFiles":{"enabled":true}}"#,
                "options.splitLargeFiles: maxSizeBytes: found nothing, expected a whole number of bytes, at least 1024",
            ),
            (
                r#"{"splitLargeFiles":{"enabled":true,"maxSizeBytes":1023}}"#,
                "options.splitLargeFiles: maxSizeBytes: found 1023, expected a whole number of bytes, at least 1024",
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
            (r#"{"encryption":"hunter2"}"#, "options.encryption: expected an object, found a text"),
            (r#"{"batchSize":0}"#, "options.batchSize: expected a whole number from 1 to 50000, found 0"),
            (
                r#"{"batchSize":50001}"#,
                "options.batchSize: expected a whole number from 1 to 50000, found 50001",
            ),
            (
                r#"{"batchSize":"9"}"#,
                r#"options.batchSize: expected a whole number from 1 to 50000, found "9""#,
            ),
            (r#"{"validateSchema":"yes"}"#, r#"options.validateSchema: expected true or false, found "yes""#),
            (
                r#"{"skipDuplicates":true,"overwriteExisting":true}"#,
                "options.overwriteExisting: found true beside skipDuplicates: true, expected only one of them",
            ),
            ("[]", "options: expected an object, found an array"),
        ];
        for (text, expected) in cases {
            let mistakes = Options::from_json(text).unwrap_err();
            assert_eq!(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected], "{text}");
        }
        let unknown = Options::from_json(r#"{"batchsize":5,"dry_run":true,"format":"pdf"}"#).unwrap_err();
        let places: Vec<&str> = unknown.iter().map(|mistake| mistake.at.as_str()).collect();
        assert_eq!(places, ["options.batchsize", "options.dry_run", "options.format"]);
        assert!(unknown[0].detail.starts_with("unknown name, expected one of format,"), "{}", unknown[0]);
        assert!(Options::from_json("{").unwrap_err()[0].detail.starts_with("expected a JSON object"));
    }
}
