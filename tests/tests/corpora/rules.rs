//! Where we differ from a suite on purpose, and why.

/// A code with which we refuse what a suite would have read, and why.
pub struct Rule {
    pub code: &'static str,
    /// The only cases that it excuses; where it excuses any, none.
    pub cases: &'static [&'static str],
    pub why: &'static str,
}

const fn any(code: &'static str, why: &'static str) -> Rule {
    Rule { code, cases: &[], why }
}

pub const RULES: &[Rule] = &[
    any("member.duplicate", "an object that has a name twice has two meanings"),
    any("text.nul", "no database stores a NUL character in a text"),
    any("source.empty", "documents that are all empty hold no records"),
    any(
        "record.not_object",
        "a record is a mapping; these stand beside records that are refused by another rule",
    ),
    any("yaml.tag", "tags outside YAML's core schema mean something to one program only"),
    any("yaml.key", "a record's names are scalars that stand in it, and no aliases or collections"),
    any("yaml.alias", "an anchor serves its own record: records are read by different workers"),
    any("yaml.flow", "a sequence in brackets is JSON, or is written behind dashes"),
    Rule { code: "yaml.indent", cases: &["4RWC"], why: "a document begins in the first column" },
    Rule {
        code: "yaml.line",
        cases: &["82AN", "EXG3"],
        why: "a line of a scalar that looks like a marker; a scalar is no record",
    },
    Rule {
        code: "yaml.invalid",
        cases: &["5TYM", "6CK3", "CC74", "U3C3", "Z9M4"],
        why: "a handle that a `%TAG` directive declares: a record is read without the directives of its document",
    },
];

/// Suite, case, as what it is read, and why it ends otherwise than the suite has it.
pub const LEFT_OUT: &[(&str, &str, &str, &str)] = &[
    (
        "yaml-test-suite",
        "CXX2",
        "source",
        "a mapping on the line of its document marker is read, as most programs do; the suite refuses it",
    ),
    (
        "yaml-test-suite",
        "Y79Y:0",
        "value",
        "behind the blanks of its indentation a tab in a literal counts as a blank line",
    ),
    (
        "csv-spectrum",
        "location_coordinates",
        "source",
        "the suite's rows are not those of its table: no list, and another number",
    ),
];
