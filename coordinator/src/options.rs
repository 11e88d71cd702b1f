//! The options document: how the API and the command say what an operation is to do. One set of names for
//! imports and exports; a name that nobody knows is refused, and so is what this release cannot do, each by
//! its name and all at once. What asks for nothing (`dryRun: false`, `mapping: {}`) is accepted.
//!
//! Values are not repeated in messages where they could be secrets (`encryption`).

use carrack_shared::format::Format;
use carrack_shared::limits::{BATCH_RECORDS, BATCH_RECORDS_MAX};
use carrack_shared::spec::{Duplicates, ErrorHandling};
use serde_json::Value;

/// What the document asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The format, where it is named.
    pub format: Option<Format>,
    /// False checks only that the key is there and that values fit their columns.
    pub validate_schema: bool,
    /// What becomes of taken keys.
    pub duplicates: Duplicates,
    /// Records per batch.
    pub batch_size: u32,
    /// What becomes of bad records.
    pub error_handling: ErrorHandling,
    /// Whether the field `metadata` is part of the result.
    pub include_metadata: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: None,
            validate_schema: true,
            duplicates: Duplicates::Reject,
            batch_size: BATCH_RECORDS,
            error_handling: ErrorHandling::Lenient,
            include_metadata: true,
        }
    }
}

/// Something that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The part of the request, such as `options.batchSize`.
    pub at: String,
    /// What was found and expected.
    pub detail: String,
}

impl Mistake {
    /// A mistake in the part `at`.
    pub fn new(at: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { at: at.into(), detail: detail.into() }
    }
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.at, self.detail)
    }
}

/// Every name that may stand in the document.
const NAMES: [&str; 14] = [
    "format",
    "validateSchema",
    "skipDuplicates",
    "overwriteExisting",
    "batchSize",
    "dryRun",
    "errorHandling",
    "includeMetadata",
    "includeBinaryData",
    "compression",
    "encryption",
    "filters",
    "mapping",
    "splitLargeFiles",
];

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
            "validateSchema" => self.options.validate_schema = flag(value)?,
            "skipDuplicates" => self.skip = flag(value)?,
            "overwriteExisting" => self.overwrite = flag(value)?,
            "batchSize" => self.options.batch_size = batch_size(value)?,
            "errorHandling" => self.options.error_handling = error_handling(value)?,
            "includeMetadata" => self.options.include_metadata = flag(value)?,
            "dryRun" | "includeBinaryData" if flag(value)? => return Err("true is not supported yet".into()),
            "dryRun" | "includeBinaryData" => {}
            "compression" => compression(value)?,
            "encryption" => switched_off(value, &["enabled", "algorithm", "key"])?,
            "splitLargeFiles" => switched_off(value, &["enabled", "maxSizeBytes"])?,
            "filters" | "mapping" if asks_for_nothing(value) => {}
            "filters" | "mapping" => return Err("not supported yet".into()),
            _ => return Err(format!("unknown name, expected one of {}", NAMES.join(", "))),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Options, Vec<Mistake>> {
        if self.skip && self.overwrite {
            let detail = "found true beside skipDuplicates: true, expected only one of them";
            self.mistakes.push(Mistake::new("options.overwriteExisting", detail));
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

fn compression(value: &Value) -> Result<(), String> {
    match text(value)? {
        "none" => Ok(()),
        name @ ("gzip" | "brotli") => Err(format!("{name} is not supported yet")),
        other => Err(format!("expected none, found {}", shown(other))),
    }
}

/// A feature with a switch, which must be off. Never repeats a value: one of them is a key.
fn switched_off(value: &Value, names: &[&str]) -> Result<(), String> {
    let Value::Object(members) = value else {
        return Err(format!("expected an object, found {}", noun(value)));
    };
    if let Some(unknown) = members.keys().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("unknown name {}, expected one of {}", shown(unknown), names.join(", ")));
    }
    match members.get("enabled") {
        Some(Value::Bool(false)) => Ok(()),
        Some(Value::Bool(true)) => Err("not supported yet".into()),
        None if members.is_empty() => Ok(()),
        _ => Err("expected enabled to be true or false".into()),
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
                r#"{"validateSchema":false,"includeMetadata":false}"#,
                Options { validate_schema: false, include_metadata: false, ..standard.clone() },
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_asks_for_nothing_is_accepted() {
        for text in [
            r#"{"dryRun":false,"compression":"none","includeBinaryData":false,"mapping":null}"#,
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
                r#"options.format: expected one of json, csv, xml, yaml, markdown, found "parquet""#,
            ),
            (
                r#"{"errorHandling":"strict"}"#,
                "options.errorHandling: strict is not supported yet, expected lenient or skip-errors",
            ),
            (r#"{"dryRun":true}"#, "options.dryRun: true is not supported yet"),
            (r#"{"includeBinaryData":true}"#, "options.includeBinaryData: true is not supported yet"),
            (r#"{"compression":"gzip"}"#, "options.compression: gzip is not supported yet"),
            (r#"{"mapping":{"fieldMappings":{"a":"b"}}}"#, "options.mapping: not supported yet"),
            (r#"{"filters":{"types":["x"]}}"#, "options.filters: not supported yet"),
            (r#"{"splitLargeFiles":{"enabled":true}}"#, "options.splitLargeFiles: not supported yet"),
            (r#"{"encryption":{"enabled":true,"key":"hunter2"}}"#, "options.encryption: not supported yet"),
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
