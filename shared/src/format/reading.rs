//! How the files of an import are to be read, where their format leaves a choice: what a user may say about
//! them. What nobody says is found by looking, or is as it mostly is.

use serde::{Deserialize, Serialize};

use super::csv::Dialect;
use super::{Format, Takes, shown};

pub use super::records_at::RecordsAt;

/// What was said; stored with the operation, with what was found by looking.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reading {
    /// CSV: the byte between two cells.
    #[serde(with = "ascii::optional", skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<u8>,
    /// CSV: the byte around a cell.
    #[serde(with = "ascii::optional", skip_serializing_if = "Option::is_none")]
    pub quote: Option<u8>,
    /// CSV: the names of the columns of a file without a header row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<Vec<String>>,
    /// JSON and XML: where in the document the records are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records_at: Option<RecordsAt>,
}

/// Something that was said and does not go with the format, or with something else that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The option, as users write it.
    pub option: &'static str,
    /// What was found and expected.
    pub detail: String,
}

impl Reading {
    /// Whether nothing was said.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// The bytes that make a CSV file.
    pub fn dialect(&self) -> Dialect {
        let usual = Dialect::default();
        Dialect {
            delimiter: self.delimiter.unwrap_or(usual.delimiter),
            quote: self.quote.unwrap_or(usual.quote),
        }
    }

    /// Checks what was said against itself, and against the format where that is known.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn check(&self, format: Option<Format>) -> Result<(), Unfit> {
        let Dialect { delimiter, quote } = self.dialect();
        if delimiter == quote {
            let option = if self.quote.is_some() { "quote" } else { "delimiter" };
            let detail = format!("found {} for the delimiter and for the quote", shown::byte(quote));
            return Err(Unfit { option, detail });
        }
        let Some(format) = format else { return Ok(()) };
        let takes = format.syntax().takes;
        let of_tables = [
            ("delimiter", self.delimiter.is_some()),
            ("quote", self.quote.is_some()),
            ("header", self.header.is_some()),
        ];
        if takes != Takes::Dialect
            && let Some((option, _)) = of_tables.into_iter().find(|(_, is_said)| *is_said)
        {
            let detail = format!("found a {option} for {}, expected one for csv only", format.as_str());
            return Err(Unfit { option, detail });
        }
        let refuse = |detail: String| Err(Unfit { option: "recordsAt", detail });
        match (&self.records_at, takes) {
            (None, _)
            | (Some(RecordsAt::Members(_)), Takes::MemberPath)
            | (Some(RecordsAt::Elements(_) | RecordsAt::Element(_)), Takes::ElementPath) => Ok(()),
            (Some(path), Takes::MemberPath) => {
                refuse(format!("found {path}, expected a path for JSON, such as $.data.contexts"))
            }
            (Some(path), Takes::ElementPath) => refuse(format!(
                "found {path}, expected a path for XML, such as /data/contexts/item, or the name of an element"
            )),
            (Some(path), _) => {
                refuse(format!("found {path} for {}, expected a path for json or xml only", format.as_str()))
            }
        }
    }
}

/// Reads a delimiter as users write it: one character, `tab` or `\t`.
///
/// # Errors
/// Says what was found and expected.
pub fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "tab" | "\\t" => Ok(b'\t'),
        _ => one_byte(text).ok_or_else(|| {
            let found = shown::text(text);
            format!("found {found}, expected one ASCII character other than a line end, or tab")
        }),
    }
}

/// Reads a quote as users write it: one character.
///
/// # Errors
/// Says what was found and expected.
pub fn quote(text: &str) -> Result<u8, String> {
    one_byte(text).ok_or_else(|| {
        format!("found {}, expected one ASCII character other than a line end", shown::text(text))
    })
}

fn one_byte(text: &str) -> Option<u8> {
    let [byte] = text.as_bytes() else { return None };
    (byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0)).then_some(*byte)
}

/// The names of columns as users write them: one row of CSV.
///
/// # Errors
/// When a name is empty, stands twice, or there are too many.
pub fn header(row: &str) -> Result<Vec<String>, String> {
    super::csv::header::read(row.as_bytes(), Dialect::default()).map_err(|fault| fault.message)
}

/// Bytes of ASCII, stored as the characters that they are.
pub(crate) mod ascii {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(byte: &u8, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_char(char::from(*byte))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
        let character = char::deserialize(deserializer)?;
        let byte = u8::try_from(character).ok().filter(u8::is_ascii);
        byte.ok_or_else(|| D::Error::custom(format!("found {character:?}, expected an ASCII character")))
    }

