//! Rows that the table itself refuses: isolated, told, and never in the way of others.

use std::collections::HashMap;
use std::sync::Arc;

use carrack_shared::fault::{Frame, Reject, Stage};
use carrack_shared::limits::INLINE_FRAME_BYTES;
use carrack_shared::operation::Totals;
use carrack_shared::port::batches::Commit;
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::record::Position;
use carrack_shared::spec::Duplicates;
use sha2::{Digest, Sha256};

use super::Fresh;
use super::fixture::{Record, cut, many, records};
use super::import::{LEASE, Planned, create, done, import_spec, tally};
use super::model::{refusals, rows_of};

/// A store whose table of contexts refuses titles that begin with `refused`.
async fn refusing(fresh: &Fresh) -> Arc<dyn carrack_shared::port::Store> {
    let store = fresh.store();
    let first = create(&store, import_spec(Duplicates::Skip)).await;
    store.cancel(first.id).await.unwrap();
    fresh.refuse_titles("contexts").await;
    store
}

pub(super) async fn a_row_that_the_table_refuses_leaves_the_others_alone(fresh: Fresh) {
    let store = refusing(&fresh).await;
    let records = records("a=1 b=2 c=refused d=4 e=5");
    let import = Planned::import(&store, Duplicates::Reject, cut(&records, &[1])).await;
    assert_eq!(import.load_all().await, tally([4, 0, 0, 0, 1]));
    assert_eq!(rows_of(&fresh, "").await, ["a=1", "b=2", "d=4", "e=5"]);
    let rejects = store.rejects(import.operation.id, &RejectPage::first(9)).await.unwrap();
    let [reject] = &rejects[..] else { panic!("expected one reject, found {rejects:?}") };
    let [fault] = &reject.faults[..] else { panic!("expected one fault, found {:?}", reject.faults) };
    assert_eq!((fault.stage, &*fault.code), (Stage::Load, "table.refused"));
    assert!(!fault.message.is_empty());
    // Two lines for each record; the first record is the line 2, behind the head of the source.
    let before = records[..2].iter().map(|record| record.frame().len() as u64 + 1).sum::<u64>();
    let frame = records[2].frame();
    let expected = Reject {
        position: Position::new(0, 3),
        line: 6,
        byte_start: 2 + before,
        byte_length: frame.len() as u64,
        sha256: Sha256::digest(frame).into(),
        faults: reject.faults.clone(),
        key: reject.key.clone(),
        winner: None,
        frame: Frame::Inline(frame.to_vec().into()),
    };
    assert_eq!(reject, &expected);
}

pub(super) async fn several_refused_rows_are_isolated_each(fresh: Fresh) {
    let store = refusing(&fresh).await;
    let mut records = many("k", 200);
    let refused = [0, 1, 2, 77, 78, 130, 198, 199];
    for at in refused {
        records[at] = Record::new(records[at].id(), "refused");
    }
    let import = Planned::import(&store, Duplicates::Skip, cut(&records, &[])).await;
    assert_eq!(import.load_all().await, tally([192, 0, 0, 0, 8]));
    let expected: Vec<_> =
        refused.map(|at| (Position::new(0, at as u64 + 1), "table.refused".to_owned(), None)).into();
    assert_eq!(refusals(&import).await, expected);
    assert_eq!(rows_of(&fresh, "k").await.len(), 192);

    let all = vec![Record::new("x", "refused"), Record::new("y", "refused too")];
    let import = Planned::import(&store, Duplicates::Overwrite, cut(&all, &[])).await;
    assert_eq!(import.load_all().await, tally([0, 0, 0, 0, 2]));
}

pub(super) async fn a_refused_update_leaves_the_row_as_it_was(fresh: Fresh) {
    let store = refusing(&fresh).await;
    Planned::import(&store, Duplicates::Skip, cut(&records("a=1 b=2 c=3"), &[])).await.load_all().await;
    let import =
        Planned::import(&store, Duplicates::Overwrite, cut(&records("a=9 b=refused c=3"), &[])).await;
    assert_eq!(import.load_all().await, tally([0, 1, 1, 0, 1]));
    assert_eq!(rows_of(&fresh, "").await, ["a=9", "b=2", "c=3"]);
    assert_eq!(refusals(&import).await, [(Position::new(0, 2), "table.refused".into(), None)]);
}

