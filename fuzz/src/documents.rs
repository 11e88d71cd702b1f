//! A stored or sent document that is accepted is written and read again as the same.

use std::fmt::Debug;

use carrack_shared::port::planning::Cursor;
use carrack_shared::segment::Facts;
use carrack_shared::spec::Spec;
use carrack_shared::suspicion::Suspicion;
use carrack_shared::task::Task;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads `input` as each kind of document.
pub fn read_back(input: &[u8]) {
    same::<Spec>(input);
    same::<Facts>(input);
    same::<Cursor>(input);
    same::<Suspicion>(input);
    if let Ok(task) = Task::from_message(input) {
        let again = Task::from_message(&task.to_message());
        assert_eq!(again.expect("what is sent is read"), task);
    }
}

fn same<D: DeserializeOwned + Serialize + PartialEq + Debug>(input: &[u8]) {
    let Ok(document) = serde_json::from_slice::<D>(input) else { return };
    let written = serde_json::to_vec(&document).expect("what was read is written");
    assert_eq!(serde_json::from_slice::<D>(&written).expect("what was written is read"), document);
}
