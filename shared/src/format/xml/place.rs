//! Which elements of a document are its records, told while it is read.

use super::Facts;
use super::names::Names;
use crate::format::reading::RecordsAt;
use crate::format::records_at::element_path;
use crate::format::shown;

/// Names that are told where the path leads nowhere.
const SEEN: usize = 16;

/// Looks for the records.
#[derive(Debug)]
pub(super) struct Place {
    wanted: Wanted,
    /// How many of the open elements, from the root on, are those of the path.
    entered: usize,
    /// Whether there was a record.
    found: bool,
    /// The elements seen where the path led to so far; those of a name, the elements of the document.
    seen: Vec<String>,
    unseen: usize,
    deepest: usize,
}

#[derive(Debug)]
enum Wanted {
    /// The children of the root.
    Children,
    /// The elements at the end of this path; `by_name` says that the first one of its name told it.
    Path { path: Vec<String>, by_name: bool },
    /// The elements of this name.
    Name(String),
}

/// What an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Record,
    /// Around records, or beside them.
    Other,
    /// Of the records' name, where no other record is.
    Elsewhere,
}

impl Place {
    /// As the user has it; the children of the root where nothing was said.
    pub fn new(said: Option<&RecordsAt>) -> Self {
        Self::of(match said {
            Some(RecordsAt::Elements(path)) => Wanted::Path { path: path.clone(), by_name: false },
            Some(RecordsAt::Element(name)) => Wanted::Name(name.clone()),
            _ => Wanted::Children,
        })
    }

    /// Between records that were found before.
    pub fn known(facts: &Facts) -> Self {
        let path = &facts.path;
        let wanted = match path.is_empty() {
            true => Wanted::Children,
            false => Wanted::Path { path: path.clone(), by_name: facts.by_name },
        };
        Self { entered: path.len().saturating_sub(1), found: true, ..Self::of(wanted) }
    }

    fn of(wanted: Wanted) -> Self {
        Self { wanted, entered: 0, found: false, seen: Vec::new(), unseen: 0, deepest: 0 }
    }

    /// Whether the records are the children of the root, whatever their names.
    pub fn is_children(&self) -> bool {
        matches!(self.wanted, Wanted::Children)
    }

    /// The path, for the facts; none for the children of the root, and before it is known.
    pub fn path(&self) -> Option<&[String]> {
        match &self.wanted {
            Wanted::Children => Some(&[]),
            Wanted::Path { path, .. } => Some(path),
            Wanted::Name(_) => None,
        }
    }

    /// Whether the name of the records is all that the user said.
    pub fn is_by_name(&self) -> bool {
        matches!(self.wanted, Wanted::Path { by_name: true, .. })
    }

    /// An element outside the records has begun: the innermost of `names`, whose name is whole.
    pub fn enter(&mut self, names: &Names) -> Role {
        let depth = names.depth();
        if let Wanted::Name(name) = &self.wanted
            && names.last() == name.as_bytes()
        {
            let path = names.all().map(|name| std::str::from_utf8(name).map(Into::into));
            // A path through names that are no text could never be found again.
            let Ok(path) = path.collect() else { return Role::Elsewhere };
            (self.wanted, self.entered) = (Wanted::Path { path, by_name: true }, depth);
            self.found = true;
            return Role::Record;
        }
        match &self.wanted {
            Wanted::Children => return if depth == 2 { Role::Record } else { Role::Other },
            Wanted::Path { path, by_name } => {
                let goes_on = self.entered + 1 == depth
                    && path.get(self.entered).is_some_and(|name| name.as_bytes() == names.last());
                if goes_on && depth == path.len() {
                    (self.entered, self.found) = (depth, true);
                    return Role::Record;
                }
                if *by_name && path.last().is_some_and(|name| name.as_bytes() == names.last()) {
                    return Role::Elsewhere;
                }
                if self.entered + 1 == depth && self.entered == self.deepest {
                    self.note(names.last());
                }
                if goes_on {
                    self.entered = depth;
                    if depth > self.deepest {
                        self.deepest = depth;
                        (self.seen, self.unseen) = (Vec::new(), 0);
                    }
                }
            }
            Wanted::Name(_) => self.note(names.last()),
        }
        Role::Other
    }

    /// An element has ended; so many are open.
    pub fn leave(&mut self, depth: usize) {
        self.entered = self.entered.min(depth);
    }

    /// Why there are no records, once the document is over; none where there may be none.
    pub fn missing(&self) -> Option<String> {
        let seen = match (&self.seen[..], self.unseen) {
            ([], _) => "nothing".to_owned(),
            (seen, 0) => seen.join(", "),
            (seen, unseen) => format!("{} and {unseen} more", seen.join(", ")),
        };
        match &self.wanted {
            _ if self.found => None,
            Wanted::Children => None,
            // The list is there, and it is empty.
            Wanted::Path { path, .. } if self.deepest + 1 == path.len() && self.seen.is_empty() => None,
            Wanted::Path { path, .. } => {
                let wanted = shown::text(&path[self.deepest.min(path.len() - 1)]);
                let parent = match self.deepest {
                    0 => "the document".to_owned(),
                    deepest => element_path(&path[..deepest]),
                };
                let path = element_path(path);
                Some(format!("found no element {wanted} in {parent}, which holds {seen}; expected {path}"))
            }
            Wanted::Name(name) => {
                Some(format!("found no element {} in the document, which holds {seen}", shown::text(name)))
            }
        }
    }

    /// Notes an element that is no record, for a message.
    fn note(&mut self, name: &[u8]) {
        let name = shown::text(&String::from_utf8_lossy(name));
        if self.found || self.seen.contains(&name) {
            return;
        }
        if self.seen.len() == SEEN {
            self.unseen += 1;
            return;
        }
        self.seen.push(name);
    }
}
