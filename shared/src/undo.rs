//! Undo: what is to be done for each key that an import has touched, so that its table is as if the import had
//! not been; one rule for every database.
//!
//! A row that the import has created is removed, one that it has overwritten gets its image back. Only the
//! database's own word counts for how the row is now: where it is not as the import has left it, somebody else has
//! changed it since, and it stays as it is unless the user insists.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::duplicates::Existing;
use crate::fault::{Fault, Frame, Reject, Stage};
use crate::operation::{Operation, OperationId, State};
use crate::record::Position;
use crate::spec::Work;
use crate::tally::{Counted, Tally};

/// Whether the images of an operation are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Images {
    /// They are.
    Kept,
    /// They are, and an undo that has not ended needs them.
    Undoing,
    /// They were, and are removed or being removed.
    Forgotten,
}

impl Images {
    /// Reads the stored name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "kept" => Some(Self::Kept),
            "undoing" => Some(Self::Undoing),
            "forgetting" | "forgotten" => Some(Self::Forgotten),
            _ => None,
        }
    }
}

/// How much a batch of an undo holds at most.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// Keys.
    pub rows: u32,
    /// Bytes of their rows and images, as they are stored; the last one may go beyond.
    pub bytes: u64,
}

/// Why an operation cannot be undone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotUndoable {
    /// There is no such operation.
    #[error("there is no operation {0}")]
    Unknown(OperationId),
    /// Only imports change tables.
    #[error("operation {0} is {1}, expected an import")]
    NotAnImport(OperationId, &'static str),
    /// It has not ended.
    #[error("operation {0} is {state}, expected it to have ended; cancel it or wait for its end", state = .1.as_str())]
    Running(OperationId, State),
    /// All of it was undone before.
    #[error("operation {0} was undone before")]
    Before(OperationId),
    /// Another undo of it has not ended.
    #[error("operation {0} is being undone")]
    Underway(OperationId),
    /// It has stored templates.
    #[error("operation {0} has imported templates, which never change and stay: operations may rely on them")]
    Templates(OperationId),
    /// The user asked that nothing be kept.
    #[error(
        "operation {0} was made with --no-undo (undo: false), so no images of the rows before it were kept"
    )]
    NotKept(OperationId),
    /// It was made before images were kept.
    #[error("operation {0} was made by an earlier release, which kept no images of the rows before it")]
    Earlier(OperationId),
    /// A type has other columns than its images.
    #[error("the data type {1} got new fields since operation {0}, which the images of its rows do not have")]
    Grown(OperationId, String),
    /// They were kept for their time.
    #[error(
        "the images of operation {0} are forgotten: they are kept for a time after its end (images.keep_days)"
    )]
    Forgotten(OperationId),
}

/// Whether `parent` can be undone now.
///
/// # Errors
/// Why not.
pub fn check(parent: &Operation, images: Option<Images>) -> Result<(), NotUndoable> {
    let id = parent.id;
    match parent.spec.work() {
        Work::Import(import) if import.dry_run => return Err(NotUndoable::NotAnImport(id, "a dry run")),
        Work::Import(import) if import.verifies.is_some() => {
            return Err(NotUndoable::NotAnImport(id, "a verification"));
        }
        Work::Import(import) if import.is_of_templates() => return Err(NotUndoable::Templates(id)),
        Work::Import(import) if !import.undo => return Err(NotUndoable::NotKept(id)),
        Work::Import(_) => {}
        Work::Export(_) => return Err(NotUndoable::NotAnImport(id, "an export")),
        Work::Undo(_) => return Err(NotUndoable::NotAnImport(id, "an undo")),
    }
    match (parent.state, images) {
        (State::Undone, _) => Err(NotUndoable::Before(id)),
        (state, _) if !state.is_terminal() => Err(NotUndoable::Running(id, state)),
        (_, Some(Images::Kept)) => Ok(()),
        (_, Some(Images::Undoing)) => Err(NotUndoable::Underway(id)),
        (_, Some(Images::Forgotten)) => Err(NotUndoable::Forgotten(id)),
        (_, None) => Err(NotUndoable::Earlier(id)),
    }
}

/// A key that the import has touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// The key.
    pub key: String,
    /// The import's record that held it last.
    pub position: Position,
    /// Whether the import met a row under it.
    pub met: bool,
    /// Who had written the row of the image, if there is one.
    pub image: Option<Existing>,
    /// The record of another operation over whose row the import has written last, if it met any.
    pub over: Option<(OperationId, Position)>,
    /// Who has written the row that is there now, if there is one.
    pub now: Option<Existing>,
    /// An operation that has not ended and has records of the key: it goes on from the row as it met it, so that
    /// nothing may change under it.
    pub held: Option<OperationId>,
}

