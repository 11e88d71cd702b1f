//! Integers, numbers, decimals and booleans: the one form in which a cell holds each, from the text of a file
//! and from and to the columns of a table.
//!
//! A cell holds canonical JSON: a number in plain decimal, exact, as [`crate::record`] defines it. Every form is
//! read by value: `1.0` and `1e0` are the integer 1. What a column could only hold rounded is refused.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value as Json;

use crate::format::json::{Refusal, number};
use crate::format::shown;
use crate::schema::FieldType;

/// Characters of a number that survives any double: as many decimal digits as every double tells apart. Zeros
/// before its first digit count, too, so that it is neither tiny nor huge.
const SURVIVES: usize = f64::DIGITS as usize;

/// Why a text is no value of a type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoScalar {
    /// It is of another type.
    OfType,
    /// It is of the type, and cannot be stored.
    Refused(Refusal),
}

impl From<Refusal> for NoScalar {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The cell of a text; borrowed where the text is in the one form already.
///
/// # Errors
/// When it is no value of the type. Only integers, numbers, decimals and booleans have any.
pub(crate) fn read(field_type: FieldType, text: &str) -> Result<Cow<'_, str>, NoScalar> {
    if field_type == FieldType::Boolean {
        return if matches!(text, "true" | "false") {
            Ok(Cow::Borrowed(text))
        } else {
            Err(NoScalar::OfType)
        };
    }
    let plain = number::read(text).ok_or(NoScalar::OfType)??;
    match field_type {
        FieldType::Integer if plain.contains('.') => return Err(NoScalar::OfType),
        FieldType::Integer if integer(plain.as_bytes()).is_none() => return Err(beyond_integers(text).into()),
        FieldType::Number if plain.len() > SURVIVES => survives(text, &plain)?,
        FieldType::Integer | FieldType::Number | FieldType::Decimal => {}
        _ => return Err(NoScalar::OfType),
    }
    Ok(plain)
}

/// The integer that a cell holds; none if it is none.
pub fn integer(json: &[u8]) -> Option<i64> {
    std::str::from_utf8(json).ok()?.parse().ok()
}

/// The double that a cell holds; none if it is no number.
pub fn number(json: &[u8]) -> Option<f64> {
    std::str::from_utf8(json).ok()?.parse().ok().filter(|value: &f64| value.is_finite())
}

/// The boolean that a cell holds; none if it is none.
pub fn boolean(json: &[u8]) -> Option<bool> {
    match json {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// The cell of a double, with the fewest digits that tell it from all others; none for what is no number.
pub fn of_number(value: f64) -> Option<String> {
    // There is one zero.
    value.is_finite().then(|| if value == 0.0 { "0".into() } else { value.to_string() })
}

/// The cell of a decimal that somebody else has written; none if it is no number, or too long.
pub fn of_decimal(text: &str) -> Option<Cow<'_, str>> {
    number::read(text)?.ok()
}

/// Whether all numbers of a document are what was written there: reading one has made doubles of those that are
/// no integers, and more digits than every double tells apart may have been rounded.
pub(crate) fn is_exact(document: &Json) -> bool {
    match document {
        Json::Number(number) => {
            let written = number.to_string();
            let digits = written.split('e').next().unwrap_or_default();
            let digits =
                digits.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit).count();
            number.is_i64() || number.is_u64() || digits <= SURVIVES
        }
        Json::Array(items) => items.iter().all(is_exact),
        Json::Object(members) => members.values().all(is_exact),
        Json::Null | Json::Bool(_) | Json::String(_) => true,
    }
}

/// Compares two decimal numbers by value, in plain digits.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    fn parts(text: &str) -> (bool, &str, &str) {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        (negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction)
    }
    let ((negative, whole, fraction), (other_negative, other_whole, other_fraction)) =
        (parts(one), parts(other));
    let sizes = || (whole.len(), whole, fraction).cmp(&(other_whole.len(), other_whole, other_fraction));
    match (negative, other_negative) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => sizes(),
        (true, true) => sizes().reverse(),
    }
}

/// Whether the double next to a number is told by that number again.
fn survives(text: &str, plain: &str) -> Result<(), Refusal> {
    let found = shown::text(text);
    let nearest = number(plain.as_bytes()).and_then(of_number).ok_or_else(|| {
        Refusal::new("number.range", format!("found {found}, expected a number up to {:e}", f64::MAX))
    })?;
    if nearest == plain {
        return Ok(());
    }
    let nearest = shown::text(&nearest);
    let message =
        format!("found {found}, expected a number that a double holds exactly; the nearest is {nearest}");
    Err(Refusal::new("number.precision", message))
}

