//! What an unquoted scalar is, by YAML's core schema (YAML 1.2.2, section 10.3.2), as JSON.

use std::borrow::Cow;

/// A resolved scalar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scalar<'text> {
    Text,
    /// `null`, a boolean or a number, as JSON writes it.
    Json(Cow<'text, str>),
    /// An infinity or not a number, which JSON cannot say.
    NoNumber,
}

/// Resolves an unquoted scalar.
pub(crate) fn resolve(plain: &str) -> Scalar<'_> {
    match plain {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Json(Cow::Borrowed("null")),
        "true" | "True" | "TRUE" => Scalar::Json(Cow::Borrowed("true")),
        "false" | "False" | "FALSE" => Scalar::Json(Cow::Borrowed("false")),
        _ => number(plain),
    }
}

fn number(plain: &str) -> Scalar<'_> {
    let (sign, digits) = match plain.as_bytes().first() {
        Some(b'-') => ("-", &plain[1..]),
        Some(b'+') => ("", &plain[1..]),
        _ => ("", plain),
    };
    if matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(plain, ".nan" | ".NaN" | ".NAN") {
        return Scalar::NoNumber;
    }
    let radix = |prefix: &str, radix| {
        let digits = plain.strip_prefix(prefix)?;
        u64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+'))
    };
    if let Some(value) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Scalar::Json(Cow::Owned(value.to_string()));
    }
    match decimal(digits) {
        Some(number) if sign == "-" => Scalar::Json(Cow::Owned(format!("-{number}"))),
        Some(number) => Scalar::Json(number),
        None => Scalar::Text,
    }
}

/// Digits, a fraction and an exponent, in JSON's grammar; none for anything else, and for leading zeros.
fn decimal(digits: &str) -> Option<Cow<'_, str>> {
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_digits = !whole.is_empty() || fraction.is_some_and(|fraction| !fraction.is_empty());
    let exponent_digits = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    let fits = has_digits
        && are_digits(whole)
        && fraction.is_none_or(are_digits)
        && exponent_digits.is_none_or(|digits| !digits.is_empty() && are_digits(digits))
        && (whole.len() < 2 || !whole.starts_with('0'));
    if !fits {
        return None;
    }
    if !whole.is_empty() && fraction != Some("") {
        return Some(Cow::Borrowed(digits));
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction =
        fraction.filter(|fraction| !fraction.is_empty()).map_or(String::new(), |f| format!(".{f}"));
    let exponent = exponent.map_or(String::new(), |exponent| format!("e{exponent}"));
    Some(Cow::Owned(format!("{whole}{fraction}{exponent}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_those_of_the_core_schema() {
        let cases = [
            ("", "null"),
            ("~", "null"),
            ("NULL", "null"),
            ("nUll", "text"),
            ("True", "true"),
            ("yes", "text"),
            ("0", "0"),
            ("-0", "-0"),
            ("+12", "12"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("007", "text"),
            ("00.5", "text"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("0x", "text"),
            ("0x+1", "text"),
            ("1.", "1"),
            (".5", "0.5"),
            ("-.5e-3", "-0.5e-3"),
            ("1e3", "1e3"),
            ("1.e+3", "1e+3"),
            ("1e", "text"),
            (".", "text"),
            ("+", "text"),
            ("1_000", "text"),
            ("1.2.3", "text"),
            ("2024-01-01", "text"),
            ("-.INF", "no number"),
            (".nan", "no number"),
        ];
        for (plain, expected) in cases {
            let found = match resolve(plain) {
                Scalar::Text => "text".into(),
                Scalar::Json(json) => json,
                Scalar::NoNumber => "no number".into(),
            };
            assert_eq!(found, expected, "{plain}");
        }
    }
}
