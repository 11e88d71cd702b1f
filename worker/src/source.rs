//! Reads the text of consecutive batches with one ranged GET, and opens what it is wrapped in.

use std::ops::Range;

use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError};
use carrack_shared::fault::{Fault, Stage};
use carrack_shared::format::SourceFacts;
use carrack_shared::layer::Trouble;
use carrack_shared::layer::source::Reader;
use carrack_shared::limits;
use carrack_shared::segment::{Claim, Extent, Packing, Segment};
use carrack_shared::spec::ImportSpec;

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
        && lie_together(last_segment.packing.as_ref(), segment.packing.as_ref())
}

/// Whether one GET brings both.
fn lie_together(one: Option<&Packing>, next: Option<&Packing>) -> bool {
    match (one, next) {
        (None, None) => true,
        (Some(one), Some(next)) => match &one.staged {
            Some(_) => one.staged == next.staged,
            None => next.staged.is_none() && one.bytes.end == next.bytes.start,
        },
        _ => false,
    }
}

impl Stretch<'_> {
    /// What holds all its text, if that is not bytes of the source as they stand.
    fn packing(&self) -> Option<Packing> {
        let packing = |(_, segment): &(&Claim, &Segment)| segment.packing.clone();
        let (first, last) = (self.claims.first().and_then(packing)?, self.claims.last().and_then(packing)?);
        match first.staged {
            Some(_) => Some(first),
            None => Some(Packing {
                bytes: first.bytes.start..last.bytes.end,
                text: first.text.start..last.text.end,
                ..first
            }),
        }
    }
}

/// The bytes of a stretch; each segment is then a slice of them.
///
/// # Errors
/// When they cannot be read; a fault when they do not open, or hold more than the plan says.
pub(crate) async fn read(
    reader: &Reader,
    spec: &ImportSpec,
    facts: &SourceFacts,
    stretch: &Stretch<'_>,
) -> Result<Bytes, Trouble> {
    let bytes = stretch.bytes.clone();
    let packing = stretch.packing();
    let packed = reader.fetch(packing.as_ref(), bytes.clone()).await?;
    if packing.is_none() {
        return Ok(packed.open(bytes)?.0);
    }
    let frames_of_source = packing.is_some_and(|packing| packing.staged.is_none());
    let ends: Vec<_> = stretch.claims.iter().map(|(_, segment)| segment.bytes.clone()).collect();
    let (stretch, facts) = (bytes.clone(), facts.clone());
    let (format, reading) = (spec.format, spec.reading.clone());
    let opening = tokio::task::spawn_blocking(move || {
        let (text, start) = packed.open(stretch.clone())?;
        if frames_of_source {
            check_gaps(&facts, &text, start, &ends)?;
            let before = &text[..index(&text, start, stretch.start)];
            if !format.is_head(&reading, before) {
                return Err(wrong_index(start, stretch.start));
            }
        }
        Ok(text.slice(index(&text, start, stretch.start)..index(&text, start, stretch.end)))
    });
    match opening.await {
        Ok(opened) => Ok(opened?),
        // This process stops; another one reads it.
        Err(error) if error.is_cancelled() => {
            Err(PortError::new(ErrorKind::Unavailable, "worker", "opening was stopped").into())
        }
        Err(error) => {
            let message = format!("what was read could not be opened: {error}");
            Err(Fault::new(Stage::Open, "internal.panic", message).into())
        }
    }
}

/// Whether there is nothing in the frames beside the records that the index tells of: it is only believed,
/// and what it would leave out would be lost.
fn check_gaps(facts: &SourceFacts, text: &[u8], start: u64, segments: &[Range<u64>]) -> Result<(), Fault> {
    let ends = segments.iter().map(|segment| segment.end);
    let begins = segments.iter().skip(1).map(|segment| segment.start);
    for (from, to) in ends.zip(begins.chain([start + text.len() as u64])) {
        if !facts.is_gap(&text[index(text, start, from)..index(text, start, to)]) {
            return Err(wrong_index(from, to));
        }
    }
    Ok(())
}

fn wrong_index(from: u64, to: u64) -> Fault {
    let message = format!(
        "bytes {from} to {to} of the text hold records, expected none there as its index says: \
         compress the file anew"
    );
    Fault::new(Stage::Open, "index.wrong", message)
}

fn index(text: &[u8], start: u64, byte: u64) -> usize {
    usize::try_from(byte.saturating_sub(start)).unwrap_or(usize::MAX).min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use carrack_shared::fault::{Fault, Stage};
    use carrack_shared::segment::Batch;
    use carrack_shared::suspicion::Suspicion;

    fn claim(number: u32, source: u32, bytes: Range<u64>, bad: bool) -> Claim {
        let fault = bad.then(|| Fault::new(Stage::Frame, "record.too_large", "too large"));
        let segment = Segment {
            source,
            bytes,
            first_record: 1,
            first_line: 1,
            records: 1,
            hash: None,
            fault,
            packing: None,
        };
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