    /// Bytes that may be missing.
    pub mod optional {
        use serde::{Deserialize, Deserializer, Serializer};

        #[derive(Deserialize)]
        struct Byte(#[serde(with = "super")] u8);

        #[expect(clippy::ref_option, reason = "serde hands it out so")]
        pub fn serialize<S: Serializer>(byte: &Option<u8>, serializer: S) -> Result<S::Ok, S::Error> {
            match byte {
                Some(byte) => super::serialize(byte, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
            Ok(Option::<Byte>::deserialize(deserializer)?.map(|Byte(byte)| byte))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_users_write_them() {
        let expected = "expected one ASCII character other than a line end, or tab";
        for (text, found) in [
            (",", Ok(b',')),
            (";", Ok(b';')),
            ("|", Ok(b'|')),
            ("tab", Ok(b'\t')),
            ("\\t", Ok(b'\t')),
            ("\t", Ok(b'\t')),
            ("\u{1}", Ok(1)),
            ("", Err(format!("found \"\", {expected}"))),
            (";;", Err(format!("found \";;\", {expected}"))),
            ("\n", Err(format!("found \"\\n\", {expected}"))),
            ("\0", Err(format!("found \"\\u{{0}}\", {expected}"))),
            ("§", Err(format!("found \"§\", {expected}"))),
        ] {
            assert_eq!(delimiter(text), found);
        }
        assert_eq!(quote("'"), Ok(b'\''));
        assert_eq!(
            quote("tab").unwrap_err(),
            "found \"tab\", expected one ASCII character other than a line end"
        );
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let at = |path: &str| RecordsAt::try_from(path.to_owned()).ok();
        let usual = Reading::default();
        let cases = [
            (usual.clone(), None, ""),
            (Reading { delimiter: Some(b';'), ..usual.clone() }, Some(Format::Csv), ""),
            (Reading { records_at: at("$.a"), ..usual.clone() }, Some(Format::Json), ""),
            (Reading { records_at: at("/a/b"), ..usual.clone() }, Some(Format::Xml), ""),
            (Reading { records_at: at("b"), ..usual.clone() }, Some(Format::Xml), ""),
            (
                Reading { delimiter: Some(b'"'), ..usual.clone() },
                None,
                "delimiter: found '\"' for the delimiter and for the quote",
            ),
            (
                Reading { quote: Some(b','), ..usual.clone() },
                None,
                "quote: found \",\" for the delimiter and for the quote",
            ),
            (
                Reading { header: Some(Vec::new()), ..usual.clone() },
                Some(Format::Yaml),
                "header: found a header for yaml, expected one for csv only",
            ),
            (
                Reading { records_at: at("$.a"), ..usual.clone() },
                Some(Format::Ndjson),
                "recordsAt: found $.a for ndjson, expected a path for json or xml only",
            ),
            (
                Reading { records_at: at("a.b"), ..usual.clone() },
                Some(Format::Json),
                "recordsAt: found a.b, expected a path for JSON, such as $.data.contexts",
            ),
            (
                Reading { records_at: at("$.a"), ..usual },
                Some(Format::Xml),
                "recordsAt: found $.a, expected a path for XML, such as /data/contexts/item, or the name of an element",
            ),
        ];
        for (reading, format, expected) in cases {
            let found = reading.check(format).err();
            let found = found.map(|Unfit { option, detail }| format!("{option}: {detail}"));
            assert_eq!(found.unwrap_or_default(), expected);
        }
    }

    #[test]
    fn the_stored_form_stays() {
        let reading = Reading {
            delimiter: Some(b'\t'),
            quote: Some(b'\''),
            header: Some(vec!["id".into()]),
            records_at: RecordsAt::try_from("$.a['b c']".to_owned()).ok(),
        };
        let golden = r#"{"delimiter":"\t","quote":"'","header":["id"],"records_at":"$.a['b c']"}"#;
        assert_eq!(serde_json::to_string(&reading).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Reading>(golden).unwrap(), reading);
        assert_eq!(serde_json::from_str::<Reading>("{}").unwrap(), Reading::default());
        assert!(serde_json::from_str::<Reading>(r#"{"delimiter":"§"}"#).is_err());
    }
}
