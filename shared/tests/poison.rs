//! A record that is known to end workers is refused unread, and the others are as they were.
#![allow(clippy::unwrap_used, reason = "a failure is a failed test")]

mod support;

use bytes::Bytes;
use carrack_shared::fault::{Frame, Stage};
use carrack_shared::format::Format;
use carrack_shared::pipeline::Plan;
use jiff::Timestamp;
use support::{WHOLE, contexts, spec, split};

#[test]
fn poison_is_refused_unread_and_the_others_are_as_they_were() {
    // Each line as JSON and as CSV holds what would be another fault, if it were read.
    for (format, input, [first, second, third], missing) in [
        (
            Format::Json,
            &b"{\"id\":\"1\",\"title\":\"t\",\"content\":\"c\"}\n\xff\n{\"id\":\"3\"}"[..],
            [1, 2, 3],
            "required.missing required.missing",
        ),
        (Format::Csv, b"id,title,content\n1,t,c\n\xff,,\n3,\"t\nt\",\n", [2, 3, 4], "required.missing"),
    ] {
        let (segments, facts, _) = split(format, input, WHOLE, input.len());
        let [segment] = segments.as_slice() else { panic!("one segment") };
        let plan = Plan::compile(&spec(format), &contexts(), &facts.unwrap(), Timestamp::UNIX_EPOCH);
        let bytes = Bytes::copy_from_slice(
            &input
                [usize::try_from(segment.bytes.start).unwrap()..usize::try_from(segment.bytes.end).unwrap()],
        );
        let framed = plan.frame(segment, &bytes).unwrap();
        let told = |records: std::ops::Range<u32>, poison: &[u32]| {
            let decoded = plan.decode(&framed, records, poison);
            let rows = (0..decoded.rows.len())
                .map(|row| (decoded.rows.origin(row).position.record(), "good".into()));
            let rejects = decoded.rejects.iter().map(|reject| {
                let codes: Vec<_> = reject.faults.iter().map(|fault| fault.code.as_ref()).collect();
                (reject.position.record(), format!("{} on line {}", codes.join(" "), reject.line))
            });
            let mut told: Vec<(u64, String)> = rows.chain(rejects).collect();
            told.sort();
            told.into_iter().map(|(record, what)| format!("{record}: {what}")).collect::<Vec<_>>()
        };
        let (one, three) = ("1: good".to_owned(), format!("3: {missing} on line {third}"));
        let utf8 = format!("2: encoding.utf8 on line {second}");
        let poison = |record: u64, line: u64| format!("{record}: record.poison on line {line}");
        assert_eq!(told(0..3, &[]), [one.clone(), utf8.clone(), three.clone()]);
        assert_eq!(told(0..3, &[1]), [one.clone(), poison(2, second), three.clone()]);
        assert_eq!(told(0..3, &[2, 0]), [poison(1, first), utf8.clone(), poison(3, third)]);
        assert_eq!(told(1..3, &[]), [utf8, three]);
        assert_eq!(told(0..1, &[1]), [one]);
        assert_eq!(told(1..1, &[1]), [""; 0]);
        let reject = &plan.decode(&framed, 1..2, &[1]).rejects[0];
        let start = usize::try_from(reject.byte_start).unwrap();
        let raw = &input[start..start + usize::try_from(reject.byte_length).unwrap()];
        assert_eq!(reject.frame, Frame::Inline(Bytes::copy_from_slice(raw)));
        assert_eq!(reject.faults[0].stage, Stage::Decode);
    }
}
