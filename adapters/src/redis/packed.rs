//! The stored form of one batch's counts: eight numbers in decimal, with a space between them, in the order
//! `read created updated unchanged skipped rejected filtered bytes`. The keys carry the form's version.

use carrack_shared::operation::Totals;
use carrack_shared::tally::Tally;

/// Writes the counts of one batch.
pub fn pack(totals: &Totals) -> String {
    let Tally { read, created, updated, unchanged, skipped, rejected, filtered } = totals.tally;
    let bytes = totals.bytes;
    format!("{read} {created} {updated} {unchanged} {skipped} {rejected} {filtered} {bytes}")
}

/// Reads back [`pack`]; none for anything else.
pub fn unpack(text: &str) -> Option<Totals> {
    let numbers: Vec<u64> = text.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [read, created, updated, unchanged, skipped, rejected, filtered, bytes] = *numbers.as_slice() else {
        return None;
    };
    let tally = Tally { read, created, updated, unchanged, skipped, rejected, filtered };
    Some(Totals { tally, bytes, batches: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_back_and_keep_their_form() {
        let tally =
            Tally { read: 21, created: 1, updated: 2, unchanged: 3, skipped: 4, rejected: 11, filtered: 2 };
        let totals = Totals { tally, bytes: u64::MAX, batches: 1 };
        assert_eq!(pack(&totals), "21 1 2 3 4 11 2 18446744073709551615");
        assert_eq!(unpack(&pack(&totals)), Some(totals));
        for bad in ["", "1", "1 2 3 4 5 6 7", "1 2 3 4 5 6 7 8 9", "1 2 3 4 5 6 7 -8", "1 2 3 4 5 6 7 x"] {
            assert_eq!(unpack(bad), None, "{bad:?}");
        }
    }
}