fn beyond_integers(text: &str) -> Refusal {
    let (found, least, most) = (shown::text(text), i64::MIN, i64::MAX);
    Refusal::new("integer.range", format!("found {found}, expected an integer from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(field_type: FieldType, text: &str) -> String {
        match read(field_type, text) {
            Ok(cell) => cell.into_owned(),
            Err(NoScalar::OfType) => "type".into(),
            Err(NoScalar::Refused(refusal)) => refusal.code.into(),
        }
    }

    #[test]
    fn texts_have_one_form_or_none() {
        use FieldType::{Boolean, Decimal, Integer, Number};
        let thirty = "123456789012345678901234567890.1234567891";
        let cases = [
            (Integer, "0 -0 0.0 0e9", "0"),
            (Integer, "1 1.0 1e0 10e-1 1.00E+0", "1"),
            (Integer, "1e3 1000 1000.0", "1000"),
            (Integer, "9223372036854775807 9223372036854775807.0", "9223372036854775807"),
            (Integer, "-9223372036854775808", "-9223372036854775808"),
            (Integer, "9223372036854775808 -9223372036854775809 1e19 1e999", "integer.range"),
            (Integer, "1e1000 1e99999999999999999999", "number.range"),
            (Integer, "1.5 1e-1 -0.0001", "type"),
            (Number, "0.1 1e-1 0.10", "0.1"),
            (Number, "-0 0e-400", "0"),
            (Number, "0.30000000000000004", "0.30000000000000004"),
            (Number, "9007199254740992", "9007199254740992"),
            (Number, "9007199254740993 0.1000000000000000055511151231257827 1e-400", "number.precision"),
            (Number, "12345678901234567 123456789012345678e-17", "number.precision"),
            (Number, "4.9406564584124654e-324", "number.precision"),
            (Number, "1e309 -1e400 2e308", "number.range"),
            (Decimal, thirty, thirty),
            (Decimal, "0.10 1e-1", "0.1"),
            (Decimal, "1e1000", "number.range"),
            (Boolean, "true", "true"),
            (Boolean, "false", "false"),
            (Boolean, "True TRUE yes 1 0 null t", "type"),
        ];
        for (field_type, texts, expected) in cases {
            for text in texts.split(' ') {
                assert_eq!(shown(field_type, text), expected, "{field_type:?}: {text}");
            }
        }
        for none in [
            "", " 1", "1 ", "+1", "01", "-01", "1.", ".5", "1e", "0x1F", "1_000", "1,5", "NaN", "inf", "-",
            "１",
        ] {
            for field_type in [Integer, Number, Decimal] {
                assert_eq!(shown(field_type, none), "type", "{field_type:?}: {none}");
            }
        }
    }

    #[test]
    fn the_ends_of_doubles_survive() {
        for value in [
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            5e-324,
            1e-320,
            2.225_073_858_507_201e-308,
            1e23,
            0.1 + 0.2,
        ] {
            let cell = of_number(value).unwrap();
            assert_eq!(read(FieldType::Number, &cell), Ok(Cow::Borrowed(&*cell)));
            assert_eq!(number(cell.as_bytes()).map(f64::to_bits), Some(value.to_bits()));
            assert_eq!(shown(FieldType::Number, &format!("{value:e}")), cell, "written with an exponent");
        }
        assert_eq!(of_number(-0.0).as_deref(), Some("0"));
        assert_eq!([f64::NAN, f64::INFINITY].map(of_number), [None, None]);
    }

    #[test]
    fn short_numbers_survive_without_a_look() {
        let hostile =
            ["0.0000000000001", "999999999999999", "-999999999999.9", "0.9999999999999", "123456.78901234"];
        for text in hostile {
            assert!(text.len() <= SURVIVES, "{text}");
            assert_eq!(survives(text, text), Ok(()), "{text}");
        }
    }

    #[test]
    fn numbers_are_compared_by_value_however_many_digits_they_have() {
        let ordered =
            ["-10.5", "-10", "-9.99", "-0.01", "0", "0.001", "0.01", "9", "10", "123456789012345678901"];
        for (one, left) in ordered.iter().enumerate() {
            for (other, right) in ordered.iter().enumerate() {
                assert_eq!(compare(left, right), one.cmp(&other), "{left} {right}");
            }
        }
        for (one, other) in [("0", "-0"), ("1.50", "1.5"), ("007", "7"), ("-0.0", "0")] {
            assert_eq!(compare(one, other), Ordering::Equal, "{one} {other}");
        }
    }

    #[test]
    fn what_a_double_may_have_rounded_is_told() {
        for (document, exact) in [
            ("[0.1, 1e300, 18446744073709551615, -9223372036854775808, 123456789.012345]", true),
            ("{\"a\": [0.12345678901234567890123]}", false),
            ("12345678901234567890123", false),
            ("9007199254740993.5", false),
            ("0.000000000000000000001", true),
        ] {
            assert_eq!(is_exact(&serde_json::from_str(document).unwrap()), exact, "{document}");
        }
    }

    #[test]
    fn decimals_of_others_are_brought_into_form() {
        let found = ["1.50", "1e2", "-0", "abc", ""].map(of_decimal);
        assert_eq!(found, [Some("1.5".into()), Some("100".into()), Some("0".into()), None, None]);
    }
}
