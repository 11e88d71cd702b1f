//! Dates as other systems wrote them: read by formats that the user names, or by those that could mean nothing
//! else. What they come to is RFC 3339 in UTC.
//!
//! A text that two formats read as different instants is refused: a guess would be wrong for half of the
//! records, and nobody would see it.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

use super::value::Value;
use crate::format::instant::{self, NoInstant};
use crate::format::shown;

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
const MICROS: i64 = 1_000_000;

/// How a text, or a number, is a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DateFormat {
    /// In the words of `strptime`.
    Pattern(String),
    /// `2024-01-31T12:00:00Z`.
    Rfc3339,
    /// Seconds since 1970.
    Epoch,
    /// Milliseconds since 1970.
    EpochMillis,
}

/// Formats, and the zone of what has no offset.
#[derive(Debug, Clone)]
pub(crate) struct Dates {
    pub formats: Vec<DateFormat>,
    pub zone: TimeZone,
}

/// Why a text is no date.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoDate {
    /// No format reads it.
    Unread,
    /// Two formats read it differently; what they came to.
    Ambiguous([(DateFormat, i64); 2]),
    /// The clock that it names was shown twice, or never.
    Clock(&'static str),
    /// It is finer than a microsecond.
    Precision,
}

impl DateFormat {
    /// Reads a format, and tries it.
    ///
    /// # Errors
    /// When it cannot be read with, or does not name a day.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "rfc3339" => return Ok(Self::Rfc3339),
            "epoch" => return Ok(Self::Epoch),
            "epochMillis" => return Ok(Self::EpochMillis),
            _ => {}
        }
        let sample = date(2001, 12, 24).at(13, 45, 56, 0);
        let sample = Offset::UTC.to_timestamp(sample).map(|instant| instant.to_zoned(TimeZone::UTC));
        let written = sample.and_then(|sample| strtime::format(text, &sample));
        let read = written.and_then(|written| strtime::parse(text, written));
        let day = read.and_then(|read| match read.iana_time_zone() {
            Some(_) => Err(jiff::Error::from_args(format_args!("names of zones differ between machines"))),
            None => read.to_date(),
        });
        match day {
            Ok(_) => Ok(Self::Pattern(text.to_owned())),
            Err(error) => Err(format!(
                "found {}, expected a format that names a day, such as %d.%m.%Y: {error}",
                shown::text(text)
            )),
        }
    }
}

impl fmt::Display for DateFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Pattern(pattern) => pattern,
            Self::Rfc3339 => "rfc3339",
            Self::Epoch => "epoch",
            Self::EpochMillis => "epochMillis",
        })
    }
}

/// Reads the zone of dates without an offset: a name of the time zone database that this program carries, or an
/// offset.
///
/// # Errors
/// When it is neither.
pub(crate) fn zone(text: &str) -> Result<TimeZone, String> {
    let offset = strtime::parse("%:z", text).ok().and_then(|read| read.offset()).map(TimeZone::fixed);
    let found = offset.or_else(|| TimeZoneDatabase::bundled().get(text).ok());
    found.ok_or_else(|| {
        format!(
            "found {}, expected the name of a time zone, such as Europe/Paris, or +02:00",
            shown::text(text)
        )
    })
}

impl Dates {
    /// The instant that a value names.
    ///
    /// # Errors
    /// See [`NoDate`].
    pub fn read(&self, value: &Value<'_>) -> Result<i64, NoDate> {
        let mut found: Option<(&DateFormat, i64)> = None;
        let mut why = NoDate::Unread;
        for format in &self.formats {
            let read = match (value, format) {
                (Value::Text(text), DateFormat::Pattern(pattern)) => by_pattern(pattern, text, &self.zone),
                (Value::Text(text), DateFormat::Rfc3339) => rfc3339(text),
                (Value::Text(text) | Value::Number(text), DateFormat::Epoch) => epoch(text, MICROS),
                (Value::Text(text) | Value::Number(text), DateFormat::EpochMillis) => {
                    epoch(text, MICROS / 1000)
                }
                _ => Err(NoDate::Unread),
            };
            match (read, found) {
                (Ok(other), Some((first, instant))) if other != instant => {
                    return Err(NoDate::Ambiguous([(first.clone(), instant), (format.clone(), other)]));
                }
                (Ok(instant), None) => found = Some((format, instant)),
                (Err(NoDate::Unread), _) | (Ok(_), Some(_)) => {}
                (Err(other), _) => why = other,
            }
        }
        found.map(|(_, instant)| instant).ok_or(why)
    }
}

