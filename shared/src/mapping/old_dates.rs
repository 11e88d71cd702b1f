//! `parseOldDateFormat`: dates as old systems wrote them, in forms that can mean one thing only.
//!
//! Read are RFC 3339 itself and the [`DAYS`], each with one of the [`TIMES`] behind it or none, and the
//! [`WHOLE`] forms. What has no offset is in UTC. A day written with slashes or dashes between its numbers may
//! have the day or the month first: it is read where only one of the two exists, as in 14/03/2009, and refused
//! otherwise, for which the transformation `date` has its formats.

use jiff::tz::TimeZone;

use super::date::{DateFormat, Dates, NoDate, by_pattern};
use super::value::Value;
use crate::format::instant::{self, NoInstant};

/// Days. With dots, the day stands first: no country writes months so.
pub(crate) const DAYS: [&str; 11] = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y%m%d",
    "%d.%m.%Y",
    "%d %B %Y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%B %d %Y",
    "%b %d %Y",
];

/// Days whose first number may be the day or the month.
pub(crate) const EITHER_WAY: [[&str; 2]; 2] = [["%d/%m/%Y", "%m/%d/%Y"], ["%d-%m-%Y", "%m-%d-%Y"]];

/// Times of the day.
pub(crate) const TIMES: [&str; 6] = ["", " %H:%M", " %H:%M:%S%.f", "T%H:%M", "T%H:%M:%S%.f", " %I:%M %p"];

/// Forms that stand by themselves: of mail, of C's `asctime`, and digits alone.
pub(crate) const WHOLE: [&str; 4] =
    ["%a, %d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y", "%Y%m%d%H%M%S"];

/// The instant that a text names.
///
/// # Errors
/// When no form reads it, or it may mean two days.
pub(crate) fn read(text: &str) -> Result<i64, NoDate> {
    let text = text.trim();
    match instant::parse(text) {
        Ok(instant) => return Ok(instant),
        Err(NoInstant::Precision) => return Err(NoDate::Precision),
        Err(NoInstant::Invalid) => {}
    }
    let mut why = NoDate::Unread;
    let with_times = |day: &'static str| TIMES.iter().map(move |time| format!("{day}{time}"));
    let plain = DAYS.into_iter().filter(|day| could_be(day, text)).flat_map(with_times);
    for pattern in plain.chain(WHOLE.map(str::to_owned)) {
        match by_pattern(&pattern, text, &TimeZone::UTC) {
            Err(NoDate::Unread) => {}
            Err(other) => why = other,
            read => return read,
        }
    }
    for [one, other] in EITHER_WAY.iter().filter(|[day, _]| could_be(day, text)) {
        for time in TIMES {
            let formats = [one, other].map(|day| DateFormat::Pattern(format!("{day}{time}")));
            let dates = Dates { formats: formats.into(), zone: TimeZone::UTC };
            match dates.read(&Value::Text(text.into())) {
                Err(NoDate::Unread) => {}
                Err(other) => why = other,
                read => return read,
            }
        }
    }
    Err(why)
}

/// Whether a text begins with a digit where the pattern wants one: spares most patterns for most texts.
fn could_be(pattern: &str, text: &str) -> bool {
    let named = pattern.starts_with("%B") || pattern.starts_with("%b");
    text.starts_with(|first: char| first.is_ascii_digit()) != named
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::instant;

    #[test]
    fn old_forms_are_read_and_doubtful_ones_refused() {
        for (text, expected) in [
            ("2009-03-14", "2009-03-14T00:00:00Z"),
            ("2009-03-14T15:26:53+01:00", "2009-03-14T14:26:53Z"),
            ("2009-03-14 15:26", "2009-03-14T15:26:00Z"),
            ("2009-03-14 15:26:53", "2009-03-14T15:26:53Z"),
            ("2009-03-14 15:26:53.589", "2009-03-14T15:26:53.589Z"),
            ("2009-03-14T15:26:53", "2009-03-14T15:26:53Z"),
            ("2009/03/14", "2009-03-14T00:00:00Z"),
            ("20090314", "2009-03-14T00:00:00Z"),
            ("20090314152653", "2009-03-14T15:26:53Z"),
            (" 14.03.2009 ", "2009-03-14T00:00:00Z"),
            ("3.4.2009 15:26", "2009-04-03T15:26:00Z"),
            ("14 March 2009", "2009-03-14T00:00:00Z"),
            ("14 Mar 2009", "2009-03-14T00:00:00Z"),
            ("14-Mar-2009", "2009-03-14T00:00:00Z"),
            ("March 14, 2009", "2009-03-14T00:00:00Z"),
            ("Mar 14, 2009 03:26 PM", "2009-03-14T15:26:00Z"),
            ("Mar 14 2009", "2009-03-14T00:00:00Z"),
            ("Sat, 14 Mar 2009 15:26:53 +0100", "2009-03-14T14:26:53Z"),
            ("Sat, 14 Mar 2009 15:26:53 GMT", "2009-03-14T15:26:53Z"),
            ("Sat Mar 14 15:26:53 2009", "2009-03-14T15:26:53Z"),
            ("Sun Mar 14 15:26:53 2009", "Unread"),
            ("14/03/2009", "2009-03-14T00:00:00Z"),
            ("03/14/2009", "2009-03-14T00:00:00Z"),
            ("03/14/2009 03:26 PM", "2009-03-14T15:26:00Z"),
            ("14-03-2009", "2009-03-14T00:00:00Z"),
            ("3/3/2009", "2009-03-03T00:00:00Z"),
            ("2009-03-14T15:26:53.5897932Z", "Precision"),
            ("2009-03-14 15:26:53.5897932", "Precision"),
            ("14.03.09", "Unread"),
            ("14/03/09", "Unread"),
            ("30.02.2009", "Unread"),
            ("14/14/2009", "Unread"),
            ("1237044413", "Unread"),
            ("yesterday", "Unread"),
            ("", "Unread"),
        ] {
            let found = read(text).map_or_else(|why| format!("{why:?}"), instant::text);
            assert_eq!(found, expected, "{text}");
        }
        for text in ["03/04/2009", "3-4-2009 15:26"] {
            assert!(matches!(read(text), Err(NoDate::Ambiguous(_))), "{text}");
        }
    }

    #[test]
    fn the_document_lists_every_form() {
        let document = include_str!("../../../docs/mapping.md");
        let either = EITHER_WAY.iter().flatten();
        for form in DAYS.iter().chain(either).chain(&WHOLE).chain(TIMES[1..].iter()) {
            assert!(
                document.contains(&format!("`{}`", form.trim_start())),
                "expected {form} in docs/mapping.md"
            );
        }
    }
}
