//! Which bytes end a line, for the numbers in messages.

use memchr::memchr_iter;

use super::Format;

/// How many lines end in `bytes`, of which a `\r` at the end stands alone. Lines end with `\n`. In CSV
/// they end where rows can: with `\n`, with `\r\n`, and with a `\r` by itself, as on old Macs.
pub fn ended(format: Format, bytes: &[u8]) -> u64 {
    let newlines = memchr_iter(b'\n', bytes).count();
    let returns = match format {
        Format::Csv => memchr_iter(b'\r', bytes).filter(|at| bytes.get(at + 1) != Some(&b'\n')).count(),
        _ => 0,
    };
    (newlines + returns) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_the_format_has_it() {
        for (bytes, json, csv) in
            [("", 0, 0), ("a\nb\n", 2, 2), ("a\r\nb\r\n", 2, 2), ("a\rb\r", 0, 2), ("\r\r\n\n\r", 2, 4)]
        {
            let found = [Format::Json, Format::Csv].map(|format| ended(format, bytes.as_bytes()));
            assert_eq!(found, [json, csv], "{bytes:?}");
        }
    }
}
