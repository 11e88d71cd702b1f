//! Where in the markup the framer of XML stands.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The very start; so many bytes of a byte order mark have been seen.
    Start(u8),
    /// Outside markup.
    Text,
    /// Behind `<`.
    Markup,
    /// In the name of a start tag.
    Name,
    /// In a start tag behind its name; whether the last byte was `/`.
    Tag { slash: bool },
    /// In an attribute's value, up to this quote.
    Value(u8),
    /// In an end tag, whose name may be over.
    EndTag { named: bool },
    /// Behind `<!`.
    Bang,
    /// In one of these words behind `<!`; so many bytes of it have been seen.
    Word(Word, u8),
    /// In a section; so many bytes of its end have been seen.
    Section(Section, u8),
}

/// What may stand behind `<!`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Comment,
    Cdata,
}

impl Word {
    pub fn text(self) -> &'static [u8] {
        match self {
            Self::Comment => b"--",
            Self::Cdata => b"[CDATA[",
        }
    }

    pub fn section(self) -> Section {
        match self {
            Self::Comment => Section::Comment,
            Self::Cdata => Section::Cdata,
        }
    }
}

/// Markup that ends with a text of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Comment,
    Cdata,
    Instruction,
}

impl Section {
    pub fn end(self) -> &'static [u8] {
        match self {
            Self::Comment => b"-->",
            Self::Cdata => b"]]>",
            Self::Instruction => b"?>",
        }
    }
}

/// Bytes over 127 belong to letters; which of them may begin a name is for the decoder to say.
pub(super) fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':') || byte >= 0x80
}

pub(super) fn ends_name(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/')
}
