//! Instants as text: RFC 3339, to microseconds, in the years 0001 to 9999.
//!
//! The shape is read here, strictly; jiff knows the calendar. Its parser accepts more forms than RFC 3339
//! does (week dates, zone names), and its `Timestamp` ends a day before the year 9999 does.

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
const MICROS: i64 = 1_000_000;
/// 0001-01-01T00:00:00Z.
const FIRST: i64 = -62_135_596_800 * MICROS;
/// 9999-12-31T23:59:59.999999Z.
const LAST: i64 = 253_402_300_800 * MICROS - 1;

/// Why a text is no instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoInstant {
    /// It is not of RFC 3339's form, or there is no such day, time or year.
    Invalid,
    /// It is finer than a microsecond.
    Precision,
}

/// Reads `2024-01-01T00:00:00Z`, the same with a fraction or an offset, or a date only, which is midnight
/// in UTC. Microseconds since 1970.
///
/// # Errors
/// See [`NoInstant`].
pub fn parse(text: &str) -> Result<i64, NoInstant> {
    let bytes = text.as_bytes();
    let (day, time) = bytes.split_at_checked(10).ok_or(NoInstant::Invalid)?;
    let [y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1] = *day else { return Err(NoInstant::Invalid) };
    let year = number(&[y0, y1, y2, y3])?;
    let (month, day) = (number(&[mo0, mo1])?, number(&[d0, d1])?);
    let ([hour, minute, second], micros, offset) = match time {
        [] => ([0; 3], 0, 0),
        _ => time_of_day(time)?,
    };
    let small = |value: i64| i8::try_from(value).map_err(|_| NoInstant::Invalid);
    let year = i16::try_from(year).map_err(|_| NoInstant::Invalid)?;
    // jiff knows second 60 as a rounding of 59; no database stores it.
    let local =
        DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?, 0)
            .map_err(|_| NoInstant::Invalid)?;
    let seconds = local.duration_since(EPOCH).as_secs() - offset;
    let instant = seconds * MICROS + micros;
    if (FIRST..=LAST).contains(&instant) { Ok(instant) } else { Err(NoInstant::Invalid) }
}

/// Hour, minute and second; microseconds; seconds east of UTC.
fn time_of_day(text: &[u8]) -> Result<([i64; 3], i64, i64), NoInstant> {
    let (time, rest) = text.split_at_checked(9).ok_or(NoInstant::Invalid)?;
    let [b'T' | b't' | b' ', h0, h1, b':', m0, m1, b':', s0, s1] = *time else {
        return Err(NoInstant::Invalid);
    };
    let clock = [number(&[h0, h1])?, number(&[m0, m1])?, number(&[s0, s1])?];
    let (micros, zone) = match rest {
        [b'.', fraction @ ..] => {
            let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (fraction_micros(&fraction[..length]), &fraction[length..])
        }
        _ => (Ok(0), rest),
    };
    let offset = match *zone {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] => {
            let (hours, minutes) = (number(&[h0, h1])?, number(&[m0, m1])?);
            if hours > 23 || minutes > 59 {
                return Err(NoInstant::Invalid);
            }
            let east = (hours * 60 + minutes) * 60;
            if sign == b'-' { -east } else { east }
        }
        _ => return Err(NoInstant::Invalid),
    };
    Ok((clock, micros?, offset))
}

fn fraction_micros(digits: &[u8]) -> Result<i64, NoInstant> {
    let (micros, finer) = digits.split_at(digits.len().min(6));
    if micros.is_empty() {
        return Err(NoInstant::Invalid);
    }
    if finer.iter().any(|digit| *digit != b'0') {
        return Err(NoInstant::Precision);
    }
    let missing = u32::try_from(6 - micros.len()).unwrap_or_default();
    Ok(number(micros)? * 10i64.pow(missing))
}

fn number(digits: &[u8]) -> Result<i64, NoInstant> {
    digits.iter().try_fold(0, |value, digit| match digit {
        b'0'..=b'9' => Ok(value * 10 + i64::from(digit - b'0')),
        _ => Err(NoInstant::Invalid),
    })
}

