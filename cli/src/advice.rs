//! What to do about a fault: what `docs/faults.md` says of its code, which is the only place that says it.

/// The document.
const FAULTS: &str = include_str!("../../docs/faults.md");

/// The heading of the column that says it.
const COLUMN: &str = "what to do";

/// What to do about the faults of this code, if there is more to say than their messages do.
pub fn of(code: &str) -> Option<&'static str> {
    let quoted = format!("`{code}`");
    let mut column = None;
    for line in FAULTS.lines() {
        if !line.starts_with('|') {
            column = None;
            continue;
        }
        let cells = cells(line);
        match column {
            None => column = Some(cells.iter().position(|cell| *cell == COLUMN)),
            Some(column) if cells.first().is_some_and(|codes| codes.contains(&quoted)) => {
                return column.and_then(|at| cells.get(at).copied()).filter(|advice| !advice.is_empty());
            }
            Some(_) => {}
        }
    }
    None
}

/// The cells of a row. A bar in a span of code is one of its characters.
fn cells(row: &str) -> Vec<&str> {
    let mut inside = false;
    let bars = row.match_indices(['|', '`']).filter_map(|(at, mark)| {
        inside ^= mark == "`";
        (mark == "|" && !inside && !row[..at].ends_with('\\')).then_some(at)
    });
    let bars: Vec<usize> = bars.collect();
    bars.windows(2).map(|pair| row[pair[0] + 1..pair[1]].trim()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_what_to_do() {
        for (code, expected) in [
            (
                "csv.ragged",
                Some(
                    "often a delimiter or a quote inside a cell: such cells stand in quotes, with the quotes in them doubled",
                ),
            ),
            ("number.precision", Some("make the field a decimal")),
            ("csv.header_empty", None),
            ("record.faults", None),
            ("no.such_code", None),
        ] {
            assert_eq!(of(code), expected, "{code}");
        }
        assert!(of("type.boolean").is_some(), "one of several in a cell");
    }
}
