//! Where `$ref` leads: to another place of the same document. Any number of references may lead to the same
//! place, so what they lead to is weighed before it is copied.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;

use super::ANNOTATIONS;
use crate::document::Mistakes;
use crate::format::shown;
use crate::limits::{REFERENCED_BYTES, REFERENCED_VALUE_BYTES};

/// The references of a document.
#[derive(Debug)]
pub(super) struct References<'d> {
    root: &'d Value,
    /// What they may still lead to; none once that was not enough, which is told once.
    left: Option<usize>,
}

/// A schema without a reference.
pub(super) struct Resolved<'d> {
    pub schema: Cow<'d, Value>,
    /// Its place.
    pub at: String,
}

impl<'d> References<'d> {
    pub fn new(root: &'d Value) -> Self {
        Self { root, left: Some(REFERENCED_BYTES) }
    }

    /// Follows the references of a schema; what stands beside one only tells something of it.
    pub fn resolved<'s>(
        &mut self,
        document: &'s Value,
        at: &str,
        mistakes: &mut Mistakes,
    ) -> Option<Resolved<'s>>
    where
        'd: 's,
    {
        let prefix = at.strip_prefix("schema").map_or("", |_| "schema.");
        let (mut schema, mut at) = (document, at.to_owned());
        let mut told = serde_json::Map::new();
        let mut seen: HashSet<&str> = HashSet::new();
        while let Some(reference) = schema.get("$ref") {
            let place = format!("{at}.$ref");
            let Some(path) = reference.as_str().and_then(|text| text.strip_prefix("#/$defs/")) else {
                let found = shown::text(reference.as_str().unwrap_or_default());
                mistakes
                    .add(place, format!("found {found}, expected a place in this document, #/$defs/NAME"));
                return None;
            };
            if !seen.insert(path) {
                mistakes.add(place, "found a reference that leads back to itself, expected one that ends");
                return None;
            }
            for (name, value) in schema.as_object().into_iter().flatten().filter(|(name, _)| *name != "$ref")
            {
                if !ANNOTATIONS.contains(&name.as_str()) && name != "default" {
                    let detail = "found it beside $ref, expected it where that leads";
                    mistakes.add(format!("{at}.{}", shown::name(name)), detail);
                }
                told.entry(name.clone()).or_insert_with(|| value.clone());
            }
            let root: &'s Value = self.root;
            let Some(next) = root.pointer(&format!("/$defs/{path}")) else {
                let found = shown::text(path);
                mistakes.add(place, format!("found {found}, expected the name of one of the $defs"));
                return None;
            };
            self.spend(next, place, mistakes)?;
            at = format!("{prefix}$defs.{}", path.replace('/', "."));
            schema = next;
        }
        let mut schema = Cow::Borrowed(schema);
        if !told.is_empty()
            && let Value::Object(members) = schema.to_mut()
        {
            members.extend(told);
        }
        Some(Resolved { schema, at })
    }

    /// Refuses a reference that leads to more than is left for it and those behind it.
    fn spend(&mut self, schema: &Value, place: String, mistakes: &mut Mistakes) -> Option<()> {
        let mut left = self.left?;
        self.left = spend(schema, &mut left).then_some(left);
        if self.left.is_none() {
            let detail = format!(
                "found references that lead, with this one, to more than {REFERENCED_BYTES} bytes ({} for each \
                 value, and its text), expected at most so many",
                REFERENCED_VALUE_BYTES
            );
            mistakes.add(place, detail);
        }
        self.left.map(drop)
    }
}

/// Takes what a value weighs from what is left; false as soon as that is not enough.
fn spend(value: &Value, left: &mut usize) -> bool {
    let mut take = |bytes: usize| left.checked_sub(bytes).map(|rest| *left = rest).is_some();
    let text = if let Value::String(text) = value { text.len() } else { 0 };
    if !take(REFERENCED_VALUE_BYTES + text) {
        return false;
    }
    match value {
        Value::Array(items) => items.iter().all(|item| spend(item, left)),
        Value::Object(members) => members.iter().all(|(name, value)| {
            left.checked_sub(name.len()).map(|rest| *left = rest).is_some() && spend(value, left)
        }),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_lead_to_so_much_and_no_more() {
        let document =
            json!({"$defs": {"a": {"type": "string", "enum": ["x", "yy"]}, "b": {"$ref": "#/$defs/a"}}});
        // An object, a text, an array and its two texts.
        let weight = 5 * REFERENCED_VALUE_BYTES + "type".len() + "string".len() + "enum".len() + "xyy".len();
        let link = 2 * REFERENCED_VALUE_BYTES + "$ref".len() + "#/$defs/a".len();
        for (reference, needed) in [("#/$defs/a", weight), ("#/$defs/b", weight + link)] {
            let property = json!({ "$ref": reference });
            for (given, fits) in [(needed - 1, false), (needed, true), (needed + 1, true)] {
                let mut references = References { root: &document, left: Some(given) };
                let mut mistakes = Mistakes::default();
                let mut follow =
                    || references.resolved(&property, "schema.properties.p", &mut mistakes).is_some();
                assert_eq!((follow(), follow()), (fits, false), "{reference} with {given}");
                assert_eq!(references.left, None);
                assert_eq!(mistakes.0.len(), 1, "told once");
            }
        }
    }

    #[test]
    fn nothing_is_copied_where_nothing_stands_beside_a_reference() {
        let document = json!({"$defs": {"a": {"type": "string"}}});
        for (property, copied) in
            [(json!({"$ref": "#/$defs/a"}), false), (json!({"$ref": "#/$defs/a", "title": "x"}), true)]
        {
            let mut mistakes = Mistakes::default();
            let found = References::new(&document).resolved(&property, "p", &mut mistakes).unwrap();
            assert_eq!(matches!(found.schema, Cow::Owned(_)), copied, "{property}");
        }
    }
}