/// Appends an instant as `2024-01-01T00:00:00Z`; a fraction has three or six digits, as it needs. An instant
/// outside the years 0001 to 9999 is nothing that [`parse`] gives; it is written as the nearest that is.
pub fn write(instant: i64, out: &mut Vec<u8>) {
    let instant = instant.clamp(FIRST, LAST);
    let (seconds, micros) = (instant.div_euclid(MICROS), instant.rem_euclid(MICROS));
    let time = EPOCH.saturating_add(SignedDuration::from_secs(seconds));
    let pair = |value: i8| two_digits(i64::from(value));
    let (century, year) =
        (two_digits(i64::from(time.year() / 100)), two_digits(i64::from(time.year() % 100)));
    let [mo, d, h, mi, s] = [time.month(), time.day(), time.hour(), time.minute(), time.second()].map(pair);
    out.extend_from_slice(&[
        century[0], century[1], year[0], year[1], b'-', mo[0], mo[1], b'-', d[0], d[1], b'T', h[0], h[1],
        b':', mi[0], mi[1], b':', s[0], s[1],
    ]);
    if micros != 0 {
        let [high, middle, low] = [micros / 10_000, micros / 100 % 100, micros % 100].map(two_digits);
        out.extend_from_slice(&[b'.', high[0], high[1], middle[0]]);
        if micros % 1000 != 0 {
            out.extend_from_slice(&[middle[1], low[0], low[1]]);
        }
    }
    out.push(b'Z');
}

/// The same as a text.
pub fn text(instant: i64) -> String {
    let mut out = Vec::new();
    write(instant, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

fn two_digits(value: i64) -> [u8; 2] {
    let digit = |value: i64| b'0' + u8::try_from(value % 10).unwrap_or_default();
    [digit(value / 10), digit(value)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(instant: i64) -> String {
        let mut out = Vec::new();
        write(instant, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn instants_are_read_in_utc_and_written_shortest() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
            ("2024-01-01", 1_704_067_200_000_000, "2024-01-01T00:00:00Z"),
            ("2024-02-29t12:30:00.5+02:00", 1_709_202_600_500_000, "2024-02-29T10:30:00.500Z"),
            ("2024-02-29 12:30:00.000001z", 1_709_209_800_000_001, "2024-02-29T12:30:00.000001Z"),
            ("1969-12-31T23:59:59.999000000-00:00", -1_000, "1969-12-31T23:59:59.999Z"),
            ("0001-01-01T00:00:00Z", FIRST, "0001-01-01T00:00:00Z"),
            ("0000-12-31T23:59:00-00:01", FIRST, "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999Z", LAST, "9999-12-31T23:59:59.999999Z"),
        ];
        for (text, instant, again) in cases {
            assert_eq!(parse(text), Ok(instant), "{text}");
            assert_eq!(written(instant), again);
            assert_eq!(parse(again), Ok(instant));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let invalid = [
            "",
            "31/02/2024",
            "2024-1-1",
            "2024-01-01T",
            "2024-01-01T00:00Z",
            "2024-01-01T00:00:00",
            "20240101",
            "2023-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-01-32",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2016-12-31T23:59:60Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00+0200",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T00:00:00+00:60",
            "2024-01-01T00:00:00Z[UTC]",
            "2024-01-01T00:00:00Z ",
            " 2024-01-01",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "0000-12-31",
            "+2024-01-01",
            "2024-W01-1",
            "２０２４-01-01",
            "1704067200",
            "-001-01-01",
        ];
        for text in invalid {
            assert_eq!(parse(text), Err(NoInstant::Invalid), "{text:?}");
        }
        let finer = "2024-01-01T00:00:00.0000001Z";
        assert_eq!(parse(finer), Err(NoInstant::Precision));
    }

    #[test]
    fn instants_out_of_range_are_written_as_the_nearest() {
        assert_eq!(written(i64::MAX), "9999-12-31T23:59:59.999999Z");
        assert_eq!(written(i64::MIN), "0001-01-01T00:00:00Z");
    }
}