/// What is to be done for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Remove the row, which the import has created.
    Remove,
    /// Give the row of the image back.
    Restore,
    /// Nothing: it is as it was before the import.
    Leave,
    /// Nothing: somebody else has changed it since.
    Conflict,
}

impl Verdict {
    /// As what the key counts: see [`Tally`].
    pub fn counted(self) -> Counted {
        match self {
            Self::Remove => Counted::Created,
            Self::Restore => Counted::Updated,
            Self::Leave => Counted::Unchanged,
            Self::Conflict => Counted::Rejected,
        }
    }
}

impl Touched {
    /// Decides what is to be done to undo `parent`; `force` also goes over what was changed since.
    pub fn decide(&self, parent: OperationId, force: bool) -> Verdict {
        let untouched =
            self.now.is_some_and(|now| now.operation == parent) && self.written_between().is_none();
        match (self.image, self.now) {
            (Some(image), Some(now)) if image == now => Verdict::Leave,
            (None, None) => Verdict::Leave,
            _ if self.held.is_some() => Verdict::Conflict,
            (Some(_), _) if untouched || force => Verdict::Restore,
            (Some(_), _) => Verdict::Conflict,
            // It was there before, and is not the import's: whose image would have to be given back?
            (None, Some(_)) if self.met => Verdict::Conflict,
            (None, Some(_)) if untouched || force => Verdict::Remove,
            (None, _) => Verdict::Conflict,
        }
    }

    /// Who has written the row between two records of the import.
    fn written_between(&self) -> Option<OperationId> {
        let first = self.image.map(|image| (image.operation, image.position));
        self.over.filter(|over| Some(*over) != first).map(|(operation, _)| operation)
    }

    /// The reject of a row that was changed since the import.
    pub fn conflict(&self, parent: OperationId, key_field: &str) -> Reject {
        let key = &self.key;
        let writer = self.now.map(|now| now.operation).filter(|writer| *writer != parent);
        if let Some(holder) = self.held {
            let message = format!(
                "the row of the key {key:?} is one that operation {holder} works on, expected that to have ended"
            );
            return self.reject(key_field, Fault::new(Stage::Duplicate, "undo.changed", message));
        }
        let message = match (self.now, writer, self.written_between()) {
            (None, ..) => {
                format!("the row of the key {key:?} was removed since, expected it as the import left it")
            }
            (_, Some(writer), _) => format!(
                "the row of the key {key:?} is one of operation {writer} now, expected it as the import left it"
            ),
            (_, None, Some(other)) => format!(
                "the row of the key {key:?} was written by operation {other} while the import wrote it, too, expected \
                 the import alone"
            ),
            (_, None, None) => format!(
                "the row of the key {key:?} was there before the import, and how it was is not known, expected its image"
            ),
        };
        self.reject(key_field, Fault::new(Stage::Duplicate, "undo.changed", message))
    }

    /// The reject of a row that the table did not let go or take back.
    pub fn refused(&self, key_field: &str, reason: String) -> Reject {
        self.reject(key_field, Fault::new(Stage::Load, "table.refused", reason))
    }

    /// There is no record of a source here: what stands for it is an object with the key alone.
    fn reject(&self, key_field: &str, fault: Fault) -> Reject {
        let mut members = serde_json::Map::new();
        members.insert(key_field.to_owned(), self.key.clone().into());
        let frame = Bytes::from(serde_json::Value::Object(members).to_string());
        Reject {
            position: self.position,
            line: 0,
            byte_start: 0,
            byte_length: 0,
            sha256: Sha256::digest(&frame).into(),
            faults: vec![fault.in_field(key_field)],
            key: Some(self.key.clone()),
            winner: None,
            frame: Frame::Inline(frame),
        }
    }
}

/// The tally of a batch that was planned with this many keys. A key that is gone since without a trace is as it
/// was before the import.
pub fn settled(mut tally: Tally, planned: u32) -> Tally {
    for _ in tally.read..u64::from(planned) {
        tally.count(Counted::Unchanged);
    }
    tally
}

