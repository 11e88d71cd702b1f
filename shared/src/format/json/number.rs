//! JSON numbers in one form: plain decimal, exact, without an exponent, trailing zeros or a negative zero.

use std::borrow::Cow;

use super::Refusal;
use crate::format::shown;
use crate::limits;

/// Appends a number that serde_json has accepted. `zeros` is how many digits may still be added to the
/// record: `1e999` is five bytes that become a thousand.
///
/// # Errors
/// When it has more digits than [`limits::NUMBER_DIGITS`], or the record would grow out of proportion.
pub(super) fn write(text: &str, zeros: &mut usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
    if is_plain(text) {
        out.extend_from_slice(text.as_bytes());
        return Ok(());
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let Some(first) = digits.iter().position(|digit| *digit != b'0') else {
        out.push(b'0');
        return Ok(());
    };
    let last = digits.iter().rposition(|digit| *digit != b'0').unwrap_or(first);
    // How many digits stand before the point.
    let point = exponent_value(exponent) + signed(whole.len()) - signed(first);
    let digits = &digits[first..=last];
    let count = signed(digits.len());
    let total = if point <= 0 { 1 - point + count } else { point.max(count) };
    if total > signed(limits::NUMBER_DIGITS) {
        let message = format!(
            "found {}, expected a number of at most {} digits once written without an exponent",
            shown::text(text),
            limits::NUMBER_DIGITS
        );
        return Err(Refusal::new("number.range", message));
    }
    let added = usize::try_from(total - count).unwrap_or_default();
    let Some(left) = zeros.checked_sub(added) else {
        let message = "found numbers that make the record much longer once written without exponents";
        return Err(Refusal::new("number.range", message.into()));
    };
    *zeros = left;
    out.extend_from_slice(sign.as_bytes());
    let before = usize::try_from(point).unwrap_or_default().min(digits.len());
    if point <= 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + added - 1, b'0');
        out.extend_from_slice(digits);
    } else if before == digits.len() {
        out.extend_from_slice(digits);
        out.resize(out.len() + added, b'0');
    } else {
        out.extend_from_slice(&digits[..before]);
        out.push(b'.');
        out.extend_from_slice(&digits[before..]);
    }
    Ok(())
}

/// The one form of a number; none if the text is none as JSON writes them (RFC 8259, section 6).
///
/// # Errors
/// As [`write()`].
pub(crate) fn read(text: &str) -> Option<Result<Cow<'_, str>, Refusal>> {
    if is_plain(text) {
        return Some(Ok(Cow::Borrowed(text)));
    }
    if !is_number(text) {
        return None;
    }
    let mut plain = Vec::new();
    let written = write(text, &mut limits::NUMBER_DIGITS.clone(), &mut plain);
    Some(written.map(|()| Cow::Owned(String::from_utf8_lossy(&plain).into_owned())))
}

fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => (unsigned, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    digits(whole) && (whole.len() == 1 || !whole.starts_with('0')) && digits(fraction) && digits(exponent)
}

/// Whether it is a number that is written in the one form already.
fn is_plain(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let whole = unsigned.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (whole, rest) = unsigned.split_at(whole);
    let is_whole = matches!(whole, [b'0'] | [b'1'..=b'9', ..]);
    let is_plain = match rest {
        [] => text != "-0",
        [b'.', digits @ .., last] => {
            matches!(last, b'1'..=b'9') && digits.iter().all(|digit| digit.is_ascii_digit())
        }
        _ => false,
    };
    is_whole && is_plain && text.len() <= limits::NUMBER_DIGITS
}

/// Beyond what any limit lets through, an exponent's exact value does not matter.
fn exponent_value(text: &str) -> i64 {
    const FAR: i64 = 1 << 40;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = digits.trim_start_matches('0');
    let value = if value.len() > 12 { FAR } else { value.parse().unwrap_or(0).min(FAR) };
    if negative { -value } else { value }
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        match write(text, &mut 4_000, &mut out) {
            Ok(()) => String::from_utf8(out).unwrap(),
            Err(refusal) => refusal.code.to_owned(),
        }
    }

    #[test]
    fn equal_numbers_are_written_equally() {
        let cases = [
            ("0", "0 -0 0.0 -0.00 0e5 0E-999999999999999999999"),
            ("1000", "1000 1e3 1E+3 10.00e2 100000e-2 1000.0"),
            ("-0.001", "-0.001 -1e-3 -0.0010 -10E-4"),
            ("12.5", "12.5 12.50 125e-1 0.125e2 1.25E1"),
            ("12345678901234567890123", "12345678901234567890123 1.2345678901234567890123e22"),
            ("0.1", "0.1 1e-1 0.10"),
            ("number.range", "1e1000 1e131071 1e-1000 1e99999999999999999999 -1e-99999999999999999999"),
        ];
        for (expected, numbers) in cases {
            for number in numbers.split(' ') {
                assert_eq!(written(number), expected, "{number}");
            }
        }
    }

    #[test]
    fn the_longest_number_passes() {
        assert_eq!(written("1e999").len(), limits::NUMBER_DIGITS);
        assert_eq!(written("1e-999").len(), limits::NUMBER_DIGITS + 1);
        let digits = "7".repeat(limits::NUMBER_DIGITS);
        assert_eq!(written(&digits), digits);
        assert_eq!(written(&format!("-{digits}")), format!("-{digits}"));
        assert_eq!(written(&format!("{digits}7")), "number.range");
    }

    #[test]
    fn a_record_does_not_grow_without_bound() {
        let (mut zeros, mut out) = (2_000, Vec::new());
        assert!(write("1e999", &mut zeros, &mut out).is_ok());
        assert!(write("1e999", &mut zeros, &mut out).is_ok());
        assert_eq!(write("1e999", &mut zeros, &mut out).unwrap_err().code, "number.range");
    }
}
