//! Where the framer stands in a JSON source.

use super::scan::Cut;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The very start; so many bytes of a byte order mark have been seen.
    Start(u8),
    /// Only white space so far.
    Head,
    /// Between two records.
    Between(Next),
    /// Inside a record, outside its strings.
    Structure,
    /// Inside a string of a record, or of one that is nothing but a string.
    Text,
    /// Behind a backslash in a string.
    Escape,
    /// Inside a record that is a number or a literal.
    Scalar,
    /// Behind the first value, on its line: what follows decides the shape.
    Decide,
    /// Behind the first line, which ends inside the first value: how the next one begins may decide the shape.
    LineOver(LineOver),
    /// At the start of a line of [`super::Shape::Lines`].
    LineStart,
    /// Inside such a line.
    Line,
    /// Behind the `]` of [`super::Shape::Array`].
    Done,
}

/// How the first line ends inside the first value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineOver {
    /// Where an object can stand: the value goes on.
    BeforeValue,
    /// Where no object can stand: if one does, the first line was broken.
    Elsewhere,
    /// Inside a string, where no line may end.
    InText,
}

/// What may stand between two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Behind `[`: a value or `]`.
    First,
    /// Behind `,`: a value.
    Value,
    /// Behind a value: `,` or `]`.
    Separator,
    /// At the start of a segment, or behind one: any of these.
    Resumed,
    /// Between the values of [`super::Shape::Values`]: another one.
    Any,
}

impl Next {
    /// For messages.
    pub fn expected(self) -> &'static str {
        match self {
            Self::First => "a value or \"]\"",
            Self::Value | Self::Any => "a value",
            Self::Separator => "\",\" or \"]\"",
            Self::Resumed => "a value, \",\" or \"]\"",
        }
    }
}

impl From<Cut> for State {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Text => Self::Text,
            Cut::Escape => Self::Escape,
        }
    }
}
