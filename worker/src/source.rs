//! Reads the bytes of consecutive batches with one ranged GET.

use std::ops::Range;

use bytes::Bytes;
use carrack_shared::error::PortResult;
use carrack_shared::limits;
use carrack_shared::port::Objects;
use carrack_shared::segment::{Claim, Extent, Segment};
use carrack_shared::spec::Source;

/// Consecutive batches of one source that are read together.
pub(crate) struct Stretch<'run> {
    pub claims: Vec<(&'run Claim, &'run Segment)>,
    pub source: u32,
    pub bytes: Range<u64>,
}

/// Groups claims into stretches of at most [`limits::TASK_BYTES`], or one batch. A batch whose bytes are
/// not to be decoded stands alone and is not read here.
pub(crate) fn stretches(claims: &[Claim]) -> Vec<Stretch<'_>> {
    let mut stretches: Vec<Stretch<'_>> = Vec::new();
    for claim in claims {
        let Extent::Segment(segment) = &claim.batch.extent else { continue };
        match stretches.last_mut() {
            Some(last) if joins(last, claim, segment) => {
                last.bytes.end = segment.bytes.end;
                last.claims.push((claim, segment));
            }
            _ => stretches.push(Stretch {
                claims: vec![(claim, segment)],
                source: segment.source,
                bytes: segment.bytes.clone(),
            }),
        }
    }
    stretches
}

fn joins(stretch: &Stretch<'_>, claim: &Claim, segment: &Segment) -> bool {
    let Some((last, last_segment)) = stretch.claims.last() else { return false };
    stretch.source == segment.source
        && last.batch.number + 1 == claim.batch.number
        && last_segment.fault.is_none()
        && segment.fault.is_none()
        && segment.bytes.end - stretch.bytes.start <= limits::TASK_BYTES
}

/// The bytes of a stretch; each segment is then a slice of them.
pub(crate) async fn read(objects: &dyn Objects, source: &Source, stretch: &Stretch<'_>) -> PortResult<Bytes> {
    objects.get(&source.key, stretch.bytes.clone(), &source.etag).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use carrack_shared::fault::{Fault, Stage};
    use carrack_shared::segment::Batch;
    use carrack_shared::suspicion::Suspicion;

    fn claim(number: u32, source: u32, bytes: Range<u64>, bad: bool) -> Claim {
        let fault = bad.then(|| Fault::new(Stage::Frame, "record.too_large", "too large"));
        let segment =
            Segment { source, bytes, first_record: 1, first_line: 1, records: 1, hash: None, fault, packing: None };
        let batch = Batch { number, extent: Extent::Segment(segment) };
        Claim { batch, lease_epoch: 1, deaths: 0, suspicion: Suspicion::default() }
    }

    #[test]
    fn only_neighbours_of_one_source_are_read_together() {
        const MIB: u64 = 1024 * 1024;
        let table: [(&str, Vec<Claim>, &[usize]); 5] = [
            ("neighbours", vec![claim(0, 0, 0..9, false), claim(1, 0, 10..19, false)], &[2]),
            ("a hole", vec![claim(0, 0, 0..9, false), claim(2, 0, 20..29, false)], &[1, 1]),
            ("two sources", vec![claim(0, 0, 0..9, false), claim(1, 1, 0..9, false)], &[1, 1]),
            (
                "a bad one between",
                vec![claim(0, 0, 0..9, false), claim(1, 0, 9..12, true), claim(2, 0, 12..19, false)],
                &[1, 1, 1],
            ),
            ("too much", vec![claim(0, 0, 0..5 * MIB, false), claim(1, 0, 5 * MIB..9 * MIB, false)], &[1, 1]),
        ];
        for (what, claims, sizes) in table {
            let found: Vec<usize> = stretches(&claims).iter().map(|stretch| stretch.claims.len()).collect();
            assert_eq!(found, sizes, "{what}");
        }
    }
}
