//! Which field of a file identifies its records.

use super::Inference;
use super::field::Seen;
use crate::format::shown;
use crate::schema::METADATA;

impl Inference {
    /// Whether a field identifies a record: by its values, or nearly by these where its name says so.
    pub(super) fn may_be_key(&self, number: usize, readable: u64) -> bool {
        let (name, seen) = &self.fields[number];
        let is_key = seen.is_key(readable) || (rank(name) < NO_NAME_OF_A_KEY && seen.is_nearly_key(readable));
        is_key && name != METADATA
    }

    /// The field of this name, which has to be one that can identify a record.
    pub(super) fn named_key(&self, name: &str) -> Result<usize, String> {
        let found = shown::text(name);
        let Some(number) = self.fields.iter().position(|(own, _)| own == name) else {
            let names: Vec<String> = self.fields.iter().map(|(own, _)| shown::name(own)).collect();
            return Err(format!("found the key {found}, expected one of {}", names.join(", ")));
        };
        match self.fields[number].1.no_key || name == METADATA {
            false => Ok(number),
            true => Err(format!(
                "found the key {found} with values that no key can have, expected a field with a short text or \
                 number in each record"
            )),
        }
    }

    pub(super) fn no_key(&self, readable: u64) -> String {
        let why = |(name, seen): &(String, Seen)| {
            let name = shown::name(name);
            match (seen.twice, seen.unsure) {
                (Some(place), _) => format!("{name} (line {}: a value that came before)", place.line),
                (None, true) => format!("{name} (not known: too many values)"),
                _ => format!("{name} (in {} of {readable} records)", seen.values - seen.empty),
            }
        };
        let fields: Vec<String> = self.fields.iter().take(20).map(why).collect();
        format!(
            "found no field with another value in each record, expected one that identifies them: {}",
            fields.join(", ")
        )
    }
}

/// The rank of other names.
const NO_NAME_OF_A_KEY: u8 = 3;

/// How likely a name is that of a key: the least is the likeliest.
pub(super) fn rank(name: &str) -> u8 {
    let name = name.to_lowercase();
    match name.as_str() {
        "id" => 0,
        "_id" | "uuid" | "guid" | "key" => 1,
        _ if name.ends_with("id") || name.ends_with("key") || name.ends_with("no") => 2,
        _ => NO_NAME_OF_A_KEY,
    }
}
