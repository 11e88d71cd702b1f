//! Why XML cannot be framed any further, and where.

use super::Framer;
use crate::fault::{Fault, Stage};
use crate::format::records_at::element_path;
use crate::format::shown;

impl Framer {
    /// A byte that can stand in none of the markup that is known.
    pub(super) fn no_markup(&mut self, byte: u8, at: u64) -> Fault {
        let found = shown::byte(byte);
        let message = format!(
            "found {found} at byte {at} in the markup that begins at byte {}, expected a comment or an element",
            self.markup
        );
        self.fail(at, "xml.markup", message)
    }

    pub(super) fn mismatched(&mut self, at: u64) -> Fault {
        let expected = match self.names.depth() {
            0 => "expected no more".to_owned(),
            _ => format!("expected that of {}", shown::text(&String::from_utf8_lossy(self.names.last()))),
        };
        let message = format!("found an end tag at byte {}, {expected}", self.markup);
        self.fail(at, "xml.mismatched", message)
    }

    pub(super) fn fail(&mut self, at: u64, code: &'static str, message: String) -> Fault {
        self.at = at;
        Fault::new(Stage::Frame, code, message)
    }

    /// An element of the records' name where no other record is.
    pub(super) fn elsewhere(&mut self) -> Fault {
        let (at, name) = (self.markup, shown::text(&String::from_utf8_lossy(self.names.last())));
        let first = element_path(self.place.path().unwrap_or_default());
        let message = format!(
            "found an element {name} at byte {at} in another place than the first one, expected all of them at \
             {first}; name the path of those that are wanted"
        );
        self.fail(at, "xml.records_at", message)
    }
}
