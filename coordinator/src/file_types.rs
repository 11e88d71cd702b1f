//! Which data type the records of each file of an import are: as the user, the manifest or their fields say.

use std::sync::Arc;

use carrack_shared::document::{Mistake, quoted};
use carrack_shared::format::sniff::Sniffed;
use carrack_shared::schema::{self, ALL, DataType, TEMPLATES};
use carrack_shared::spec::OwnTypes;

use crate::join::manifest::Manifest;
use crate::types::{Named, Types, pinned};

/// Files whose evidence is told one by one.
const TOLD_FILES: usize = 20;

/// The types of the files of an import, which are looked at one after the other.
pub(crate) struct FileTypes<'a> {
    known: &'a Types,
    named: Named,
    /// Those of a manifest of several, in the order of its files.
    listed: Option<Vec<Arc<DataType>>>,
    /// Those of the files so far, where each has one of its own.
    found: Vec<Arc<DataType>>,
    /// The one of all files so far, where it is told by looking.
    inferred: Option<Arc<DataType>>,
    evidence: Vec<String>,
    /// Files whose evidence is not kept.
    untold: usize,
}

impl<'a> FileTypes<'a> {
    /// What is known before the first file is looked at.
    pub fn new(known: &'a Types, named: Named, manifest: Option<&Manifest>) -> Result<Self, Mistake> {
        let mut types = Self {
            known,
            named,
            listed: None,
            found: Vec::new(),
            inferred: None,
            evidence: Vec::new(),
            untold: 0,
        };
        let Some(manifest) = manifest else { return Ok(types) };
        let told = of_manifest(known, &manifest.data_type)?;
        match (&types.named, &told) {
            // It may be asked for as a template has it.
            (Named::One(expected), Named::One(found)) if expected.name == found.name => return Ok(types),
            (Named::One(expected), told) => {
                let (found, expected) = (&manifest.data_type, expected.name.as_str());
                let how = match told {
                    Named::All => format!("; import it with --type {ALL}, or without --type"),
                    _ => String::new(),
                };
                let detail =
                    format!("found a manifest of {found}, expected one of {expected} as was asked for{how}");
                return Err(Mistake::new("dataType", detail));
            }
            _ => types.evidence.push("the manifest says so".to_owned()),
        }
        if told == Named::All {
            let own = manifest.files.iter().map(|entry| entry.data_type.as_deref().unwrap_or_default());
            let own = own.map(|name| match of_manifest(known, name)? {
                Named::One(found) if found.name.as_str() != TEMPLATES => Ok(found),
                Named::One(_) => {
                    let detail = format!(
                        "found {TEMPLATES} beside other types in the manifest, expected them by themselves: import \
                         their files with --type {TEMPLATES}, and then the others"
                    );
                    Err(Mistake::new("dataType", detail))
                }
                _ => {
                    Err(Mistake::new("dataType", format!("found {name:?} in the manifest, expected a type")))
                }
            });
            types.listed = Some(own.collect::<Result<_, Mistake>>()?);
        }
        types.named = told;
        Ok(types)
    }

    /// Takes the next file; answers its type where the files may differ in it.
    pub fn take(&mut self, number: usize, name: &str, sniffed: &Sniffed) -> Result<Option<String>, Mistake> {
        if let Some(listed) = &self.listed {
            let own = listed.get(number).cloned();
            self.found.extend(own.clone());
            return Ok(own.map(|found| found.name.as_str().to_owned()));
        }
        match self.named {
            Named::One(_) => Ok(None),
            Named::ByLooking => {
                let found = inferred_type(self.known, name, sniffed, self.inferred.as_ref())?;
                if self.evidence.is_empty() {
                    self.evidence.extend(told_by(self.known, &found, sniffed));
                }
                self.inferred = Some(found);
                Ok(None)
            }
            Named::All => {
                let found = inferred_type(self.known, name, sniffed, None)?;
                let own = found.name.as_str().to_owned();
                self.found.push(Arc::clone(&found));
                if number < TOLD_FILES {
                    let how = told_by(self.known, &found, sniffed).unwrap_or_default();
                    self.evidence.push(format!("{name} holds {own}: {how}"));
                } else {
                    self.untold += 1;
                }
                Ok(Some(own))
            }
        }
    }

