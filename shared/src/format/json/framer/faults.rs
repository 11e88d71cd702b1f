//! Why JSON cannot be framed any further, and where.

use super::Framer;
use crate::fault::{Fault, Stage};
use crate::format::json::scan::Misplaced;
use crate::format::json::state::State;
use crate::format::shown;
use crate::limits;

impl Framer {
    pub(super) fn fail(&mut self, at: u64, code: &'static str, message: String) -> Fault {
        self.at = at;
        Fault::new(Stage::Frame, code, message)
    }

    pub(super) fn not_json(&mut self, byte: u8, at: u64) -> Fault {
        self.state = State::Head;
        let message = format!("found {} at byte {at}, expected JSON: \"[\" or \"{{\"", shown::byte(byte));
        self.fail(at, "json.not_json", message)
    }

    pub(super) fn misplaced(&mut self, misplaced: Misplaced, bracket: u8, at: u64) -> Fault {
        match misplaced {
            Misplaced::TooDeep => {
                let most = limits::DEPTH;
                let message = format!("found more than {most} levels of arrays and objects at byte {at}");
                self.fail(at, "json.depth", message)
            }
            Misplaced::Mismatched(expected) => {
                let [found, expected] = [bracket, expected].map(shown::byte);
                self.fail(at, "json.bracket", format!("found {found} at byte {at}, expected {expected}"))
            }
        }
    }
}