/// How the import stands once its undo has ended so; none if it is as it was.
pub fn state_of_parent(ending: State, tally: &Tally) -> Option<State> {
    match ending {
        State::Succeeded => Some(State::Undone),
        State::SucceededWithRejects => Some(State::PartlyUndone),
        _ if tally.created + tally.updated > 0 => Some(State::PartlyUndone),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: u128 = 1;
    const OTHER: u128 = 2;

    fn row(operation: u128) -> Existing {
        let position = Position::new(0, u64::try_from(operation).unwrap());
        Existing { operation: OperationId::from_u128(operation), position, hash: [7; 16] }
    }

    #[test]
    fn each_key_is_decided_by_its_image_and_by_its_row() {
        use Verdict::{Conflict, Leave, Remove, Restore};
        let parent = OperationId::from_u128(PARENT);
        for (image, met, now, expected, forced) in [
            (None, false, Some(PARENT), Remove, Remove),
            (None, false, Some(OTHER), Conflict, Remove),
            (None, false, None, Leave, Leave),
            (None, true, Some(OTHER), Conflict, Conflict),
            (None, true, Some(PARENT), Conflict, Conflict),
            (Some(5), true, Some(PARENT), Restore, Restore),
            (Some(5), true, Some(OTHER), Conflict, Restore),
            (Some(5), true, None, Conflict, Restore),
            (Some(5), true, Some(5), Leave, Leave),
        ] {
            let touched = Touched {
                key: "k".into(),
                position: Position::new(0, 1),
                met,
                image: image.map(row),
                over: None,
                now: now.map(row),
                held: None,
            };
            let found = [false, true].map(|force| touched.decide(parent, force));
            assert_eq!(found, [expected, forced], "{touched:?}");
        }
    }

    #[test]
    fn nothing_changes_under_what_an_operation_works_on() {
        use Verdict::{Conflict, Leave};
        for (image, now, expected) in [
            (None, Some(PARENT), Conflict),
            (None, Some(OTHER), Conflict),
            (None, None, Leave),
            (Some(5), Some(PARENT), Conflict),
            (Some(5), Some(OTHER), Conflict),
            (Some(5), None, Conflict),
            (Some(5), Some(5), Leave),
        ] {
            let touched = Touched {
                key: "k".into(),
                position: Position::new(0, 1),
                met: image.is_some(),
                image: image.map(row),
                over: None,
                now: now.map(row),
                held: Some(OperationId::from_u128(OTHER)),
            };
            let found = [false, true].map(|force| touched.decide(OperationId::from_u128(PARENT), force));
            assert_eq!(found, [expected, expected], "{touched:?}");
        }
    }

    #[test]
    fn what_others_have_written_between_is_a_conflict() {
        use Verdict::{Conflict, Remove, Restore};
        let parent = OperationId::from_u128(PARENT);
        let over = |operation: u128| Some((row(operation).operation, row(operation).position));
        for (image, over, expected, forced) in [
            (None, None, Remove, Remove),
            (None, over(OTHER), Conflict, Remove),
            (Some(5), over(5), Restore, Restore),
            (Some(5), over(OTHER), Conflict, Restore),
        ] {
            let touched = Touched {
                key: "k".into(),
                position: Position::new(0, 1),
                met: image.is_some(),
                image: image.map(row),
                over,
                now: Some(row(PARENT)),
                held: None,
            };
            assert_eq!(
                [false, true].map(|force| touched.decide(parent, force)),
                [expected, forced],
                "{touched:?}"
            );
            let message = touched.conflict(parent, "id").faults.remove(0).message;
            assert_eq!(
                message.contains("00000002 while the import wrote it, too"),
                expected == Conflict,
                "{message}"
            );
        }
    }

    #[test]
    fn a_conflict_names_the_key_and_who_was_there() {
        let position = Position::new(2, 9);
        let touched = Touched {
            key: "a\"b".into(),
            position,
            met: true,
            image: Some(row(5)),
            over: None,
            now: Some(row(OTHER)),
            held: None,
        };
        let reject = touched.conflict(OperationId::from_u128(PARENT), "id");
        assert_eq!((reject.position, reject.key.as_deref()), (position, Some("a\"b")));
        assert_eq!(reject.frame, Frame::Inline(Bytes::from_static(br#"{"id":"a\"b"}"#)));
        let message = &reject.faults[0].message;
        assert!(message.contains("00000002 now, expected it as the import left it"), "{message}");
    }

    #[test]
    fn the_parent_is_undone_as_far_as_its_undo_came() {
        let some = Tally { read: 3, created: 2, rejected: 1, ..Tally::default() };
        for (ending, tally, expected) in [
            (State::Succeeded, some, Some(State::Undone)),
            (State::SucceededWithRejects, some, Some(State::PartlyUndone)),
            (State::Cancelled, some, Some(State::PartlyUndone)),
            (State::Failed, Tally::default(), None),
        ] {
            assert_eq!(state_of_parent(ending, &tally), expected, "{ending:?}");
        }
    }

    #[test]
    fn what_is_gone_counts_as_unchanged() {
        let tally = settled(Tally { read: 2, created: 2, ..Tally::default() }, 5);
        assert_eq!((tally.read, tally.unchanged), (5, 3));
        assert!(tally.reconciles());
    }
}
