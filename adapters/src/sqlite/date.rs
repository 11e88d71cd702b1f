//! Instants as text, in the one fixed form `2024-01-01T00:00:00.000000Z`, so that text order is time order.

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::fmt::temporal::DateTimePrinter;

/// Civil time: a time stamp of this library ends a day before the year 9999 does, to leave room for zones.
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// Appends the instant `micros` microseconds after 1970; none if that is no date.
pub(super) fn print(micros: i64, text: &mut String) -> Option<()> {
    let date = EPOCH.checked_add(SignedDuration::from_micros(micros)).ok()?;
    PRINTER.print_datetime(&date, &mut *text).ok()?;
    text.push('Z');
    Some(())
}

/// Reads back what [`print()`] wrote.
pub(super) fn parse(text: &str) -> Option<i64> {
    let date: DateTime = text.strip_suffix('Z')?.parse().ok()?;
    i64::try_from(date.duration_since(EPOCH).as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_one_form() {
        let cases = [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (1_709_164_800_000_001, "2024-02-29T00:00:00.000001Z"),
            (-62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        ];
        for (micros, text) in cases {
            let mut printed = String::new();
            assert_eq!(print(micros, &mut printed), Some(()), "{text}");
            assert_eq!(printed, text);
            assert_eq!(parse(text), Some(micros));
        }
        assert_eq!(print(i64::MAX, &mut String::new()), None);
        for other in ["", "2024-01-01", "2024-01-01T00:00:00+01:00", "2024-13-01T00:00:00.000000Z"] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }
}