fn rfc3339(text: &str) -> Result<i64, NoDate> {
    instant::parse(text).map_err(|why| match why {
        NoInstant::Invalid => NoDate::Unread,
        NoInstant::Precision => NoDate::Precision,
    })
}

/// A whole number of units of `micros` since 1970, in the years that a date may have.
fn epoch(text: &str, micros: i64) -> Result<i64, NoDate> {
    let count: i64 = text.trim().parse().map_err(|_| NoDate::Unread)?;
    let instant = count.checked_mul(micros).ok_or(NoDate::Unread)?;
    in_years(instant)
}

fn in_years(instant: i64) -> Result<i64, NoDate> {
    if instant::parse(&instant::text(instant)) == Ok(instant) { Ok(instant) } else { Err(NoDate::Unread) }
}

/// The instant that `text` names when it is read by a pattern.
pub(super) fn by_pattern(pattern: &str, text: &str, zone: &TimeZone) -> Result<i64, NoDate> {
    let read = strtime::parse(pattern, text.trim()).map_err(|_| NoDate::Unread)?;
    // jiff takes second 60 for 59, and %Y reads the 24 of 03/04/24 as the year 24.
    if text.contains(":60") || read.year().is_some_and(|year| year < 1000) {
        return Err(NoDate::Unread);
    }
    let local = civil(&read)?;
    if local.subsec_nanosecond() % 1000 != 0 {
        return Err(NoDate::Precision);
    }
    let offset = match read.offset() {
        Some(offset) => offset,
        None => match zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { .. } => return Err(NoDate::Clock("never shown")),
            AmbiguousOffset::Fold { .. } => return Err(NoDate::Clock("shown twice")),
        },
    };
    let east = SignedDuration::from_secs(i64::from(offset.seconds()));
    let since = local.duration_since(EPOCH) - east;
    in_years(i64::try_from(since.as_micros()).map_err(|_| NoDate::Unread)?)
}