pub(super) async fn the_next_contender_wins_when_the_first_is_refused(fresh: Fresh) {
    let store = refusing(&fresh).await;
    let in_file = |record, winner| {
        (Position::new(0, record), "duplicate.in_file".to_owned(), Some(Position::new(0, winner)))
    };
    let refused = |record| (Position::new(0, record), "table.refused".to_owned(), None);
    let cases = [
        (
            Duplicates::Reject,
            "r=refused r=refused r=good r=later",
            [1, 0, 0, 0, 3],
            vec![refused(1), refused(2), in_file(4, 3)],
        ),
        (
            Duplicates::Skip,
            "s=refused s=refused s=good s=later",
            [1, 0, 0, 1, 2],
            vec![refused(1), refused(2)],
        ),
        // The last contender is tried first; the two behind the winner are not tried at all.
        (Duplicates::Overwrite, "o=refused o=earlier o=good o=refused", [1, 0, 0, 2, 1], vec![refused(4)]),
    ];
    for (mode, contenders, counts, rejects) in cases {
        let import = Planned::import(&store, mode, cut(&records(contenders), &[])).await;
        assert_eq!(import.load_all().await, tally(counts), "{mode:?}");
        assert_eq!(refusals(&import).await, rejects, "{mode:?}");
        let key = &contenders[..1];
        assert_eq!(rows_of(&fresh, key).await, [format!("{key}=good")]);
    }
}

pub(super) async fn a_long_frame_is_asked_for_before_anything_happens(fresh: Fresh) {
    let store = refusing(&fresh).await;
    let long = INLINE_FRAME_BYTES + 1;
    let records = [
        Record::new("a", "1").framed(long),
        Record::new("a", "2").framed(long),
        Record::new("b", "refused").framed(long),
        Record::new("c", "refused"),
        Record::new("d", "4").framed(long),
    ];
    let import = Planned::import(&store, Duplicates::Reject, cut(&records, &[])).await;
    let claim = import.claim(0, LEASE).await;
    let mut asked = match import.commit(&claim).await {
        Commit::StoreFrames(rows) => rows,
        other => panic!("expected to be asked for frames, found {other:?}"),
    };
    asked.sort_unstable();
    assert_eq!(asked, [1, 2], "the frames of the rows that are to be rejected");
    assert_eq!(rows_of(&fresh, "").await, [""; 0]);
    assert_eq!(store.totals(import.operation.id).await.unwrap(), Totals::default());
    assert_eq!(refusals(&import).await, []);

    let frames: HashMap<usize, String> = asked.iter().map(|row| (*row, format!("frames/{row}"))).collect();
    assert_eq!(done(import.commit_with(&claim, &frames).await), tally([2, 0, 0, 0, 3]));
    assert_eq!(import.commit_with(&claim, &frames).await, Commit::Before);
    let rejects = store.rejects(import.operation.id, &RejectPage::first(9)).await.unwrap();
    let kept: Vec<_> = rejects.iter().map(|reject| (reject.frame.clone(), reject.byte_length)).collect();
    let object = |row| (Frame::Object(format!("frames/{row}")), long as u64);
    let inline = records[3].frame().to_vec();
    assert_eq!(kept, [object(1), object(2), (Frame::Inline(inline.clone().into()), inline.len() as u64)]);
    assert_eq!(rows_of(&fresh, "").await, ["a=1", "d=4"]);
}

pub(super) async fn a_frame_of_exactly_the_limit_stands_in_the_reject(fresh: Fresh) {
    let store = refusing(&fresh).await;
    let lengths = [INLINE_FRAME_BYTES - 1, INLINE_FRAME_BYTES];
    let records = lengths.map(|length| Record::new(&length.to_string(), "refused").framed(length));
    let import = Planned::import(&store, Duplicates::Reject, cut(&records, &[])).await;
    assert_eq!(import.load_all().await, tally([0, 0, 0, 0, 2]));
    let rejects = store.rejects(import.operation.id, &RejectPage::first(9)).await.unwrap();
    for (reject, record) in rejects.iter().zip(&records) {
        assert_eq!(reject.frame, Frame::Inline(record.frame().to_vec().into()));
    }
}
