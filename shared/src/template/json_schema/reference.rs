//! Where `$ref` leads: to another place of the same document.

use serde_json::Value;

use super::ANNOTATIONS;
use crate::document::Mistakes;
use crate::format::shown;

/// A schema without a reference.
pub(super) struct Resolved {
    pub schema: Value,
    /// Its place.
    pub at: String,
}

/// Follows the references of a schema; what stands beside one only tells something of it.
pub(super) fn resolved(
    root: &Value,
    document: &Value,
    at: &str,
    mistakes: &mut Mistakes,
) -> Option<Resolved> {
    let prefix = at.strip_prefix("schema").map_or("", |_| "schema.");
    let (mut schema, mut at) = (document, at.to_owned());
    let mut told = serde_json::Map::new();
    let mut seen: Vec<&str> = Vec::new();
    while let Some(reference) = schema.get("$ref") {
        let place = format!("{at}.$ref");
        let Some(path) = reference.as_str().and_then(|text| text.strip_prefix("#/$defs/")) else {
            let found = shown::text(reference.as_str().unwrap_or_default());
            mistakes.add(place, format!("found {found}, expected a place in this document, #/$defs/NAME"));
            return None;
        };
        if seen.contains(&path) {
            mistakes.add(place, "found a reference that leads back to itself, expected one that ends");
            return None;
        }
        seen.push(path);
        for (name, value) in schema.as_object().into_iter().flatten().filter(|(name, _)| *name != "$ref") {
            if !ANNOTATIONS.contains(&name.as_str()) && name != "default" {
                let detail = "found it beside $ref, expected it where that leads";
                mistakes.add(format!("{at}.{}", shown::name(name)), detail);
            }
            told.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let Some(next) = root.pointer(&format!("/$defs/{path}")) else {
            let found = shown::text(path);
            mistakes.add(place, format!("found {found}, expected the name of one of the $defs"));
            return None;
        };
        at = format!("{prefix}$defs.{}", path.replace('/', "."));
        schema = next;
    }
    let mut schema = schema.clone();
    if let Value::Object(members) = &mut schema {
        members.extend(told);
    }
    Some(Resolved { schema, at })
}
