//! Rejects: read in pages, and counted by what is wrong with them.

use carrack_shared::fault::{Fault, Stage};
use carrack_shared::port::rejects::{RejectKind, RejectPage};
use carrack_shared::record::Position;
use carrack_shared::spec::Duplicates;

use super::Fresh;
use super::fixture::{Piece, cut, positions, records};
use super::import::Planned;

pub(super) async fn rejects_come_in_pages_in_the_order_of_the_input(fresh: Fresh) {
    let store = fresh.store();
    let records = records("!a=1 !b=2 !c=3 !d=4 !e=5 !f=6 !g=7 | !h=8 !i=9 !j=10 | !k=11 !l=12");
    let pieces = cut(&records, &[3, 4]);
    let import = Planned::import(&store, Duplicates::Skip, pieces).await;
    for batch in [3, 1, 0, 2] {
        import.load(batch).await;
    }
    for limit in [1, 5, 11, 12, 13] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page =
                store.rejects(import.operation.id, &RejectPage::first(limit).behind(after)).await.unwrap();
            assert!(page.len() <= limit as usize);
            let Some(last) = page.last() else { break };
            after = Some(last.position);
            found.extend(page.iter().map(|reject| reject.position));
            assert!(found.len() <= 12, "pages of {limit}: {found:?}");
        }
        assert_eq!(found, positions(&records), "pages of {limit}");
    }
    let other = Planned::import(&store, Duplicates::Skip, Vec::new()).await;
    assert_eq!(store.rejects(other.operation.id, &RejectPage::first(10)).await.unwrap(), []);
}

/// Nine refused records: what is wrong with each, `code` or `code@field`.
const WRONG: [&[&str]; 9] = [
    &["date.invalid@createdAt"],
    &["required.missing@title", "date.invalid@createdAt"],
    &["json.invalid"],
    &["date.invalid@createdAt", "date.invalid@updatedAt"],
    // One record, however often it has the fault.
    &["member.duplicate@a\0b", "member.duplicate@a\0b", "member.duplicate@\\u0000"],
    &["json.invalid"],
    &["date.invalid@createdAt"],
    &["required.missing@content"],
    &["json.invalid"],
];

fn fault(notation: &'static str) -> Fault {
    let (code, field) =
        notation.split_once('@').map_or((notation, None), |(code, field)| (code, Some(field)));
    let fault = Fault::new(Stage::Validate, code, "found a \0, expected a \\u0000");
    match field {
        Some(field) => fault.in_field(field),
        None => fault,
    }
}

/// The same records with what is wrong with them.
fn wrong(mut pieces: Vec<Piece>) -> Vec<Piece> {
    let rejects = pieces.iter_mut().flat_map(|piece| &mut piece.rejects);
    for (reject, wrong) in rejects.zip(WRONG) {
        reject.faults = wrong.iter().map(|notation| fault(notation)).collect();
    }
    pieces
}

const REFUSED: &str = "!a=1 good=1 !b=2 !c=3 !d=4 | !e=5 !f=6 fine=2 !g=7 !h=8 !i=9";

pub(super) async fn what_is_wrong_is_counted_over_all_rejects(fresh: Fresh) {
    let store = fresh.store();
    let records = records(REFUSED);
    for sizes in [&[3, 2, 4][..], &[]] {
        let pieces = wrong(cut(&records, sizes));
        let lines: Vec<(Position, u64)> =
            pieces.iter().flat_map(|piece| &piece.rejects).map(|one| (one.position, one.line)).collect();
        let import = Planned::import(&store, Duplicates::Overwrite, pieces).await;
        import.load_all().await;
        let kind = |code: &str, field: Option<&str>, records: u64, first: usize| RejectKind {
            code: code.into(),
            field: field.map(Into::into),
            records,
            first: lines[first].0,
            first_line: lines[first].1,
        };
        let expected = [
            kind("date.invalid", Some("createdAt"), 4, 0),
            kind("json.invalid", None, 3, 2),
            kind("required.missing", Some("title"), 1, 1),
            kind("date.invalid", Some("updatedAt"), 1, 3),
            kind("member.duplicate", Some("\\ufffd"), 1, 4),
            kind("member.duplicate", Some("a\u{fffd}b"), 1, 4),
            kind("required.missing", Some("content"), 1, 7),
        ];
        let id = import.operation.id;
        for limit in [1, 2, 6, 7, 100] {
            let found = store.reject_kinds(id, limit).await.unwrap();
            assert_eq!(found, expected[..expected.len().min(limit as usize)], "{limit} kinds, cut {sizes:?}");
        }
    }
    let other = Planned::import(&store, Duplicates::Skip, Vec::new()).await;
    assert_eq!(store.reject_kinds(other.operation.id, 10).await.unwrap(), []);
}

pub(super) async fn rejects_are_found_by_any_of_their_codes(fresh: Fresh) {
    let store = fresh.store();
    let pieces = wrong(cut(&records(REFUSED), &[3, 2, 4]));
    let places: Vec<Position> =
        pieces.iter().flat_map(|piece| &piece.rejects).map(|reject| reject.position).collect();
    let import = Planned::import(&store, Duplicates::Overwrite, pieces).await;
    import.load_all().await;
    for (code, expected) in [
        ("date.invalid", &[0, 1, 3, 6][..]),
        ("required.missing", &[1, 7]),
        ("member.duplicate", &[4]),
        ("date", &[]),
        ("'; --", &[]),
    ] {
        for limit in [1, 2, 9] {
            let (mut found, mut page) =
                (Vec::new(), RejectPage { code: Some(code.into()), ..RejectPage::first(limit) });
            loop {
                let rejects = store.rejects(import.operation.id, &page).await.unwrap();
                let Some(last) = rejects.last() else { break };
                page.after = Some(last.position);
                found.extend(rejects.iter().map(|reject| reject.position));
            }
            let expected: Vec<_> = expected.iter().map(|&number| places[number]).collect();
            assert_eq!(found, expected, "{code}, pages of {limit}");
        }
    }
}