    /// The types that have to be pinned in the operation.
    pub fn pinned(&self) -> OwnTypes {
        match (&self.named, &self.inferred) {
            (Named::One(one), _) | (Named::ByLooking, Some(one)) => pinned([one]),
            (Named::All, _) => pinned(&self.found),
            (Named::ByLooking, None) => OwnTypes::default(),
        }
    }

    /// The name of the type of all files, or `all`; and what told it, where the user left it open.
    pub fn told(mut self) -> (Option<String>, Option<String>) {
        if self.untold > 0 {
            self.evidence.push(format!("and {} files more by their own fields", self.untold));
        }
        let evidence = (!self.evidence.is_empty()).then(|| self.evidence.join("; "));
        let name = match self.named {
            Named::All => Some(ALL.to_owned()),
            Named::One(found) => Some(found.name.as_str().to_owned()),
            Named::ByLooking => self.inferred.map(|found| found.name.as_str().to_owned()),
        };
        (name, evidence)
    }
}

/// What a manifest says of its files.
fn of_manifest(known: &Types, name: &str) -> Result<Named, Mistake> {
    known.asked(name).map_err(|_| {
        let (found, known) = (quoted(name), known.names().join(", "));
        let detail = format!(
            "found {found} in the manifest, expected one of {known}: create the others first, each with its \
             template: carrack templates create"
        );
        Mistake::new("dataType", detail)
    })
}

/// The type of an input's records, which must be the one of the `earlier` inputs.
fn inferred_type(
    known: &Types,
    name: &str,
    sniffed: &Sniffed,
    earlier: Option<&Arc<DataType>>,
) -> Result<Arc<DataType>, Mistake> {
    let wrong = |detail: String| Mistake::new("dataType", format!("{name}: {detail}"));
    match earlier {
        Some(earlier) if sniffed.records.is_empty() => return Ok(Arc::clone(earlier)),
        None if sniffed.records.is_empty() => {
            return Err(wrong("holds no record that would tell the type; name one with --type".into()));
        }
        _ => {}
    }
    let found = schema::infer_all(known.all(), &sniffed.records, sniffed.cut)
        .map_err(|doubt| wrong(doubt.to_string()))?;
    match earlier {
        Some(earlier) if *earlier != found => {
            let (found, expected) = (found.name.as_str(), earlier.name.as_str());
            Err(wrong(format!(
                "found {found}, expected {expected} as in the first file; import them apart, or together with \
                 --type {ALL}"
            )))
        }
        _ => Ok(found),
    }
}

