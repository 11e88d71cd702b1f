//! What looks like a slip in a mapping: names that no record has that was looked at, and no type. They are told and not
//! refused, for a later record may have the field, and what is no field of the type is kept beside its columns.

use std::collections::HashSet;

use super::Mapping;
use super::fields::Place;
use super::steps::Action;
use crate::format::shown;

/// Remarks on one mapping.
const REMARKS: usize = 20;

impl Mapping {
    /// What to ask its user about, where records with the fields `seen` become those of a type of which `is_field` says
    /// what it has.
    pub fn remarks(&self, seen: &[String], is_field: impl Fn(&str) -> bool) -> Vec<String> {
        if seen.is_empty() {
            return Vec::new();
        }
        let (rules, there): (_, HashSet<&str>) = (self.rules(), seen.iter().map(String::as_str).collect());
        let mapped = self.names(seen);
        let is_known = |name: &str| is_field(name) || mapped.iter().any(|known| known == name);
        let mut remarks = Vec::new();
        let nowhere = "of which the records that were looked at have none";
        let renamed = rules.renames.iter().map(|(from, _)| (from.as_str(), from.as_str()));
        let moved = rules.moves.iter().filter_map(|moved| {
            let path = &moved.from.path;
            Some((path.whole.as_deref().unwrap_or_default(), path.names.first()?.as_str()))
        });
        for (whole, first) in renamed.chain(moved) {
            if !there.contains(whole) && !there.contains(first) {
                remarks.push(format!("the mapping takes the field {}, {nowhere}", quoted(first)));
            }
        }
        let renamed = rules.renames.iter().filter_map(|(_, to)| to.as_deref());
        let places = rules.moves.iter().filter_map(|moved| moved.to.as_ref());
        let computed = rules.computed.iter().map(|computed| &computed.to);
        let targets = renamed.chain(places.chain(computed).filter_map(first));
        let others = targets.filter(|name| !is_field(name)).map(|name| {
            format!(
                "the mapping makes the field {}, which the type does not have: it is kept as it is",
                quoted(name)
            )
        });
        remarks.extend(others);
        let changed = rules.steps.iter().filter(|step| matches!(step.action, Action::Change(_)));
        for name in changed.filter_map(|step| first(&step.at)).filter(|name| !is_known(name)) {
            remarks.push(format!("the mapping changes the field {}, {nowhere}", quoted(name)));
        }
        for computed in &rules.computed {
            let unknown =
                computed.inputs.iter().map(|(name, _)| name.as_str()).filter(|name| !is_known(name));
            let of = first(&computed.to).unwrap_or_default();
            remarks.extend(
                unknown.map(|name| format!("{} is computed from {}, {nowhere}", quoted(of), quoted(name))),
            );
        }
        let mut told = HashSet::new();
        remarks.retain(|remark| told.insert(remark.clone()));
        remarks.truncate(REMARKS);
        remarks
    }
}

fn first(place: &Place) -> Option<&str> {
    place.path.names.first().map(String::as_str)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", shown::name(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn slips_are_told_and_nothing_else() {
        let remarks = |mapping: serde_json::Value| {
            let mapping = Mapping::read(&mapping).unwrap();
            let seen = ["old_id", "old_name", "meta", "a.b"].map(str::to_owned);
            mapping.remarks(&seen, |name| ["id", "name", "metadata"].contains(&name))
        };
        let good = json!({
            "fieldMappings": {"old_id": "id", "old_name": "name", "meta.level": "metadata.level", "a.b": "metadata.b", "*": null},
            "transformations": [
                {"field": "name", "transformation": "trim"},
                {"field": "metadata.level", "transformation": "lowercase"},
                {"field": "name", "transformation": "default", "value": "x"},
            ],
            "computedFields": [{"name": "metadata.both", "expression": "id + name", "type": "string"}],
        });
        assert_eq!(remarks(good), [""; 0]);
        let slips = json!({
            "fieldMappings": {"old_gone": "name", "old_id": "idd", "gone.level": "metadata.level"},
            "transformations": [{"field": "nmae", "transformation": "trim"}],
            "computedFields": [{"name": "label", "expression": "nmae + old_name", "type": "string"}],
        });
        let expected = [
            "the mapping takes the field \"old_gone\", of which the records that were looked at have none",
            "the mapping takes the field \"gone\", of which the records that were looked at have none",
            "the mapping makes the field \"idd\", which the type does not have: it is kept as it is",
            "the mapping makes the field \"label\", which the type does not have: it is kept as it is",
            "the mapping changes the field \"nmae\", of which the records that were looked at have none",
            "\"label\" is computed from \"nmae\", of which the records that were looked at have none",
        ];
        assert_eq!(remarks(slips.clone()), expected);
        assert_eq!(
            Mapping::read(&slips).unwrap().remarks(&[], |_| false),
            [""; 0],
            "no record was looked at"
        );
    }
}
