//! The report of a verification for people, in Markdown.

use std::fmt::Write as _;

use carrack_shared::verify::Kind;

use super::{Counts, Verification};
use crate::reject_lines::grouped;

impl Verification {
    /// The report in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "# Verification of import {}\n", self.import_id);
        let _ = writeln!(text, "**{}**\n", escaped(&self.verdict));
        self.facts(&mut text);
        self.tables(&mut text);
        Kind::ALL.into_iter().for_each(|kind| self.examples_of(kind, &mut text));
        let _ = writeln!(text, "## Sign-off\n");
        let _ = writeln!(text, "{}  ", escaped(&self.verdict));
        let at = self.finished_at.map(|at| at.to_string()).unwrap_or_default();
        let _ = writeln!(text, "at {at}, by Carrack {}, for {}  ", self.version, escaped(&self.owner));
        let _ = writeln!(text, "SHA-256 of the report: `{}`", self.report_hash);
        text
    }

    fn facts(&self, text: &mut String) {
        let _ = writeln!(text, "| | |\n|---|---|");
        for (name, value) in [
            ("verification", self.operation_id.to_string()),
            ("import", format!("{} of {}, started {}", self.import_id, self.data_type, self.imported_at)),
            ("asked for by", escaped(&self.owner)),
            ("started", self.started_at.to_string()),
            ("ended", self.finished_at.map(|at| at.to_string()).unwrap_or_default()),
        ] {
            let _ = writeln!(text, "| {name} | {value} |");
        }
        let _ = writeln!(text, "\n## Files\n\n| file | bytes | version |\n|---|---:|---|");
        for file in &self.files {
            let (name, version) = (escaped(&file.name), escaped(&file.version));
            let _ = writeln!(text, "| {name} | {} | {version} |", grouped(file.bytes));
        }
    }

    fn tables(&self, text: &mut String) {
        let Counts { read, matched, missing, different, skipped, rejected, filtered, changed_later, extra } =
            self.counts;
        let _ = writeln!(text, "\n## Records\n\n| | |\n|---|---:|");
        for (name, count) in [
            ("read", read),
            ("matched", matched),
            ("missing", missing),
            ("different", different),
            ("of them changed by later operations", changed_later),
            ("skipped", skipped),
            ("of them left out by the filters", filtered),
            ("rejected", rejected),
            ("rows without a record", extra),
        ] {
            let _ = writeln!(text, "| {name} | {} |", grouped(count));
        }
        let is = if self.balanced { "=" } else { "is not" };
        let _ = writeln!(text, "\n{read} {is} {matched} + {missing} + {different} + {skipped} + {rejected}");
        let _ = writeln!(text, "\n## Hashes\n\n| type | side | records | hash |\n|---|---|---:|---|");
        for one in &self.types {
            for (side, of) in [("source", &one.source), ("table", &one.target)] {
                let name = &one.data_type;
                let _ = writeln!(text, "| {name} | {side} | {} | `{}` |", grouped(of.records), of.hash);
            }
        }
        text.push('\n');
    }

    fn examples_of(&self, kind: Kind, text: &mut String) {
        let total = match kind {
            Kind::Missing => self.counts.missing,
            Kind::Different => self.counts.different,
            Kind::Extra => self.counts.extra,
        };
        let examples: Vec<_> = self.examples.iter().filter(|example| example.kind == kind).collect();
        if examples.is_empty() {
            return;
        }
        let (name, shown) = (kind.as_str(), examples.len() as u64);
        let of =
            if shown < total { format!(", the first {shown} of {}", grouped(total)) } else { String::new() };
        let _ = writeln!(text, "## Examples: {name}{of}\n");
        for example in examples {
            let _ = writeln!(text, "- {}", escaped(&example.sentence()));
            for field in &example.fields {
                let _ = writeln!(text, "  - {}", escaped(&field.sentence()));
            }
        }
        text.push('\n');
    }
}

/// What Markdown would take for its own.
pub(in crate::report) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '|' | '#') {
            escaped.push('\\');
        }
        escaped.push(if character.is_control() { ' ' } else { character });
    }
    escaped
}
