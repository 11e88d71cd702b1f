//! The fields of one CSV row, by the same rules by which [`super::Framer`] found the row.

use std::ops::Range;

use memchr::memchr;

use super::Dialect;

/// One field: its text is `text` of the row, once doubled quotes are halved where `doubled` says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// The text, without the quotes around it.
    pub text: Range<usize>,
    /// Whether it stood in quotes.
    pub quoted: bool,
    /// Whether it holds doubled quotes.
    pub doubled: bool,
    /// Where text follows the closing quote, which no field may have.
    pub stray: Option<usize>,
}

/// The fields of a row.
pub(super) struct Fields<'row> {
    row: &'row [u8],
    dialect: Dialect,
    /// The first byte of the next field; none behind the last one.
    next: Option<usize>,
}

impl<'row> Fields<'row> {
    pub fn of(row: &'row [u8], dialect: Dialect) -> Self {
        Self { row, dialect, next: Some(0) }
    }

    fn delimiter_from(&self, from: usize) -> usize {
        memchr(self.dialect.delimiter, &self.row[from..]).map_or(self.row.len(), |length| from + length)
    }

    fn quoted(&self, start: usize) -> (Field, usize) {
        let mut doubled = false;
        let mut from = start;
        while let Some(length) = memchr(self.dialect.quote, &self.row[from..]) {
            let quote = from + length;
            match self.row.get(quote + 1) {
                Some(byte) if *byte == self.dialect.quote => {
                    doubled = true;
                    from = quote + 2;
                }
                Some(byte) if *byte != self.dialect.delimiter => {
                    let stray = Some(quote + 1);
                    return (
                        Field { text: start..quote, quoted: true, doubled, stray },
                        self.delimiter_from(quote + 1),
                    );
                }
                _ => {
                    return (Field { text: start..quote, quoted: true, doubled, stray: None }, quote + 1);
                }
            }
        }
        // The framer ends no row inside quotes.
        (Field { text: start..self.row.len(), quoted: true, doubled, stray: None }, self.row.len())
    }
}

impl Iterator for Fields<'_> {
    type Item = Field;

    fn next(&mut self) -> Option<Field> {
        let start = self.next?;
        let (field, end) = if self.row.get(start) == Some(&self.dialect.quote) {
            self.quoted(start + 1)
        } else {
            let end = self.delimiter_from(start);
            (Field { text: start..end, quoted: false, doubled: false, stray: None }, end)
        };
        self.next = (end < self.row.len()).then_some(end + 1);
        Some(field)
    }
}

/// The parts of `text` that make, joined, the same with every doubled quote halved.
pub(super) fn halved(text: &str, quote: u8) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr(quote, rest.as_bytes()).map_or(rest.len(), |quote| quote + 1);
        let part = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_fall_into_fields() {
        let usual = Dialect::default();
        let cases: &[(Dialect, &str, &[&str])] = &[
            (usual, "a,b", &["a", "b"]),
            (usual, "a,", &["a", ""]),
            (usual, ",", &["", ""]),
            (usual, "\"\"", &["quoted "]),
            (usual, "\"a,\nb\",c", &["quoted a,\nb", "c"]),
            (usual, "\"a\"\"b\"\"\"", &["quoted a\"b\""]),
            (usual, "a\"b\"\"c,\"d\"", &["a\"b\"\"c", "quoted d"]),
            (usual, "\"a\"b,c", &["stray a", "c"]),
            (usual, "\"a\" ,\"b\"", &["stray a", "quoted b"]),
            (usual, "\"a\"b\"c,\"d\"", &["stray a", "quoted d"]),
            (Dialect { delimiter: b';', quote: b'\'' }, "a,\"b\";'c;''d'''", &["a,\"b\"", "quoted c;'d'"]),
            (Dialect { delimiter: b'\t', ..usual }, "a;b\t\"c\td\"\t", &["a;b", "quoted c\td", ""]),
        ];
        for (dialect, row, expected) in cases {
            let shown = |field: Field| {
                let text: String = halved(&row[field.text.clone()], dialect.quote).collect();
                let kind = match field {
                    Field { stray: Some(_), .. } => "stray ",
                    Field { quoted: true, .. } => "quoted ",
                    _ => return row[field.text].to_owned(),
                };
                format!("{kind}{text}")
            };
            assert_eq!(
                Fields::of(row.as_bytes(), *dialect).map(shown).collect::<Vec<_>>(),
                *expected,
                "{row}"
            );
        }
    }
}
