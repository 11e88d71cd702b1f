//! The types that Carrack knows by itself.

use std::sync::{Arc, LazyLock};

use serde_json::json;

use super::{Constraints, DataType, Field, FieldType, Identifier};

static BUILT_IN: LazyLock<Vec<Arc<DataType>>> = LazyLock::new(|| {
    use FieldType::{Array, Date, Object, String};
    let contexts = [
        ("id", String, true),
        ("title", String, true),
        ("content", String, true),
        ("type", String, false),
        ("tags", Array, false),
        ("sessionId", String, false),
        ("createdAt", Date, false),
        ("updatedAt", Date, false),
        ("metadata", Object, false),
    ];
    let sessions = [
        ("id", String, true),
        ("title", String, false),
        ("userId", String, false),
        ("createdAt", Date, false),
        ("updatedAt", Date, false),
        ("metadata", Object, false),
    ];
    vec![define("contexts", &contexts), define("sessions", &sessions)]
});

static STORED_TEMPLATES: LazyLock<Arc<DataType>> = LazyLock::new(|| {
    use FieldType::{Array, Date, Object, String};
    let fields = [
        ("id", String, true),
        ("name", String, false),
        ("version", String, false),
        ("description", String, false),
        ("schema", Object, false),
        ("transformation", Object, false),
        ("examples", Array, false),
        ("createdAt", Date, false),
        ("owner", String, false),
    ];
    let mut templates = (*define(TEMPLATES, &fields)).clone();
    // A template gets an id where it is stored, so a file need not have any.
    templates.fields[0].constraints = Constraints { default: Some(json!("")), ..Constraints::default() };
    Arc::new(templates)
});

/// The name of the type whose records are templates: a view of the store of templates, into which records come only
/// as every template does.
pub const TEMPLATES: &str = "templates";

/// What the store of templates says of each beside its document.
pub const SAID_OF_TEMPLATES: [&str; 3] = ["id", "createdAt", "owner"];

fn define(name: &str, fields: &[(&str, FieldType, bool)]) -> Arc<DataType> {
    let fields = fields
        .iter()
        .map(|&(name, field_type, required)| Field::new(Identifier(name.into()), field_type, required))
        .collect();
    Arc::new(DataType { name: Identifier(name.into()), fields, key: 0 })
}

/// The types of records that Carrack knows by itself. Templates are none of these: nobody guesses that a file holds
/// them, and they are named by themselves.
pub fn built_ins() -> &'static [Arc<DataType>] {
    &BUILT_IN
}

/// The built-in type of this name, [`TEMPLATES`] among them; its singular is an alias (`context` is `contexts`).
pub fn built_in(name: &str) -> Option<Arc<DataType>> {
    let matches = |data_type: &&Arc<DataType>| {
        let full = data_type.name.as_str();
        full == name || full.strip_suffix('s') == Some(name)
    };
    BUILT_IN.iter().chain([&*STORED_TEMPLATES]).find(matches).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_name() {
        assert_eq!(built_in("context").unwrap().name.as_str(), "contexts");
        assert!(built_in("users").is_none());
    }

    #[test]
    fn the_documents_tell_every_field() {
        for data_type in built_ins() {
            let mut table =
                format!("## {}\n\n| field | type | required |\n|---|---|---|\n", data_type.name.as_str());
            for (slot, field) in data_type.fields.iter().enumerate() {
                let required = match field.required {
                    _ if slot == data_type.key => " yes, the key ",
                    true => " yes ",
                    false => " ",
                };
                let (name, kind) = (field.name.as_str(), field.field_type.as_str());
                table.push_str(&format!("| `{name}` | {kind} |{required}|\n"));
            }
            assert!(
                include_str!("../../../docs/types.md").contains(&format!("{table}\n")),
                "expected {table}"
            );
        }
    }
}
