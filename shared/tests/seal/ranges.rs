//! Any range of a content, whatever its length and however it came: the bytes that stand there.

use carrack_shared::layer::chunks::{self, CHUNK, HEAD};
use carrack_shared::layer::sealed::ChunkedKey;
use carrack_shared::layer::secret::DataKey;
use proptest::prelude::*;

use crate::{Opened, accessed, end, sealed, streamed};

const CONTEXT: &[u8] = b"context";

/// Lengths around the seams, and others.
fn length() -> impl Strategy<Value = usize> {
    let seam =
        (0..4_usize, -2..=2_isize).prop_map(|(chunks, off)| (chunks * CHUNK).saturating_add_signed(off));
    prop_oneof![seam, 0..70_000_usize, 0..100_usize]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_range_is_what_stands_there(
        length in length(),
        (from, to) in (length(), length()),
        (feed, piece) in (1..40_000_usize, 1..40_000_usize),
    ) {
        let key = DataKey::new([3; 32]);
        let plain: Vec<u8> = (0..length).map(|at| (at * 31 / 7) as u8).collect();
        let content = sealed(&key, CONTEXT, [4; 24], &plain, feed);
        let total = length as u64;
        prop_assert_eq!(content.len() as u64, chunks::sealed_length(total));
        prop_assert_eq!(chunks::plain_length(content.len() as u64), Ok(total));

        let keys = ChunkedKey::new(&key, CONTEXT, content.first_chunk::<HEAD>().unwrap()).unwrap();
        prop_assert_eq!(end(&keys, &content), Ok(()));
        let expected = Opened { end: Ok(()), plain, result: Ok(()) };
        prop_assert!(streamed(&key, CONTEXT, &content, piece) == expected);
        prop_assert!(accessed(&key, CONTEXT, &content) == expected);
        let plain = expected.plain;

        let (from, to) = (from.min(to).min(length), to.max(from).min(length));
        let range = from as u64..to as u64;
        let stored = chunks::stored(range.clone(), total);
        let bytes = &content[stored.start as usize..stored.end as usize];
        let mut out = b"before".to_vec();
        keys.open_range(range.clone(), total, bytes, &mut out).unwrap();
        prop_assert!(out.strip_prefix(b"before") == Some(&plain[from..to]));

        // A byte too few, one too many, one altered: nothing is added.
        let mut altered = bytes.to_vec();
        altered.iter_mut().take(1).for_each(|byte| *byte ^= 1);
        let (short, long) = (bytes.split_last().map_or(b"x".as_slice(), |(_, rest)| rest), [bytes, b"x"].concat());
        let mut refused = vec![short, &long];
        if !bytes.is_empty() {
            refused.push(&altered);
        }
        for bytes in refused {
            let mut out = b"before".to_vec();
            prop_assert!(keys.open_range(range.clone(), total, bytes, &mut out).is_err());
            prop_assert_eq!(out, b"before");
        }
        let past = keys.open_range(from as u64..total + 1, total, bytes, &mut out).unwrap_err();
        prop_assert_eq!(past.code, "seal.truncated");
    }
}
