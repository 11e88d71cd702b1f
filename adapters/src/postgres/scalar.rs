//! Integers, doubles, decimals and booleans in PostgreSQL's binary form, and back to cells.
//!
//! `numeric` is a sign and a row of digits to the base 10,000: how many there are, the power of the base that the
//! first one counts, the sign, how many decimals are shown, and the digits, each in two bytes.

use std::fmt::Write as _;

use bytes::{Buf, BufMut, BytesMut};
use carrack_shared::scalar;
use tokio_postgres::types::Type;

/// Decimal digits in a digit of `numeric`.
const DIGITS: usize = 4;
const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;

/// A cell that is not of its column's type, which validation does not let pass.
#[derive(Debug, thiserror::Error)]
#[error("a cell is no {0}, expected one")]
pub(super) struct Unfit(&'static str);

/// Whether a column of this type holds numbers or booleans.
pub(super) fn is_scalar(ty: &Type) -> bool {
    matches!(*ty, Type::INT8 | Type::FLOAT8 | Type::NUMERIC | Type::BOOL)
}

/// Appends the value of a cell.
pub(super) fn put(json: &[u8], ty: &Type, out: &mut BytesMut) -> Result<(), Unfit> {
    match *ty {
        Type::INT8 => out.put_i64(scalar::integer(json).ok_or(Unfit("bigint"))?),
        Type::FLOAT8 => out.put_f64(scalar::number(json).ok_or(Unfit("double precision"))?),
        Type::BOOL => out.put_u8(scalar::boolean(json).ok_or(Unfit("boolean"))?.into()),
        _ => put_numeric(json, out).ok_or(Unfit("numeric"))?,
    }
    Ok(())
}

/// The cell of a column's bytes; none if it is none that a file could say.
pub(super) fn read(ty: &Type, bytes: &[u8]) -> Option<String> {
    match *ty {
        Type::INT8 => Some(i64::from_be_bytes(bytes.try_into().ok()?).to_string()),
        Type::FLOAT8 => scalar::of_number(f64::from_be_bytes(bytes.try_into().ok()?)),
        Type::BOOL => Some((*bytes.first()? != 0).to_string()),
        _ => read_numeric(bytes),
    }
}

/// Appends a number in plain decimal.
fn put_numeric(json: &[u8], out: &mut BytesMut) -> Option<()> {
    let (sign, unsigned) = match json.strip_prefix(b"-") {
        Some(unsigned) => (NEGATIVE, unsigned),
        None => (POSITIVE, json),
    };
    let mut parts = unsigned.splitn(2, |byte| *byte == b'.');
    let (whole, fraction) = (parts.next()?, parts.next().unwrap_or_default());
    // Four to a digit, counted from the point.
    let before = [&b"0000"[..(DIGITS - whole.len() % DIGITS) % DIGITS], whole].concat();
    let behind = [fraction, &b"0000"[..(DIGITS - fraction.len() % DIGITS) % DIGITS]].concat();
    let groups = before.chunks(DIGITS).chain(behind.chunks(DIGITS));
    let digits: Vec<u16> = groups.map(digit).collect::<Option<_>>()?;
    let first = digits.iter().position(|digit| *digit != 0).unwrap_or(digits.len());
    let last = digits.iter().rposition(|digit| *digit != 0).map_or(first, |last| last + 1);
    let weight = i16::try_from(before.len() / DIGITS).ok()? - 1 - i16::try_from(first).ok()?;
    out.put_u16(u16::try_from(last - first).ok()?);
    out.put_i16(weight);
    out.put_u16(sign);
    out.put_u16(u16::try_from(fraction.len()).ok()?);
    digits[first..last].iter().for_each(|digit| out.put_u16(*digit));
    Some(())
}

fn digit(group: &[u8]) -> Option<u16> {
    group.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u16::from(byte - b'0')))
}

/// A number in plain decimal; none for `NaN` and infinities.
fn read_numeric(mut bytes: &[u8]) -> Option<String> {
    let count = bytes.try_get_u16().ok()?;
    let weight = i32::from(bytes.try_get_i16().ok()?);
    let sign = bytes.try_get_u16().ok()?;
    let _decimals_shown = bytes.try_get_u16().ok()?;
    let digits: Vec<u16> = (0..count).map(|_| bytes.try_get_u16().ok()).collect::<Option<_>>()?;
    if !matches!(sign, POSITIVE | NEGATIVE) {
        return None;
    }
    // The digit that counts a power of the base.
    let of_power = |power: i32| {
        let index = usize::try_from(weight - power).ok();
        index.and_then(|index| digits.get(index)).copied().unwrap_or_default()
    };
    let mut whole = String::new();
    for power in (0..=weight).rev() {
        // Writing to a string cannot fail.
        let _ = write!(whole, "{:04}", of_power(power));
    }
    let mut fraction = String::new();
    for power in (weight + 1 - i32::from(count)..0).rev() {
        let _ = write!(fraction, "{:04}", of_power(power));
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let sign = if sign == NEGATIVE { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written as documented in the sources of PostgreSQL (`numeric_send`), and read back.
    #[test]
    fn numerics_have_the_form_of_the_server() {
        let cases: [(&str, &[u16]); 10] = [
            ("0", &[0, 0xffff, 0, 0]),
            ("1", &[1, 0, 0, 0, 1]),
            ("-1", &[1, 0, 0x4000, 0, 1]),
            ("10000", &[1, 1, 0, 0, 1]),
            ("123456789", &[3, 2, 0, 0, 1, 2345, 6789]),
            ("0.1", &[1, 0xffff, 0, 1, 1000]),
            ("0.00001", &[1, 0xfffe, 0, 5, 1000]),
            ("-12345.6789012", &[4, 1, 0x4000, 7, 1, 2345, 6789, 120]),
            ("100000000", &[1, 2, 0, 0, 1]),
            ("10000.0001", &[3, 1, 0, 4, 1, 0, 1]),
        ];
        for (number, expected) in cases {
            let mut out = BytesMut::new();
            put(number.as_bytes(), &Type::NUMERIC, &mut out).unwrap();
            let found: Vec<u16> = out.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            // The weight of zero says nothing.
            assert_eq!((found[0], &found[2..]), (expected[0], &expected[2..]), "{number}");
            assert!(number == "0" || found[1] == expected[1], "{number}: {found:?}");
            assert_eq!(read(&Type::NUMERIC, &out).as_deref(), Some(number));
        }
        // What the server makes of NaN, of an infinity, and of 1.50.
        let others: [(&[u16], Option<&str>); 3] = [
            (&[0, 0, 0xc000, 0], None),
            (&[0, 0, 0xd000, 0x20], None),
            (&[2, 0, 0, 2, 1, 5000], Some("1.5")),
        ];
        for (words, expected) in others {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            assert_eq!(read(&Type::NUMERIC, &bytes).as_deref(), expected, "{words:?}");
        }
    }

    #[test]
    fn what_does_not_fit_its_column_is_refused() {
        for (json, ty) in
            [("1.5", Type::INT8), ("x", Type::FLOAT8), ("1", Type::BOOL), ("1e5", Type::NUMERIC)]
        {
            assert!(put(json.as_bytes(), &ty, &mut BytesMut::new()).is_err(), "{json} as {ty}");
        }
    }
}
