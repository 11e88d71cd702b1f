//! Data types: a name, a key, and fields in the order of the table's columns.

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::format::shown;
use crate::limits::{SNIFF_BYTES, SNIFF_PERCENT};

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// Text. Column: `text`.
    String,
    /// An instant. Column: `timestamptz` in PostgreSQL, RFC 3339 text with six decimals in SQLite.
    Date,
    /// A JSON array. Column: `jsonb`, or text in SQLite.
    Array,
    /// A JSON object. Column: `jsonb`, or text in SQLite.
    Object,
}

impl FieldType {
    /// The name that users write and read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Date => "date",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// A name that may stand, quoted, in SQL: the only way by which names reach a statement.
///
/// 1 to 63 bytes (PostgreSQL's limit), without NUL and quotes, not `extra` and not starting with `_`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identifier(String);

impl Identifier {
    /// Checks a name.
    ///
    /// # Errors
    /// Says what the name breaks.
    pub fn new(name: impl Into<String>) -> Result<Self, String> {
        let name = name.into();
        let reason = match name.as_str() {
            "" => "is empty",
            "extra" => "is reserved for the fields outside the schema",
            name if name.len() > 63 => "is longer than 63 bytes",
            name if name.starts_with('_') => "starts with an underscore, which is reserved",
            name if name.contains(['\0', '"', '\'', '\\']) => "holds a quote, a backslash or NUL",
            _ => return Ok(Self(name)),
        };
        Err(format!("the name {name:?} {reason}"))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as it stands in SQL.
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

impl TryFrom<String> for Identifier {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::new(name)
    }
}

impl From<Identifier> for String {
    fn from(name: Identifier) -> Self {
        name.0
    }
}

/// A field of a data type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in files and its column in the table.
    pub name: Identifier,
    /// What it holds.
    pub field_type: FieldType,
    /// Whether a record without it is refused.
    pub required: bool,
}

/// A data type: records of one kind, stored in one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataType {
    /// Its name, which is also its table's.
    pub name: Identifier,
    /// Its fields, in the order of the table's columns.
    pub fields: Vec<Field>,
    /// The field, by number, whose text identifies a record. Always a required string.
    pub key: usize,
}

impl DataType {
    /// The number of the field with this name.
    pub fn slot(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name.as_str() == name)
    }

    /// A type that knows no field, of which every record is all fields outside the schema. Nothing can be
    /// stored in it.
    pub(crate) fn without_fields() -> Self {
        Self { name: Identifier("nothing".into()), fields: Vec::new(), key: 0 }
    }

    /// The key's field.
    pub fn key_field(&self) -> &Field {
        &self.fields[self.key]
    }
}

/// The field that `includeMetadata` is about.
pub const METADATA: &str = "metadata";

static BUILT_IN: LazyLock<Vec<Arc<DataType>>> = LazyLock::new(|| {
    use FieldType::{Array, Date, Object, String};
    let contexts = [
        ("id", String, true),
        ("title", String, true),
        ("content", String, true),
        ("type", String, false),
        ("tags", Array, false),
        ("sessionId", String, false),
        ("createdAt", Date, false),
        ("updatedAt", Date, false),
        ("metadata", Object, false),
    ];
    let sessions = [
        ("id", String, true),
        ("title", String, false),
        ("userId", String, false),
        ("createdAt", Date, false),
        ("updatedAt", Date, false),
        ("metadata", Object, false),
    ];
    vec![define("contexts", &contexts), define("sessions", &sessions)]
});

fn define(name: &str, fields: &[(&str, FieldType, bool)]) -> Arc<DataType> {
    let fields = fields
        .iter()
        .map(|&(name, field_type, required)| Field { name: Identifier(name.into()), field_type, required })
        .collect();
    Arc::new(DataType { name: Identifier(name.into()), fields, key: 0 })
}

/// The types that Carrack knows by itself.
pub fn built_ins() -> &'static [Arc<DataType>] {
    &BUILT_IN
}

