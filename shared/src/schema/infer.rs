//! Telling the type of records from their fields.

use std::sync::Arc;

use super::DataType;
use crate::format::shown;
use crate::limits::{SNIFF_BYTES, SNIFF_PERCENT};

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
pub fn infer_all(
    types: &[Arc<DataType>],
    records: &[Vec<String>],
    cut: bool,
) -> Result<Arc<DataType>, TypeDoubt> {
    let mut found: Vec<(Arc<DataType>, usize)> = Vec::new();
    let mut doubt = None;
    for fields in records {
        match infer(types, fields) {
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
        Some((best, _)) if cut && types.iter().any(|other| required(other) > required(best)) => {
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

/// The type whose required fields are all among `fields`, where that leaves no doubt. A type that requires no more than
/// its key, which many records have, must know another field and half of all.
///
/// A type with more required fields present wins over one with fewer; on a tie the one that knows more of
/// the fields; on a second tie nobody.
///
/// # Errors
/// When no type fits, or two fit equally well.
pub fn infer(types: &[Arc<DataType>], fields: &[String]) -> Result<Arc<DataType>, TypeDoubt> {
    let knows = |name: &str| fields.iter().any(|field| field == name);
    let score = |data_type: &DataType| {
        let required = data_type.fields.iter().filter(|field| field.required);
        let known = data_type.fields.iter().filter(|field| knows(field.name.as_str())).count();
        let is_telling = required.clone().count() > 1 || (known > 1 && 2 * known >= fields.len());
        let fits = is_telling && required.clone().all(|field| knows(field.name.as_str()));
        fits.then(|| (required.count(), known))
    };
    let scored = || types.iter().filter_map(|data_type| Some((score(data_type)?, data_type)));
    let found = || {
        let more = if fields.len() > SHOWN_FIELDS { ", …" } else { "" };
        let shown: Vec<String> = fields.iter().take(SHOWN_FIELDS).map(|field| shown::name(field)).collect();
        format!("[{}{more}]", shown.join(", "))
    };
    let names = |types: &[&Arc<DataType>]| {
        types.iter().map(|data_type| data_type.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let Some(best) = scored().map(|(score, _)| score).max() else {
        let known = names(&types.iter().collect::<Vec<_>>());
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
    use crate::schema::built_ins;

    #[test]
    fn types_are_found_by_fields() {
        let inferred = |fields: &str| {
            let fields: Vec<String> = fields.split(' ').map(Into::into).collect();
            infer(built_ins(), &fields).map(|found| found.name.as_str().to_owned())
        };
        assert_eq!(inferred("id title content type").unwrap(), "contexts");
        assert_eq!(inferred("id userId").unwrap(), "sessions");
        assert_eq!(inferred("id title more others").unwrap(), "sessions");
        for others in ["id", "id name age", "id title name age mail"] {
            assert!(matches!(inferred(others), Err(TypeDoubt::NoneFits { .. })), "{others}");
        }
        assert!(matches!(inferred("name age"), Err(TypeDoubt::NoneFits { .. })));
        let odd = infer(built_ins(), &["\u{1b}[31m".into(), "b".into()]).unwrap_err().to_string();
        assert!(odd.starts_with("the fields [\\u{1b}[31m, b] fit none"), "{odd}");
        let many = infer(built_ins(), &vec!["x".into(); SHOWN_FIELDS + 1]).unwrap_err().to_string();
        assert!(many.contains("x, …] fit none"), "{many}");
    }

    #[test]
    fn the_type_of_most_records_is_that_of_the_file() {
        let inferred = |records: &[(&str, usize)], cut| {
            let fields = |fields: &str| fields.split(' ').map(Into::into).collect::<Vec<String>>();
            let records: Vec<_> =
                records.iter().flat_map(|(names, count)| vec![fields(names); *count]).collect();
            match infer_all(built_ins(), &records, cut) {
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
}
