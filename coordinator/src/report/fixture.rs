//! Operations, totals and rejects for the tests of what is shown.

use bytes::Bytes;
use carrack_shared::fault::{Fault, Frame, Reject, Stage};
use carrack_shared::format::Format;
use carrack_shared::layer::source::Layers;
use carrack_shared::operation::{Operation, OperationId, State, Totals};
use carrack_shared::record::Position;
use carrack_shared::spec::{ImportSpec, Source, Spec};
use carrack_shared::tally::Tally;
use jiff::Timestamp;

pub fn operation(state: State, planned: Option<u64>) -> Operation {
    let source = Source {
        data_type: None,
        name: "a.json".into(),
        key: "k".into(),
        etag: "e".into(),
        length: 1000,
        layers: Layers::default(),
    };
    Operation {
        id: OperationId::from_u128(7),
        state,
        epoch: 1,
        owner: "o".into(),
        spec: Spec::import(ImportSpec {
            batch_size: 10,
            sources: vec![source],
            ..ImportSpec::new("contexts", Format::Json)
        }),
        generation: 1,
        created_at: at(0),
        planned_at: planned.map(|_| at(1)),
        finished_at: state.is_terminal().then(|| at(9)),
        planned_records: planned,
        tally: None,
        decision: None,
        failure: None,
    }
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub fn totals(read: u64, bytes: u64) -> Totals {
    Totals { tally: Tally { read, created: read, ..Tally::default() }, bytes, batches: 1 }
}

pub fn reject(stage: Stage, frame: &'static [u8]) -> Reject {
    Reject {
        position: Position::new(0, 3),
        line: 5,
        byte_start: 10,
        byte_length: frame.len() as u64,
        sha256: [0; 32],
        faults: vec![Fault::new(stage, "x.y", "expected a").in_field("f")],
        key: None,
        winner: None,
        frame: Frame::Inline(Bytes::from_static(frame)),
    }
}