/// The built-in type of this name; its singular is an alias (`context` is `contexts`).
pub fn built_in(name: &str) -> Option<Arc<DataType>> {
    let matches = |data_type: &&Arc<DataType>| {
        let full = data_type.name.as_str();
        full == name || full.strip_suffix('s') == Some(name)
    };
    BUILT_IN.iter().find(matches).cloned()
}

/// Why the type of a file's records cannot be told from their fields.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypeDoubt {
    /// No type's required fields are all there.
    #[error("the fields {found} fit none of the types {known}; name one with --type")]
    NoneFits {
        /// The fields of the file.
        found: String,
        /// The types that were tried.
        known: String,
    },
    /// More than one type fits equally well.
    #[error("the fields {found} fit {fitting} equally well; name one with --type")]
    SeveralFit {
        /// The fields of the file.
        found: String,
        /// The types that fit.
        fitting: String,
    },
    /// Some records fit one type best, others another.
    #[error("of the first records {fitting}; name the type with --type")]
    Mixed {
        /// How many fit which type.
        fitting: String,
    },
    /// The only record that was looked at may have more fields.
    #[error(
        "the first record goes on behind {SNIFF_BYTES} bytes, and what was seen of it fits {fitting}, but others too with fields that may follow; name one with --type"
    )]
    Cut {
        /// The type that fits so far.
        fitting: String,
    },
}

/// The type that the records of a file fit, by the fields of each, where that leaves no doubt: nine in ten
/// of those that fit any type must fit the same. The first record alone is no evidence: a bad one, without a
/// field that its type requires, may fit another type. `cut` tells that the only record may have more fields.
///
/// # Errors
/// When no record fits a type, too many fit another one, or a record that was cut leaves it open.
pub fn infer_all(records: &[Vec<String>], cut: bool) -> Result<Arc<DataType>, TypeDoubt> {
    let mut found: Vec<(Arc<DataType>, usize)> = Vec::new();
    let mut doubt = None;
    for fields in records {
        match infer(fields) {
            Ok(fits) => match found.iter_mut().find(|(known, _)| *known == fits) {
                Some((_, count)) => *count += 1,
                None => found.push((fits, 1)),
            },
            Err(unclear) => doubt = doubt.or(Some(unclear)),
        }
    }
    found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let all: usize = found.iter().map(|(_, count)| count).sum();
    let name = |data_type: &DataType| data_type.name.as_str().to_owned();
    let required = |data_type: &DataType| data_type.fields.iter().filter(|field| field.required).count();
    match found.first() {
        None => Err(doubt.unwrap_or(TypeDoubt::NoneFits { found: "[]".into(), known: "any".into() })),
        Some((best, _)) if cut && BUILT_IN.iter().any(|other| required(other) > required(best)) => {
            Err(TypeDoubt::Cut { fitting: name(best) })
        }
        Some((best, count)) if count * 100 >= all * SNIFF_PERCENT => Ok(Arc::clone(best)),
        Some(_) => {
            let told = found.iter().map(|(fits, count)| format!("{count} fit {}", name(fits)));
            Err(TypeDoubt::Mixed { fitting: told.collect::<Vec<_>>().join(", ") })
        }
    }
}

/// Fields that a message names.
const SHOWN_FIELDS: usize = 20;

