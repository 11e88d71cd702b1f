//! Where an input is cut changes nothing: any batch size, pieces of any size and planning that goes on from
//! every cursor give what one batch in one piece gives.

use carrack_shared::format::Format;
use carrack_shared::pipeline::split::Rules;

use crate::support::{WHOLE, resumed, run, split};

/// Compares the ways of cutting `input`.
pub fn change_nothing(format: Format, input: &[u8]) {
    let (rules, piece) = cuts_of(input);
    let whole = Rules { record_bytes: rules.record_bytes, ..WHOLE };
    let expected = run(format, input, whole, input.len());
    assert_eq!(run(format, input, rules, piece), expected, "{rules:?}, pieces of {piece}");
    let (segments, _, broken) = split(format, input, rules, piece);
    for (cursor, rest, broken_then) in resumed(format, input, rules, piece) {
        let planned = segments.iter().take_while(|segment| segment.bytes.end <= cursor.byte).count();
        assert_eq!(rest, segments[planned..], "from {cursor:?}, {rules:?}");
        if cursor.byte < input.len() as u64 {
            assert_eq!(broken_then, broken, "from {cursor:?}, {rules:?}");
        }
    }
}

/// How to cut an input, decided by the input itself, so that a seed is an ordinary file and a failure is
/// repeated by its input alone.
fn cuts_of(input: &[u8]) -> (Rules, usize) {
    let sum = input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let [records, bytes, record, piece, ..] = (sum ^ sum >> 32).to_le_bytes();
    let rules = Rules {
        batch_records: u32::from(records % 8) + 1,
        batch_bytes: u64::from(bytes) + 1,
        record_bytes: if record < 64 { u64::from(record) + 5 } else { u64::MAX },
    };
    (rules, usize::from(piece % 16) + 1)
}