/// How the fields of the records that were looked at tell their type; none if there was no record.
fn told_by(known: &Types, found: &DataType, sniffed: &Sniffed) -> Option<String> {
    let (types, first) = (known.all(), sniffed.records.first()?);
    let knows = |name: &String| found.slot(name).is_some();
    let known: Vec<&str> = first.iter().filter(|name| knows(name)).map(String::as_str).collect();
    let fits = |fields: &&Vec<String>| schema::infer(types, fields).is_ok_and(|fits| *fits == *found);
    let (count, all) = (sniffed.records.iter().filter(fits).count(), sniffed.records.len());
    Some(format!("{count} of the first {all} records fit, such as one with {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use carrack_shared::format::Format;
    use carrack_shared::layer::compression::Compression;
    use uuid::Uuid;

    use super::*;
    use crate::join::manifest::Entry;

    fn manifest(data_type: &str, own: &[&str]) -> Manifest {
        let entry = |own: &&str| Entry {
            name: format!("{own}.json"),
            data_type: Some((*own).to_owned()),
            bytes: 9,
            records: 2,
            sha256: String::new(),
        };
        Manifest {
            carrack_manifest: 1,
            export_id: Uuid::from_u128(7),
            data_type: data_type.into(),
            format: Format::Json,
            compression: Compression::None,
            encrypted: false,
            records: 4,
            files: own.iter().map(entry).collect(),
            mac: None,
        }
    }

    #[test]
    fn files_have_the_type_that_user_manifest_or_fields_say() {
        let (context, session) = ("id title content", "id title userId");
        let all = Some(manifest("all", &["sessions", "contexts"]));
        let one = Some(manifest("contexts", &[]));
        let (pets, some) = (Some(manifest("pets", &[])), Some(manifest("all", &["contexts", "pets"])));
        let (templates, beside) =
            (Some(manifest("templates", &[])), Some(manifest("all", &["templates", "contexts"])));
        let create = "dataType: found \"pets\" in the manifest, expected one of contexts, sessions: create the \
            others first, each with its template: carrack templates create";
        let known = Types::built_in();
        let told = |named: &str, manifest: &Option<Manifest>, files: &[&str]| -> Result<String, Mistake> {
            let mut types = FileTypes::new(&known, known.asked(named)?, manifest.as_ref())?;
            let mut own = Vec::new();
            for (number, fields) in files.iter().enumerate() {
                let fields: Vec<String> = fields.split_whitespace().map(Into::into).collect();
                let records = if fields.is_empty() { vec![] } else { vec![fields] };
                let sniffed = Sniffed { format: Format::Json, records, cut: false, delimiter: None };
                own.extend(types.take(number, &format!("{number}.json"), &sniffed)?);
            }
            let (name, evidence) = types.told();
            Ok(format!("{} [{}] {}", name.unwrap(), own.join(" "), evidence.unwrap_or_default()))
        };
        let fits = |fields: &str| format!("1 of the first 1 records fit, such as one with {fields}");
        for (named, manifest, files, expected) in [
            ("contexts", &None, &[session, ""][..], "contexts [] ".to_owned()),
            ("auto-detect", &None, &[context, ""], format!("contexts [] {}", fits("id, title, content"))),
            (
                "auto-detect",
                &None,
                &[context, session],
                "dataType: 1.json: found sessions, expected contexts as in the first file; import them apart, or \
                 together with --type all"
                    .into(),
            ),
            (
                "all",
                &None,
                &[context, session],
                format!(
                    "all [contexts sessions] 0.json holds contexts: {}; 1.json holds sessions: {}",
                    fits("id, title, content"),
                    fits("id, title, userId")
                ),
            ),
            (
                "all",
                &None,
                &[context, ""],
                "dataType: 1.json: holds no record that would tell the type; name one with --type".into(),
            ),
            ("all", &all, &["", context], "all [sessions contexts] the manifest says so".into()),
            ("auto-detect", &all, &["", ""], "all [sessions contexts] the manifest says so".into()),
            ("all", &one, &[session], "contexts [] the manifest says so".into()),
            ("contexts", &one, &[session], "contexts [] ".into()),
            ("auto-detect", &pets, &[], create.into()),
            ("all", &some, &[], create.into()),
            ("auto-detect", &templates, &[""], "templates [] the manifest says so".into()),
            (
                "all",
                &beside,
                &[],
                "dataType: found templates beside other types in the manifest, expected them by themselves: import \
                 their files with --type templates, and then the others"
                    .into(),
            ),
            (
                "contexts",
                &all,
                &[],
                "dataType: found a manifest of all, expected one of contexts as was asked for; import it with --type \
                 all, or without --type"
                    .into(),
            ),
            (
                "sessions",
                &one,
                &[],
                "dataType: found a manifest of contexts, expected one of sessions as was asked for".into(),
            ),
        ] {
            let found = told(named, manifest, files).unwrap_or_else(|mistake| mistake.to_string());
            assert_eq!(found, expected, "{named} {files:?}");
        }
    }
}