/// The type whose required fields are all among `fields`, where that leaves no doubt.
///
/// A type with more required fields present wins over one with fewer; on a tie the one that knows more of
/// the fields; on a second tie nobody.
///
/// # Errors
/// When no type fits, or two fit equally well.
pub fn infer(fields: &[String]) -> Result<Arc<DataType>, TypeDoubt> {
    let knows = |name: &str| fields.iter().any(|field| field == name);
    let score = |data_type: &DataType| {
        let required = data_type.fields.iter().filter(|field| field.required);
        let known = data_type.fields.iter().filter(|field| knows(field.name.as_str())).count();
        let fits = required.clone().all(|field| knows(field.name.as_str()));
        fits.then(|| (required.count(), known))
    };
    let scored = || BUILT_IN.iter().filter_map(|data_type| Some((score(data_type)?, data_type)));
    let found = || {
        let more = if fields.len() > SHOWN_FIELDS { ", …" } else { "" };
        let shown: Vec<String> = fields.iter().take(SHOWN_FIELDS).map(|field| shown::name(field)).collect();
        format!("[{}{more}]", shown.join(", "))
    };
    let names = |types: &[&Arc<DataType>]| {
        types.iter().map(|data_type| data_type.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let Some(best) = scored().map(|(score, _)| score).max() else {
        let known = names(&BUILT_IN.iter().collect::<Vec<_>>());
        return Err(TypeDoubt::NoneFits { found: found(), known });
    };
    let winners: Vec<_> = scored().filter(|(score, _)| *score == best).map(|(_, winner)| winner).collect();
    match winners[..] {
        [winner] => Ok(Arc::clone(winner)),
        _ => Err(TypeDoubt::SeveralFit { found: found(), fitting: names(&winners) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_name_and_by_fields() {
        assert_eq!(built_in("context").unwrap().name.as_str(), "contexts");
        assert!(built_in("users").is_none());
        let inferred = |fields: &str| {
            let fields: Vec<String> = fields.split(' ').map(Into::into).collect();
            infer(&fields).map(|found| found.name.as_str().to_owned())
        };
        assert_eq!(inferred("id title content type").unwrap(), "contexts");
        assert_eq!(inferred("id userId").unwrap(), "sessions");
        assert!(matches!(inferred("name age"), Err(TypeDoubt::NoneFits { .. })));
        let odd = infer(&["\u{1b}[31m".into(), "b".into()]).unwrap_err().to_string();
        assert!(odd.starts_with("the fields [\\u{1b}[31m, b] fit none"), "{odd}");
        let many = infer(&vec!["x".into(); SHOWN_FIELDS + 1]).unwrap_err().to_string();
        assert!(many.contains("x, …] fit none"), "{many}");
    }

    #[test]
    fn the_type_of_most_records_is_that_of_the_file() {
        let inferred = |records: &[(&str, usize)], cut| {
            let fields = |fields: &str| fields.split(' ').map(Into::into).collect::<Vec<String>>();
            let records: Vec<_> =
                records.iter().flat_map(|(names, count)| vec![fields(names); *count]).collect();
            match infer_all(&records, cut) {
                Ok(found) => found.name.as_str().to_owned(),
                Err(doubt) => doubt.to_string(),
            }
        };
        let (good, bad) = ("id title content", "id title");
        assert_eq!(inferred(&[(bad, 1), (good, 9)], false), "contexts", "the first record is a bad one");
        assert_eq!(inferred(&[(bad, 10)], false), "sessions");
        let mixed = "of the first records 8 fit contexts, 1 fit sessions; name the type with --type";
        assert_eq!(inferred(&[(bad, 1), (good, 8), ("x", 5)], false), mixed);
        assert_eq!(inferred(&[(good, 1)], true), "contexts", "nothing that follows could change it");
        assert!(inferred(&[(bad, 1)], true).starts_with("the first record goes on behind 262144 bytes"));
        assert!(inferred(&[("x y", 3)], false).starts_with("the fields [x, y] fit none of the types"));
    }

    #[test]
    fn the_documents_tell_every_field() {
        for data_type in built_ins() {
            let mut table =
                format!("## {}\n\n| field | type | required |\n|---|---|---|\n", data_type.name.as_str());
            for (slot, field) in data_type.fields.iter().enumerate() {
                let required = match field.required {
                    _ if slot == data_type.key => " yes, the key ",
                    true => " yes ",
                    false => " ",
                };
                let (name, kind) = (field.name.as_str(), field.field_type.as_str());
                table.push_str(&format!("| `{name}` | {kind} |{required}|\n"));
            }
            assert!(include_str!("../../docs/types.md").contains(&format!("{table}\n")), "expected {table}");
        }
    }

    #[test]
    fn hostile_identifiers_are_refused() {
        for bad in ["", "extra", "_hash", "a\"b", "a\0b", &"x".repeat(64)] {
            assert!(Identifier::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Identifier::new("x".repeat(63)).unwrap().as_str().len(), 63);
        assert_eq!(Identifier::new("Größe m²").unwrap().quoted(), "\"Größe m²\"");
    }
}
