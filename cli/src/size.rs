//! Sizes as people write them: `50MB`, `1.5 GiB`, `4096`.

/// The units, in bytes. Without a unit it is bytes.
const UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tb", 1_000_000_000_000),
];

/// The bytes that `text` says.
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim().to_lowercase();
    let digits = text.find(|character: char| !character.is_ascii_digit() && character != '.');
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit.trim())?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let tens = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let fraction: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let parts = u128::from(whole.parse::<u64>().ok()?) * u128::from(tens) + u128::from(fraction);
    u64::try_from(parts * u128::from(*unit) / u128::from(tens)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, expected) in [
            ("4096", Some(4096)),
            ("50MB", Some(50_000_000)),
            ("50 MiB", Some(52_428_800)),
            ("1.5GiB", Some(1_610_612_736)),
            ("2gb", Some(2_000_000_000)),
            ("1.5", Some(1)),
            ("", None),
            ("MB", None),
            ("-1", None),
            ("1.2.3kb", None),
            ("5 parsecs", None),
            ("99999999999999999999", None),
            ("18446744073709551615 tb", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