/// The day, and its time where the pattern has one.
fn civil(read: &BrokenDownTime) -> Result<DateTime, NoDate> {
    if let Some(instant) = read.timestamp() {
        return Ok(Offset::UTC.to_datetime(instant));
    }
    let day = read.to_date().map_err(|_| NoDate::Unread)?;
    match read.hour() {
        Some(_) => read.to_time().map(|time| day.to_datetime(time)).map_err(|_| NoDate::Unread),
        None => Ok(day.at(0, 0, 0, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(formats: &str, zone_name: &str, text: &str) -> String {
        let formats = formats.split('|').map(|format| DateFormat::parse(format).unwrap()).collect();
        let dates = Dates { formats, zone: zone(zone_name).unwrap() };
        let value = match text.strip_prefix('#') {
            Some(number) => Value::Number(number.into()),
            None => Value::Text(text.into()),
        };
        match dates.read(&value) {
            Ok(instant) => instant::text(instant),
            Err(why) => format!("{why:?}"),
        }
    }

    #[test]
    fn dates_are_read_by_their_formats() {
        for (formats, zone, text, expected) in [
            ("%d/%m/%Y", "UTC", "31/01/2024", "2024-01-31T00:00:00Z"),
            ("%d/%m/%Y", "UTC", " 1/2/2024 ", "2024-02-01T00:00:00Z"),
            ("%d/%m/%Y", "UTC", "31/02/2024", "Unread"),
            ("%d/%m/%Y", "UTC", "03/04/24", "Unread"),
            ("%d/%m/%y", "UTC", "03/04/24", "2024-04-03T00:00:00Z"),
            ("%d/%m/%Y", "UTC", "31/01/2024 10:00", "Unread"),
            ("%d.%m.%Y %H:%M", "+02:00", "31.01.2024 12:30", "2024-01-31T10:30:00Z"),
            ("%d.%m.%Y %H:%M", "Europe/Berlin", "31.07.2024 12:30", "2024-07-31T10:30:00Z"),
            ("%d.%m.%Y %H:%M", "Europe/Berlin", "31.03.2024 02:30", "Clock(\"never shown\")"),
            ("%d.%m.%Y %H:%M", "Europe/Berlin", "27.10.2024 02:30", "Clock(\"shown twice\")"),
            ("%d.%m.%Y %H:%M %z", "Europe/Berlin", "27.10.2024 02:30 +0100", "2024-10-27T01:30:00Z"),
            ("%Y-%m-%d %H:%M:%S%.f", "UTC", "2024-01-31 10:00:00.5", "2024-01-31T10:00:00.500Z"),
            ("%Y-%m-%d %H:%M:%S%.f", "UTC", "2024-01-31 10:00:00.1234567", "Precision"),
            ("%Y-%m-%d %H:%M:%S", "UTC", "2016-12-31 23:59:60", "Unread"),
            ("%B %d, %Y", "UTC", "March 4, 2024", "2024-03-04T00:00:00Z"),
            ("%A %d %B %Y", "UTC", "Tuesday 4 March 2024", "Unread"),
            ("%I:%M %p, %d %b %Y", "UTC", "01:45 PM, 4 Mar 2024", "2024-03-04T13:45:00Z"),
            ("%d/%m/%Y|%m/%d/%Y", "UTC", "13/04/2024", "2024-04-13T00:00:00Z"),
            ("%d/%m/%Y|%m/%d/%Y", "UTC", "04/04/2024", "2024-04-04T00:00:00Z"),
            ("epoch", "UTC", "#1704067200", "2024-01-01T00:00:00Z"),
            ("epoch", "UTC", "1704067200", "2024-01-01T00:00:00Z"),
            ("epochMillis", "UTC", "#1704067200123", "2024-01-01T00:00:00.123Z"),
            ("epoch", "UTC", "#1704067200.5", "Unread"),
            ("epoch", "UTC", "#99999999999999999", "Unread"),
            ("%Y", "UTC", "#2024", "Unread"),
            ("rfc3339", "Europe/Berlin", "2024-01-01T00:00:00+01:00", "2023-12-31T23:00:00Z"),
            ("rfc3339", "UTC", "2024-01-01T00:00:00", "Unread"),
        ] {
            let formats = if formats == "%Y" { "%Y-%j" } else { formats };
            assert_eq!(read(formats, zone, text), expected, "{text} by {formats}");
        }
        for (formats, first) in [
            ("%d/%m/%Y|%m/%d/%Y", "(Pattern(\"%d/%m/%Y\"), 1712102400000000)"),
            ("%m/%d/%Y|%d/%m/%Y", "(Pattern(\"%m/%d/%Y\"), 1709510400000000)"),
        ] {
            let found = read(formats, "UTC", "03/04/2024");
            assert!(found.starts_with(&format!("Ambiguous([{first}")), "{found}");
        }
    }

    #[test]
    fn formats_and_zones_that_cannot_be_read_with_are_refused() {
        for (format, expected) in [
            ("%H:%M", "found \"%H:%M\", expected a format that names a day, such as %d.%m.%Y"),
            ("%m/%Y", "found \"%m/%Y\", expected a format that names a day"),
            ("DD.MM.YYYY", "found \"DD.MM.YYYY\", expected a format that names a day"),
            ("%K", "found \"%K\", expected a format that names a day"),
            ("%Y-%m-%d %Q", "found \"%Y-%m-%d %Q\", expected a format that names a day"),
            ("%Y-%m-%d %Z", "found \"%Y-%m-%d %Z\", expected a format that names a day"),
            ("", "found \"\", expected a format that names a day"),
        ] {
            let found = DateFormat::parse(format).unwrap_err();
            assert!(found.starts_with(expected), "{found}");
        }
        for name in ["", "Mars/Base", "+2", "CEST "] {
            assert!(zone(name).unwrap_err().contains("expected the name of a time zone"), "{name}");
        }
    }
}
